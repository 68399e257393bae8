//! The journal, for those who may see it.
//!
//! Whoever looks at what an organisation did is told of there too: the organisation's events say who saw them.

use std::io::Write;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, OrganisationId, Timestamp};
use nuee_journal::{
    Entry, ExportRange, Exported, Filter, ListedLeaf, SignedCheckpoint, Subject, VerifierKey,
};
use nuee_metadata::Transaction;
use tokio::task::spawn_blocking;

use crate::{Error, Tenancy};

impl Tenancy {
    /// The signed state of the journal now.
    pub async fn checkpoint(&self, permit: &Permit) -> Result<SignedCheckpoint, Error> {
        permit.require(Action::Verify, Resource::Platform)?;
        Ok(self.0.journal.sequence().await?)
    }

    /// By what the journal's checkpoints are checked. It is no secret.
    pub fn journal_key(&self) -> Result<VerifierKey, Error> {
        Ok(self.0.journal.verifier_key()?)
    }

    /// The last leaves of the organisation that the permit is for, of those that the filter takes, `limit` at most.
    pub async fn list_journal(
        &self,
        context: &Context,
        permit: &Permit,
        (filter, limit): (Filter, usize),
    ) -> Result<Vec<ListedLeaf>, Error> {
        let organisation = self.seen(context, permit, "list").await?;
        let journal = self.0.journal.clone();
        let list = move || journal.list(organisation, &filter, limit);
        Ok(spawn_blocking(list).await.map_err(|_| nuee_journal::Error::Interrupted)??)
    }

    /// Notes that the leaves of the organisation that the permit is for are exported, and signs all that is there.
    pub async fn begin_export(&self, context: &Context, permit: &Permit) -> Result<(), Error> {
        self.seen(context, permit, "export").await?;
        self.0.journal.sequence().await?;
        Ok(())
    }

    /// Writes an export of the leaves of the organisation that the permit is for, in a time; witnesses who have signed the
    /// last checkpoint are named in it.
    pub async fn export_journal(
        &self,
        permit: &Permit,
        [since, until]: [Option<Timestamp>; 2],
        witnesses: Vec<VerifierKey>,
        out: impl Write + Send + 'static,
    ) -> Result<Exported, Error> {
        let organisation = organisation(permit)?;
        let journal = self.0.journal.clone();
        let range = ExportRange { organisation, since, until };
        let export = move || journal.export(range, &witnesses, out);
        Ok(spawn_blocking(export).await.map_err(|_| nuee_journal::Error::Interrupted)??)
    }

    /// Notes that somebody sees what an organisation did; gives the organisation.
    async fn seen(
        &self,
        context: &Context,
        permit: &Permit,
        how: &'static str,
    ) -> Result<OrganisationId, Error> {
        let organisation = organisation(permit)?;
        let on = format!("organisation/{organisation}");
        let entry = Entry::new(context, &self.0.keys, organisation, on)?;
        let note = move |transaction: &Transaction<'_>| {
            entry.append(transaction, Action::ReadJournal.as_str(), Subject::detail(how))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(note).await?;
        Ok(organisation)
    }
}

/// The organisation whose journal a permit lets see.
fn organisation(permit: &Permit) -> Result<OrganisationId, Error> {
    permit.require(Action::ReadJournal, permit.resource())?;
    match permit.resource() {
        Resource::Organisation(organisation) => Ok(organisation),
        other => Err(Error::NotFound { kind: "organisation", name: other.to_string() }),
    }
}
