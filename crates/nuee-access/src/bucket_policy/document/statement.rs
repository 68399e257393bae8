//! Reads one statement.

use nuee_base::OrganisationId;

use super::{Actions, NamedPrincipal, Principals, Resources, Statement};
use crate::{
    Action,
    action::Level,
    bucket_policy::{
        MalformedPolicy,
        condition::Condition,
        document::About,
        pattern::{Dialect, Pattern},
    },
    json::Json,
};

const RESOURCE_HEAD: &str = "arn:aws:s3:::";
const PRINCIPAL_HEAD: &str = "arn:aws:iam::";

/// The members of a statement, as they are found.
#[derive(Default)]
struct Members {
    effect: Option<Json>,
    principal: Option<(bool, Json)>,
    action: Option<(bool, Json)>,
    resource: Option<(bool, Json)>,
    condition: Option<Json>,
}

/// Reads a statement; knows what to call it in messages.
pub(super) struct Reader<'a> {
    /// Its number or, once it is known, its Sid.
    pub(super) name: String,
    pub(super) dialect: Dialect,
    pub(super) about: About<'a>,
}

impl Reader<'_> {
    /// The statement, and its Sid if it has one.
    pub(super) fn read(mut self, value: Json) -> Result<(Statement, Option<String>), MalformedPolicy> {
        let Json::Object(members) = value else {
            return Err(self.wrong("Statement is not an object", format_args!("it is {}", value.kind())));
        };
        let sid = members.iter().find(|(name, _)| name == "Sid").map(|(_, sid)| sid.clone());
        let sid = match sid {
            None => None,
            Some(Json::Text(sid)) => Some(sid),
            Some(other) => {
                return Err(self.wrong("Sid must be a text", format_args!("it is {}", other.kind())));
            }
        };
        if let Some(sid) = sid.as_ref().filter(|sid| !sid.is_empty()) {
            self.name.clone_from(sid);
        }
        let mut members = self.sort(members)?;
        let allows = self.effect(members.effect.take())?;
        let principals = self.principals(members.principal.take(), allows)?;
        let mut actions = self.actions(members.action.take())?;
        let resources = self.resources(members.resource.take())?;
        self.keep_applicable(&mut actions, &resources)?;
        let conditions = self.conditions(members.condition.take(), &actions)?;
        Ok((Statement { name: self.name, allows, principals, actions, resources, conditions }, sid))
    }

    /// An error of this statement: a headline in AWS's words, and what exactly is wrong.
    pub(super) fn wrong(&self, headline: &str, detail: impl std::fmt::Display) -> MalformedPolicy {
        MalformedPolicy::new(format!("{headline} (statement {:?}: {detail})", self.name))
    }

    fn sort(&self, members: Vec<(String, Json)>) -> Result<Members, MalformedPolicy> {
        let mut sorted = Members::default();
        for (name, value) in members {
            let (place, negated) = match name.as_str() {
                "Sid" => continue,
                "Effect" => {
                    sorted.effect = Some(value);
                    continue;
                }
                "Condition" => {
                    sorted.condition = Some(value);
                    continue;
                }
                "Principal" | "NotPrincipal" => (&mut sorted.principal, name == "NotPrincipal"),
                "Action" | "NotAction" => (&mut sorted.action, name == "NotAction"),
                "Resource" | "NotResource" => (&mut sorted.resource, name == "NotResource"),
                _ => return Err(self.wrong("Unknown field", format_args!("{name:?}"))),
            };
            if place.replace((negated, value)).is_some() {
                let both = format_args!("{name} and its opposite exclude each other");
                return Err(self.wrong("Statement has an element twice", both));
            }
        }
        Ok(sorted)
    }

    fn required<T>(&self, member: Option<T>, name: &str) -> Result<T, MalformedPolicy> {
        member.ok_or_else(|| self.wrong("Missing required field", name))
    }

    fn effect(&self, effect: Option<Json>) -> Result<bool, MalformedPolicy> {
        match self.required(effect, "Effect")? {
            Json::Text(text) if text == "Allow" => Ok(true),
            Json::Text(text) if text == "Deny" => Ok(false),
            _ => Err(self.wrong("Invalid effect", "Effect is \"Allow\" or \"Deny\"")),
        }
    }

    /// A text, or a list of at least one text.
    fn texts(&self, value: Json, name: &str) -> Result<Vec<String>, MalformedPolicy> {
        let list = match value {
            Json::List(list) => list,
            one => vec![one],
        };
        if list.is_empty() {
            return Err(self.wrong(&format!("{name} is empty"), "write at least one"));
        }
        let text = |value| match value {
            Json::Text(text) => Ok(text),
            other => Err(self.wrong(&format!("{name} must be a text or a list of texts"), other.kind())),
        };
        list.into_iter().map(text).collect()
    }

    fn principals(&self, member: Option<(bool, Json)>, allows: bool) -> Result<Principals, MalformedPolicy> {
        if self.about == About::Everything {
            return match member {
                None => Ok(Principals { negated: false, anyone: true, named: Vec::new() }),
                Some(_) => Err(self.wrong("Policy has a principal", "it is for whoever it is attached to")),
            };
        }
        let (negated, value) = self.required(member, "Principal")?;
        if negated && allows {
            return Err(self.wrong("NotPrincipal with Allow is not supported", "name who is allowed"));
        }
        let texts = match value {
            Json::Text(text) if text == "*" => vec![text],
            Json::Object(mut members) if members.len() == 1 && members[0].0 == "AWS" => {
                self.texts(members.remove(0).1, "Principal")?
            }
            _ => {
                let expected = "write \"*\" or {\"AWS\": …}: there are no other kinds of principals here";
                return Err(self.wrong("Invalid principal in policy", expected));
            }
        };
        let mut principals = Principals { negated, anyone: false, named: Vec::new() };
        for text in texts {
            if text == "*" {
                principals.anyone = true;
            } else {
                let named = named_principal(&text).ok_or_else(|| {
                    self.wrong(
                        "Invalid principal in policy",
                        format_args!(
                            "{text:?} is neither \"*\", an organisation id, {PRINCIPAL_HEAD}<organisation or project \
                             id>:root, {PRINCIPAL_HEAD}<organisation id>:user/<service account id> nor \
                             {PRINCIPAL_HEAD}<project id>:role/<name>"
                        ),
                    )
                })?;
                principals.named.push(named);
            }
        }
        Ok(principals)
    }

    fn actions(&self, member: Option<(bool, Json)>) -> Result<Actions, MalformedPolicy> {
        let (negated, value) = self.required(member, "Action")?;
        let texts = self.texts(value, "Action")?;
        let mut resolved = Vec::new();
        for text in &texts {
            let found = actions_like(text, self.about);
            if found.is_empty() {
                let detail = format_args!("{text:?} is no action on a bucket or its objects");
                return Err(self.wrong("Policy has invalid action", detail));
            }
            for action in found {
                if !resolved.contains(&action) {
                    resolved.push(action);
                }
            }
        }
        if negated {
            resolved = self.about.actions().filter(|action| !resolved.contains(action)).collect();
        }
        Ok(Actions { negated, texts, resolved })
    }

    fn resources(&self, member: Option<(bool, Json)>) -> Result<Resources, MalformedPolicy> {
        let (negated, value) = self.required(member, "Resource")?;
        let mut resources = Resources { negated, texts: Vec::new(), patterns: Vec::new() };
        for text in self.texts(value, "Resource")? {
            let about = self.about.resource(&text);
            let about = about.map_err(|detail| self.wrong("Policy has invalid resource", detail))?;
            let pattern = Pattern::parse(about, self.dialect)
                .map_err(|why| self.wrong("Policy has invalid resource", why))?;
            resources.patterns.push(pattern);
            resources.texts.push(about.to_owned());
        }
        Ok(resources)
    }

    /// Each action that is written must be possible on some resource of the statement; those that a wildcard means and
    /// that are not are left out.
    fn keep_applicable(&self, actions: &mut Actions, resources: &Resources) -> Result<(), MalformedPolicy> {
        let headline = "Action does not apply to any resource(s) in statement";
        let About::Bucket(bucket) = self.about else {
            return match actions.resolved.is_empty() {
                true => Err(self.wrong(headline, "NotAction leaves none")),
                false => Ok(()),
            };
        };
        let bucket = bucket.as_str();
        let on_bucket =
            resources.negated || resources.patterns.iter().any(|it| it.matches(bucket, false, |_| None));
        let on_objects = resources.negated || resources.texts.iter().any(|text| text.len() > bucket.len());
        let applies = |action: &Action| match action.level() {
            Level::Bucket => on_bucket,
            Level::Object => on_objects,
            Level::Elsewhere => false,
        };
        let idle = |text: &&String| !actions.negated && !actions_like(text, self.about).iter().any(applies);
        if let Some(text) = actions.texts.iter().find(idle) {
            return Err(self.wrong(headline, format_args!("{text:?}")));
        }
        actions.resolved.retain(applies);
        if actions.resolved.is_empty() {
            return Err(self.wrong(headline, "NotAction leaves none"));
        }
        Ok(())
    }

    fn conditions(&self, member: Option<Json>, actions: &Actions) -> Result<Vec<Condition>, MalformedPolicy> {
        let operators = match member {
            None => return Ok(Vec::new()),
            Some(Json::Object(operators)) => operators,
            Some(other) => {
                return Err(self.wrong("Condition must be an object", format_args!("it is {}", other.kind())));
            }
        };
        let mut conditions: Vec<Condition> = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else {
                let detail = format_args!("{operator} is {}", keys.kind());
                return Err(self.wrong("Condition must name keys in an object", detail));
            };
            let first = conditions.len();
            for (key, values) in keys {
                let condition = Condition::parse(&operator, &key, values, self.dialect.variables)
                    .map_err(|(headline, detail)| self.wrong(headline, detail))?;
                if !actions.resolved.iter().any(|action| condition.key.applies_to(*action)) {
                    let headline =
                        "Conditions do not apply to combination of actions and resources in statement";
                    return Err(self.wrong(headline, condition.key));
                }
                if conditions[first..].iter().any(|other| other.key == condition.key) {
                    let detail = format_args!("{key:?} twice under {operator}");
                    return Err(self.wrong("Condition has a key twice", detail));
                }
                conditions.push(condition);
            }
        }
        Ok(conditions)
    }
}

