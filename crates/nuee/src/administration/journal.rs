//! Carrying out what is asked about the journal.

use std::{
    fs::{self, File},
    io::BufWriter,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use http::Uri;
use nuee_access::{Action, Resource};
use nuee_base::{Slug, Timestamp};
use nuee_journal::{Filter, ListedLeaf, VerifierKey};

use super::{Administration, JournalLeaf, JournalQuery, JournalWitness, Reply};

/// Leaves that one answer holds.
const MOST_LISTED: usize = 10_000;

impl Administration {
    pub(super) async fn list_journal(&self, organisation: &Slug, query: JournalQuery) -> Result<Reply> {
        self.list_of(Resource::Organisation(self.organisation(organisation)?.id), query).await
    }

    pub(super) async fn list_platform_journal(&self, query: JournalQuery) -> Result<Reply> {
        self.list_of(Resource::Platform, query).await
    }

    async fn list_of(&self, resource: Resource, query: JournalQuery) -> Result<Reply> {
        let JournalQuery { action, by, on, since, until, before, limit } = query;
        ensure!(limit <= MOST_LISTED, "at most {MOST_LISTED} can be listed at once: export more than that");
        let filter = Filter { action, by, on, since: instant(since)?, until: instant(until)?, before };
        let (context, permit) = self.permit(Action::ReadJournal, resource)?;
        let listed = self.platform.tenancy().list_journal(&context, &permit, (filter, limit)).await?;
        Ok(Reply::Journal { leaves: listed.into_iter().map(JournalLeaf::from).collect() })
    }

    pub(super) async fn export_journal(
        &self,
        organisation: &Slug,
        [since, until]: [Option<String>; 2],
        file: PathBuf,
    ) -> Result<Reply> {
        let range = [instant(since)?, instant(until)?];
        let resource = Resource::Organisation(self.organisation(organisation)?.id);
        let (context, permit) = self.permit(Action::ReadJournal, resource)?;
        let (tenancy, witnesses) = (self.platform.tenancy(), self.platform.witnesses());
        tenancy.begin_export(&context, &permit).await?;
        // Those who are there sign what is exported.
        self.platform.ask_witnesses().await?;
        let out = File::options().write(true).create_new(true).mode(0o600).open(&file);
        let out = out.with_context(|| format!("cannot make {}", file.display()))?;
        let written = tenancy.export_journal(&permit, range, witnesses.keys(), BufWriter::new(out)).await;
        let exported = written.map_err(anyhow::Error::from).and_then(|exported| {
            File::open(&file).and_then(|file| file.sync_all())?;
            Ok(exported)
        });
        if exported.is_err() {
            discard(&file);
        }
        let exported = exported?;
        let (leaves, erased) = (exported.leaves, exported.erased);
        Ok(Reply::JournalExported { file, leaves, erased, size: exported.checkpoint.size })
    }
}

impl Administration {
    pub(super) async fn journal_witnesses(&self) -> Result<Reply> {
        let _ = self.permit(Action::Verify, Resource::Platform)?;
        let journal = self.platform.journal();
        let size = journal.sequence().await?.checkpoint.size;
        self.platform.ask_witnesses().await?;
        let show = |(url, key): (&Uri, &VerifierKey)| {
            let known = journal.witnessed(key)?;
            Ok(JournalWitness {
                name: key.name().to_owned(),
                url: url.to_string(),
                size: known.size(),
                at: known.at().map(|at| at.to_string()),
                problem: known.problem,
            })
        };
        let witnesses = self.platform.witnesses().all().map(show).collect::<Result<_>>()?;
        Ok(Reply::JournalWitnesses { witnesses, size })
    }
}

/// A file that was begun is worth nothing.
fn discard(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        tracing::warn!(%error, "an export that was not finished stays");
    }
}

fn instant(text: Option<String>) -> Result<Option<Timestamp>> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

impl From<ListedLeaf> for JournalLeaf {
    fn from(from: ListedLeaf) -> Self {
        let (id, at) = (from.id, from.at.to_string());
        let Some(leaf) = from.leaf else { return Self { id, at, erased: true, ..Self::default() } };
        Self {
            id,
            at,
            by: leaf.by,
            action: leaf.action,
            on: leaf.on,
            key: leaf.key.map(|key| key.as_str().to_owned()),
            version: leaf.version,
            upload: leaf.upload.map(|upload| upload.to_string()),
            part: leaf.part.map(|(number, _)| number),
            detail: leaf.detail,
            erased: false,
        }
    }
}
