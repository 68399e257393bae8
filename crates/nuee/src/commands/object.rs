//! `nuee object …`: objects one by one, as whoever is signed in. Whoever moves many uses a client of S3.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use futures_util::StreamExt;
use http::Method;
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use nuee_base::{BucketName, ObjectKey, Slug};
use serde_json::Value;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::{
    Common,
    administer::{Output, size},
    member::{columns, show},
    print,
    sign_in::ask,
};
use crate::{
    administration::Place,
    client::{Client, query, segment},
};

/// How much of a file is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// A bucket of a project.
#[derive(Debug, Args)]
pub(super) struct InBucket {
    /// The bucket
    bucket: BucketName,
    /// Its project
    #[arg(long, default_value = "default", env = "NUEE_PROJECT")]
    project: Slug,
}

/// `nuee object …`.
#[derive(Debug, Subcommand)]
pub(super) enum ObjectCommand {
    /// List the objects of a bucket
    List {
        #[command(flatten)]
        place: InBucket,
        /// Only keys that begin so
        #[arg(long)]
        prefix: Option<String>,
        /// Every key, and not what they share up to a slash
        #[arg(long)]
        recursive: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Write a file as an object
    Put {
        #[command(flatten)]
        place: InBucket,
        /// The file
        file: PathBuf,
        /// The key [default: the name of the file]
        #[arg(long)]
        key: Option<ObjectKey>,
    },
    /// Write an object to a file, which must not exist
    Get {
        #[command(flatten)]
        place: InBucket,
        /// The key
        key: ObjectKey,
        /// The file [default: named as the end of the key]
        file: Option<PathBuf>,
    },
    /// Delete an object
    Delete {
        #[command(flatten)]
        place: InBucket,
        /// The key
        key: ObjectKey,
    },
}

impl InBucket {
    fn path(&self, client: &Client) -> Result<String> {
        let place = Place { organisation: "local".parse()?, project: self.project.clone() };
        Ok(format!("{}/buckets/{}", client.project(&place)?, segment(self.bucket.as_str())))
    }

    fn object(&self, client: &Client, key: &ObjectKey) -> Result<String> {
        let asked = query(&[("key", Some(key.as_str().to_owned()))]);
        Ok(format!("{}/object{asked}", self.path(client)?))
    }
}

/// A bar, where somebody looks.
fn bar(bytes: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Runs `nuee object …`.
pub(super) fn run(command: ObjectCommand, common: &Common) -> Result<ExitCode> {
    match command {
        ObjectCommand::List { place, prefix, recursive, output } => {
            let delimiter = (!recursive).then(|| "/".to_owned());
            let list = async |client: Client| {
                let asked = query(&[("prefix", prefix), ("delimiter", delimiter)]);
                client.items(&format!("{}/objects{asked}", place.path(&client)?), 0).await
            };
            let named = [("KEY", "key"), ("BYTES", "size"), ("WRITTEN", "modified_at")];
            return show(output, &Value::from(ask(common, list)?), |items| columns(items, named));
        }
        ObjectCommand::Put { place, file, key } => {
            let written = ask(common, async |client| put(&client, &place, (&file, key)).await)?;
            print(&format!("Written: {}.\n", size(written["size"].as_u64().unwrap_or_default())))?;
        }
        ObjectCommand::Get { place, key, file } => {
            let name = key.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            let file = file.unwrap_or_else(|| PathBuf::from(name));
            ensure!(!file.as_os_str().is_empty(), "the key ends with a slash: name the file");
            let bar = bar(None);
            let written = ask(common, async |client| {
                client.download(&place.object(&client, &key)?, &file, |bytes| bar.set_position(bytes)).await
            })?;
            bar.finish_and_clear();
            print(&format!("{}: {}.\n", file.display(), size(written)))?;
        }
        ObjectCommand::Delete { place, key } => {
            ask(common, async |client| {
                client.call(Method::DELETE, &place.object(&client, &key)?, None).await
            })?;
            print("Deleted.\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn put(client: &Client, place: &InBucket, (path, key): (&Path, Option<ObjectKey>)) -> Result<Value> {
    let key = match key {
        Some(key) => key,
        None => {
            let name = path.file_name().and_then(|name| name.to_str());
            name.with_context(|| format!("{} has no name to be a key: give --key", path.display()))?
                .parse()?
        }
    };
    let file = File::open(path).await.with_context(|| format!("cannot open {}", path.display()))?;
    let about = file.metadata().await?;
    ensure!(about.is_file(), "{} is no file", path.display());
    let bar = bar(Some(about.len()));
    let shown = bar.clone();
    let frames = ReaderStream::with_capacity(file, PIECE_BYTES).map(move |piece| {
        piece.map(|bytes| {
            shown.inc(bytes.len() as u64);
            Frame::data(bytes)
        })
    });
    let written = client.send(&place.object(client, &key)?, (frames, about.len())).await;
    bar.finish_and_clear();
    written
}
