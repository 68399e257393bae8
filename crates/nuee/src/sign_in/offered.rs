//! The issuers of the settings, as the management API offers them.

use futures_util::{FutureExt, future::BoxFuture};
use nuee_access::Wishes;
use nuee_api::{IssuerBegun, IssuerChoice, IssuerFailure, IssuerLeave, IssuerStart, Issuers, KnownElsewhere};
use nuee_base::{Secret, Zone};
use nuee_tenancy::IssuerSession;

use super::{SignInDone, SignInFailed, SignInStart, SignIns};

impl From<SignInFailed> for IssuerFailure {
    fn from(failed: SignInFailed) -> Self {
        let retry_after = match &failed {
            SignInFailed::TooMany(why) => Some(why.retry_after),
            _ => None,
        };
        Self { kind: failed.kind(), detail: failed.to_string(), retry_after }
    }
}

impl Issuers for SignIns {
    fn choices(&self, zone: Zone) -> Vec<IssuerChoice> {
        let show = |choice: super::SignInChoice| IssuerChoice {
            name: choice.name.to_string(),
            title: choice.title,
            proconnect: choice.is_proconnect,
        };
        Self::choices(self, zone).into_iter().map(show).collect()
    }

    fn begin(&self, start: IssuerStart) -> BoxFuture<'_, Result<IssuerBegun, IssuerFailure>> {
        async move {
            let begun = Self::begin(
                self,
                SignInStart {
                    issuer: &start.issuer,
                    zone: start.zone,
                    client: start.client,
                    redirect_uri: &start.redirect_uri,
                    return_to: start.return_to,
                    wishes: Wishes { multi_factor: start.multi_factor, ..Wishes::default() },
                    browser: start.browser,
                },
            );
            let begun = begun.await?;
            Ok(IssuerBegun { url: begun.url, browser: begun.browser })
        }
        .boxed()
    }

    fn finish(&self, query: String, browser: Secret) -> BoxFuture<'_, Result<KnownElsewhere, IssuerFailure>> {
        async move {
            let SignInDone { signed_in, return_to } = Self::finish(self, &query, &browser).await?;
            let profile = signed_in.profile();
            let names =
                [&profile.given_name, &profile.usual_name].map(|name| name.as_deref().unwrap_or_default());
            let name = names.join(" ").trim().to_owned();
            // ProConnect does not say that it has verified an address, and its identity providers are the employers.
            let vouched = profile.email_verified || self.is_proconnect(signed_in.issuer());
            Ok(KnownElsewhere {
                issuer: signed_in.issuer().to_string(),
                subject: signed_in.subject().to_owned(),
                email: profile.email.clone().filter(|_| vouched),
                name: Some(name).filter(|name| !name.is_empty()),
                multi_factor: signed_in.is_multi_factor(),
                id_token: signed_in.id_token().clone(),
                return_to,
            })
        }
        .boxed()
    }

    fn leave(
        &self,
        session: IssuerSession,
        back: String,
    ) -> BoxFuture<'_, Result<Option<IssuerLeave>, IssuerFailure>> {
        async move {
            let leave = Self::leave(self, &session.issuer, &session.id_token, &back).await?;
            Ok(leave.map(|leave| IssuerLeave { url: leave.url, state: leave.state }))
        }
        .boxed()
    }
}
