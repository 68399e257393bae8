//! The socket through which a running server is administered.
//!
//! It is a Unix socket in the data directory, for its owner alone; each end of it that is not the owner or root is
//! refused. A client sends one request as a line of JSON and reads lines of JSON: progress, then the reply or the reason
//! why there is none. A client that goes away ends its request.

use std::{
    fs::{self, File, Permissions},
    io::ErrorKind,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    select,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Administration, Progress, Reply, Request, data_directory::socket_file};

/// Requests carried out at once; further clients wait.
const CLIENTS: usize = 8;
/// The longest request, in bytes.
const REQUEST_BYTES: u64 = 64 << 10;
/// The longest line of an answer, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;
/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest path that the system takes for a socket, with room for its end.
const PATH_BYTES: usize = 100;
const ROOT: u32 = 0;

/// One line of an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress(Progress),
    Reply(Box<Reply>),
    Failed(String),
}

/// The socket of a server, bound and not served yet.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds the socket of a data directory that this process has locked.
    pub(crate) fn bind(data_directory: &Path) -> Result<Self> {
        let path = socket_file(data_directory);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
        let bound = short(data_directory).and_then(|short| UnixListener::bind(&short.path));
        let listener = bound.with_context(|| format!("cannot make the socket {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .with_context(|| format!("cannot restrict {} to its owner", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Carries out requests until `shutdown` is cancelled; requests under way are given up then.
    pub(crate) async fn serve(self, administration: Administration, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(CLIENTS));
        let clients = TaskTracker::new();
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = select! {
                () = shutdown.cancelled() => break,
                accepted = accepted => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a command could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (administration, shutdown) = (administration.clone(), shutdown.clone());
            clients.spawn(async move {
                if let Err(error) = answer(stream, &administration, &shutdown).await {
                    tracing::warn!(error = format!("{error:#}"), "a command was not answered");
                }
                drop(place);
            });
        }
        clients.close();
        clients.wait().await;
        // A client that finds no socket knows that no server runs.
        let _ = fs::remove_file(&self.path);
    }
}

/// Refuses whoever is neither the `owner` of the server nor root.
fn check_peer(peer: u32, owner: u32) -> Result<()> {
    if peer != owner && peer != ROOT {
        bail!("user {peer} may not administer this server: it belongs to user {owner}");
    }
    Ok(())
}

async fn answer(
    mut stream: UnixStream,
    administration: &Administration,
    shutdown: &CancellationToken,
) -> Result<()> {
    let last = match check_peer(stream.peer_cred()?.uid(), geteuid().as_raw()) {
        Ok(()) => select! {
            () = shutdown.cancelled() => Line::Failed("the server is stopping; try again in a moment".to_owned()),
            last = carry_out(&mut stream, administration) => match last {
                Ok(reply) => Line::Reply(Box::new(reply)),
                Err(error) => Line::Failed(format!("{error:#}")),
            }
        },
        Err(refused) => Line::Failed(refused.to_string()),
    };
    send(&mut stream, &last).await
}

/// Reads a request and carries it out; tells the progress.
async fn carry_out(stream: &mut UnixStream, administration: &Administration) -> Result<Reply> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader.take(REQUEST_BYTES));
    let mut text = String::new();
    timeout(REQUEST_TIMEOUT, reader.read_line(&mut text)).await.context("no request came")??;
    let request =
        serde_json::from_str(&text).context("the request is not one that this version of nuee knows")?;
    let (sender, mut progress) = watch::channel(None);
    let mut work = std::pin::pin!(administration.execute(request, |seen| {
        sender.send_replace(Some(seen));
    }));
    let mut nothing = [0];
    loop {
        select! {
            reply = &mut work => return reply,
            Ok(()) = progress.changed() => {
                let seen = *progress.borrow_and_update();
                if let Some(seen) = seen {
                    send(&mut writer, &Line::Progress(seen)).await?;
                }
            }
            _ = reader.read(&mut nothing) => bail!("the client went away"),
        }
    }
}

async fn send(stream: &mut (impl AsyncWriteExt + Unpin), line: &Line) -> Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(stream.write_all(&text).await?)
}

/// Connects to the server of a data directory; `None` if no server answers there.
pub(crate) async fn connect(data_directory: &Path) -> Result<Option<UnixStream>> {
    let path = socket_file(data_directory);
    let connected = match short(data_directory) {
        Ok(short) => UnixStream::connect(&short.path).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(stream) => {
            // Whoever can write to the directory could wait there in the server's place.
            check_peer(stream.peer_cred()?.uid(), geteuid().as_raw())
                .with_context(|| format!("{} is not the server's", path.display()))?;
            Ok(Some(stream))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot speak to the server at {}", path.display())),
    }
}

/// Has a server carry out a request.
pub(crate) async fn ask(
    mut stream: UnixStream,
    request: &Request,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Reply> {
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text).await.context("the server does not take the command")?;
    let mut lines = BufReader::new(stream.take(ANSWER_BYTES)).lines();
    while let Some(line) = lines.next_line().await.context("the server does not answer")? {
        match serde_json::from_str(&line)
            .context("the server answers what this version of nuee does not know")?
        {
            Line::Progress(seen) => progress(seen),
            Line::Reply(reply) => return Ok(*reply),
            Line::Failed(reason) => bail!(reason),
        }
    }
    bail!("the server went away before it had answered: look into its log")
}

/// A path to the socket that is not too long for the system.
struct Short {
    path: PathBuf,
    /// Kept open while the path leads through it.
    _directory: Option<File>,
}

fn short(data_directory: &Path) -> std::io::Result<Short> {
    let path = socket_file(data_directory);
    if path.as_os_str().len() <= PATH_BYTES {
        return Ok(Short { path, _directory: None });
    }
    let directory = File::open(data_directory)?;
    let path = socket_file(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())));
    Ok(Short { path, _directory: Some(directory) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_may_administer() {
        assert!(check_peer(1000, 1000).is_ok());
        assert!(check_peer(0, 1000).is_ok());
        let said = check_peer(1001, 1000).unwrap_err().to_string();
        assert!(said.contains("user 1001"), "{said}");
    }

    #[tokio::test]
    async fn a_socket_below_a_long_path_can_be_reached() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("d".repeat(200));
        fs::create_dir(&directory).unwrap();
        assert!(connect(&directory).await.unwrap().is_none(), "no server runs there");
        let socket = Socket::bind(&directory).unwrap();
        assert_eq!(fs::metadata(&socket.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(connect(&directory).await.unwrap().is_some());
        drop(socket);
        assert!(connect(&directory).await.unwrap().is_none(), "nobody listens any more");
        assert!(Socket::bind(&directory).is_ok(), "what a crash left is replaced");
    }
}