impl About<'_> {
    /// The actions that such a policy can speak of.
    fn actions(self) -> impl Iterator<Item = Action> {
        let speaks = move |action: &Action| {
            action.level() != Level::Elsewhere || (self == About::Everything && action.is_on_all_buckets())
        };
        Action::ALL.iter().copied().filter(speaks)
    }

    /// What a resource names, after the head of its ARN; the error says what would be right.
    fn resource(self, text: &str) -> Result<&str, String> {
        let rest = text.strip_prefix(RESOURCE_HEAD);
        match self {
            About::Everything if text == "*" => Ok(text),
            About::Everything => rest.filter(|rest| !rest.is_empty()).ok_or_else(|| {
                format!(
                    "{text:?} is neither \"*\" nor {RESOURCE_HEAD} and the name of a bucket, or a key in it"
                )
            }),
            About::Bucket(bucket) => {
                let is_about = |rest: &&str| {
                    let after = rest.strip_prefix(bucket.as_str());
                    after.is_some_and(|after| after.is_empty() || after.starts_with(['/', '*', '?']))
                };
                rest.filter(is_about).ok_or_else(|| {
                    format!(
                        "{text:?} is neither {RESOURCE_HEAD}{bucket} nor {RESOURCE_HEAD}{bucket}/ and a key"
                    )
                })
            }
        }
    }
}

/// The actions that a text with wildcards means. Case does not matter.
fn actions_like(text: &str, about: About<'_>) -> Vec<Action> {
    let dialect = Dialect { wildcards: true, variables: false };
    let Ok(pattern) = Pattern::parse(text, dialect) else { return Vec::new() };
    about.actions().filter(|action| pattern.matches(action.as_str(), true, |_| None)).collect()
}

fn named_principal(text: &str) -> Option<NamedPrincipal> {
    let Some(rest) = text.strip_prefix(PRINCIPAL_HEAD) else {
        return text.parse().ok().map(NamedPrincipal::All);
    };
    let (organisation, name) = rest.split_once(':')?;
    if let Some(role) = name.strip_prefix("role/") {
        return Some(NamedPrincipal::Role(organisation.parse().ok()?, role.parse().ok()?));
    }
    let organisation: OrganisationId = organisation.parse().ok()?;
    if name == "root" {
        return Some(NamedPrincipal::All(organisation));
    }
    let account = name.strip_prefix("user/")?.parse().ok()?;
    Some(NamedPrincipal::Account(organisation, account))
}
