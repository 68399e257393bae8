//! Who may do what, and why: the answer that a request would get, and the policies that make it so.

use anyhow::{Context as _, Result, bail};
use nuee_access::{Action, Explanation, FactList, Resource};
use nuee_base::{AccessKeyId, Context, Principal, Slug};

use super::Administration;
use crate::administration::{AccessAnswer, AccessQuestion, Place, Reply};

impl Administration {
    /// Answers a question, as if it were asked with nothing that conditions look at: no address, no headers.
    pub(super) fn explain(&self, question: &AccessQuestion) -> Result<Reply> {
        // What it is about is looked up by name, and may be in no organisation.
        let _ = self.permit(Action::ListOrganisations, Resource::Platform)?;
        let action = Action::named(&question.action);
        let action = action.with_context(|| {
            format!("there is no action {:?}: actions are written as s3:GetObject", question.action)
        })?;
        let principal = self.principal(&question.principal)?;
        let context = Context::new(self.platform.environment().clone(), principal);
        let context = match &question.from {
            Some(from) => context.arriving(from.parse()?),
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
        let (name, key) = named.split_once('/').unwrap_or((named, ""));
        let bucket = self.platform.store().find_bucket(&name.parse()?)?;
        let facts = if key.is_empty() { FactList::of_bucket() } else { FactList::of_object(key.parse()?) };
        let facts = facts.in_bucket(bucket.name.clone());
        let decider = self.platform.decider();
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
                let found = self.platform.tenancy().principal_of_key(&id)?;
                found.with_context(|| format!("the access key {id} does not exist or has ended"))
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
