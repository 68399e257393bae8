//! Who may do what, and why: the answer that a request would get, and the policies that make it so.

use anyhow::{Context as _, Result, bail};
use nuee_access::{Action, ConditionKey, Explanation, Facts, Resource, Values};
use nuee_base::{AccessKeyId, Context, ObjectKey, Origin, Principal, Slug};

use super::Administration;
use crate::administration::{AccessAnswer, AccessQuestion, Place, Reply};

/// What is known of a request that nobody has made: which object it is about, and nothing else.
struct Imagined {
    key: Option<ObjectKey>,
}

impl Facts for Imagined {
    fn object_key(&self) -> Option<&ObjectKey> {
        self.key.as_ref()
    }

    fn values(&self, _: &ConditionKey) -> Values<'_> {
        Values::Absent
    }
}

/// Where a request would come in; an address that is not told is one that is in no network.
fn origin(text: &str) -> Result<Origin> {
    let (zone, address) = text.split_once('@').unwrap_or((text, "0.0.0.0"));
    let address = address.parse().with_context(|| format!("{address:?} is no address"))?;
    Ok(Origin { zone: zone.parse()?, address })
}

impl Administration {
    /// Answers a question, as if it were asked with nothing that conditions look at: no address, no headers.
    pub(super) fn explain(&self, question: &AccessQuestion) -> Result<Reply> {
        // What it is about is looked up by name, and may be in no organisation.
        let _ = self.permit(Action::ListOrganisations, Resource::Platform)?;
        let action = Action::ALL.iter().copied().find(|action| action.as_str() == question.action);
        let action = action.with_context(|| {
            format!("there is no action {:?}: actions are written as s3:GetObject", question.action)
        })?;
        let principal = self.principal(&question.principal)?;
        let context = Context::new(self.platform.environment().clone(), principal);
        let context = match &question.from {
            Some(from) => context.arriving(origin(from)?),
            None => context,
        };
        let explanation = match question.resource.strip_prefix("s3://") {
            Some(named) => self.explain_in_bucket(&context, action, named)?,
            None => self.platform.decider().explain(&context, action, self.place(&question.resource)?),
        };
        let Explanation { denied, policies } = explanation;
        let reason = denied.map(|reason| reason.to_string());
        Ok(Reply::Access(AccessAnswer { allowed: reason.is_none(), reason, policies }))
    }

    fn explain_in_bucket(&self, context: &Context, action: Action, named: &str) -> Result<Explanation> {
        let (name, key) = match named.split_once('/') {
            Some((name, key)) if !key.is_empty() => (name, Some(key.parse()?)),
            Some((name, _)) => (name, None),
            None => (named, None),
        };
        let bucket = self.platform.store().find_bucket(&name.parse()?)?;
        let decider = self.platform.decider();
        let facts = Imagined { key };
        Ok(decider.explain_in_bucket(context, action, bucket.resource(), bucket.rules(), &facts))
    }

    fn principal(&self, text: &str) -> Result<Principal> {
        match text {
            "anonymous" => Ok(Principal::Anonymous),
            "operator" => Ok(Principal::Operator),
            id => {
                let id: AccessKeyId = id.parse().with_context(|| {
                    format!("{id:?} is neither anonymous, operator nor an access key's id")
                })?;
                if let Some(known) = self.platform.tenancy().session_credentials(&id)? {
                    return Ok(known.principal.clone());
                }
                let known = self.platform.tenancy().credentials(&id)?;
                let known =
                    known.with_context(|| format!("the access key {id} does not exist or has ended"))?;
                Ok(known.principal.clone())
            }
        }
    }

    /// The resource of a name that is not a bucket's.
    fn place(&self, text: &str) -> Result<Resource> {
        let name = |text: &str| {
            text.parse::<Slug>().with_context(|| {
            format!("{text:?} is no name: write platform, ORGANISATION, ORGANISATION/PROJECT or s3://BUCKET/KEY")
        })
        };
        match text.split_once('/') {
            None if text == "platform" => Ok(Resource::Platform),
            None => Ok(Resource::Organisation(self.organisation(&name(text)?)?.id)),
            Some((_, "")) => bail!("{text:?} names no project"),
            Some((organisation, project)) => {
                let place = Place { organisation: name(organisation)?, project: name(project)? };
                Ok(self.project(&place)?.resource())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imagined_request_has_its_key_and_nothing_else() {
        let facts = Imagined { key: Some("a".parse().unwrap()) };
        assert_eq!(facts.object_key().map(ObjectKey::as_str), Some("a"));
        assert!(matches!(facts.values(&ConditionKey::SourceIp), Values::Absent));
    }
}
