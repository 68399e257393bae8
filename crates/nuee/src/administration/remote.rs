//! Administration from afar: what operators who have signed in ask by their API.

use std::io;

use futures_util::{FutureExt, future::BoxFuture};
use nuee_access::Denied;
use nuee_api::{Administer, Refusal};
use nuee_base::Context;
use serde_json::Value;

use super::{Administration, Reply, Request};

impl Administer for Administration {
    fn carry_out(&self, context: Context, request: Value) -> BoxFuture<'_, Result<Value, Refusal>> {
        let acting = self.acting(context);
        async move {
            let request = serde_json::from_value(request).map_err(|error| {
                Refusal::Invalid(format!("it is no request that this version of nuee knows: {error}"))
            })?;
            if let Request::ExportJournal { .. } = request {
                let why =
                    "an export is written to a file of the server: `nuee journal export` on its machine";
                return Err(Refusal::Invalid(why.to_owned()));
            }
            let reply: Reply = acting.execute(request, |_| {}).await.map_err(refusal)?;
            serde_json::to_value(&reply).map_err(|error| Refusal::Failed(error.into()))
        }
        .boxed()
    }
}

/// What an error means to whoever asked. What this program itself says of a request is about the request.
fn refusal(error: anyhow::Error) -> Refusal {
    let error = match error.downcast::<Denied>() {
        Ok(denied) => return Refusal::Denied(denied),
        Err(error) => error,
    };
    let error = match error.downcast::<nuee_tenancy::Error>() {
        Ok(found) => return Refusal::Tenancy(found),
        Err(error) => error,
    };
    let error = match error.downcast::<nuee_store::Error>() {
        Ok(found) => return Refusal::Store(found),
        Err(error) => error,
    };
    let is_ours = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<io::Error>() || cause.is::<nuee_journal::Error>() || cause.is::<nuee_keys::Error>()
    };
    if error.chain().any(is_ours) {
        return Refusal::Failed(error.into());
    }
    Refusal::Invalid(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn what_fails_here_is_told_from_what_is_asked_wrongly() {
        let lost = Err::<(), _>(io::Error::other("the disk is gone")).context("cannot read").unwrap_err();
        assert!(matches!(refusal(lost), Refusal::Failed(_)));
        assert!(matches!(refusal(anyhow!("there is no project x")), Refusal::Invalid(_)));
        let error = nuee_tenancy::Error::NotFound { kind: "grant", name: "x".to_owned() };
        assert!(matches!(refusal(anyhow::Error::new(error).context("said")), Refusal::Tenancy(_)));
    }
}
