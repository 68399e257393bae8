//! The journal, for those who may see it.
//!
//! Whoever looks at what an organisation did is told of there too: the organisation's events say who saw them. Operators do
//! not see which objects an organisation's events are about, nor take an export, once the organisation has an owner.

use std::io::Write;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, OrganisationId, Timestamp};
use nuee_journal::{
    Entry, ExportRange, Exported, Filter, Leaf, ListedLeaf, SignedCheckpoint, Subject, VerifierKey,
};
use nuee_metadata::Transaction;
use tokio::task::spawn_blocking;

use crate::{Error, Tenancy, organisation::organisation_of};

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

    /// The last leaves of the organisation, or of the platform itself, that the permit is for, of those that the filter takes, `limit` at most.
    pub async fn list_journal(
        &self,
        context: &Context,
        permit: &Permit,
        (filter, limit): (Filter, usize),
    ) -> Result<Vec<ListedLeaf>, Error> {
        let organisation = self.seen(context, permit, "list").await?;
        let journal = self.0.journal.clone();
        let list = move || journal.list(organisation, &filter, limit);
        let mut leaves = spawn_blocking(list).await.map_err(|_| nuee_journal::Error::Interrupted)??;
        if context.principal().is_operator()
            && self.0.metadata.read(|snapshot| self.has_owner(snapshot, organisation))?
        {
            leaves.iter_mut().filter_map(|listed| listed.leaf.as_mut()).for_each(hide_object);
        }
        Ok(leaves)
    }

    /// Notes that the leaves of the organisation that the permit is for are exported, and signs all that is there.
    pub async fn begin_export(&self, context: &Context, permit: &Permit) -> Result<(), Error> {
        let organisation = organisation(permit)?;
        let by_operator = context.principal().is_operator();
        if by_operator && self.0.metadata.read(|snapshot| self.has_owner(snapshot, organisation))? {
            let why = "the organisation has owners, and what it did is theirs to export";
            return Err(Error::Conflict(why.to_owned()));
        }
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
        let entry = Entry::new(context, &self.0.keys, organisation, permit.resource().to_string())?;
        let note = move |transaction: &Transaction<'_>| {
            entry.append(transaction, Action::ReadJournal.as_str(), Subject::detail(how))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(note).await?;
        Ok(organisation)
    }
}

/// Takes out of an event which object it is about.
fn hide_object(leaf: &mut Leaf) {
    if leaf.key.take().is_some() {
        (leaf.version, leaf.upload, leaf.part, leaf.detail) = (None, None, None, None);
    }
}

/// The organisation whose journal a permit lets see.
fn organisation(permit: &Permit) -> Result<OrganisationId, Error> {
    permit.require(Action::ReadJournal, permit.resource())?;
    organisation_of(permit)
}
