//! What conditions look at, as far as a request has it.
//!
//! The surface knows the request: it implements [`Facts`], and is asked for what the statements at hand look at, and for
//! nothing else. Whoever acts, when, and whose bucket it is, the decider knows by itself: no surface can pretend
//! otherwise.

use std::borrow::Cow;

use nuee_base::{BucketName, ObjectKey, Principal, Timestamp};

use super::key::ConditionKey;
use crate::{Resource, question::Question};

/// What a request has for a condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values<'a> {
    /// Nothing: the key is absent.
    Absent,
    /// One value.
    One(Cow<'a, str>),
    /// Several, for a key that [can have several](ConditionKey::is_multivalued). None of them is the same as `Absent`.
    Several(Vec<Cow<'a, str>>),
}

/// What conditions look at in a request. Asked lazily: only for what a policy looks at.
pub trait Facts {
    /// The object that the request is about; `None` if it is about the bucket. An action on an object without its key
    /// is denied, since no statement could be held against it.
    fn object_key(&self) -> Option<&ObjectKey>;

    /// The bucket that the request is about; `None` if it is about none, or about all.
    fn bucket_name(&self) -> Option<&BucketName> {
        None
    }

    /// What the request has for this key. Numbers in decimal notation, instants in RFC 3339 or in seconds since 1970,
    /// `true` and `false` as such. Keys marked "known to the decider" are never asked for.
    fn values(&self, key: &ConditionKey) -> Values<'_>;
}

/// Facts written one by one.
#[derive(Debug, Clone, Default)]
pub struct FactList {
    bucket_name: Option<BucketName>,
    object_key: Option<ObjectKey>,
    facts: Vec<(ConditionKey, Vec<String>)>,
}

impl FactList {
    /// No facts, about the bucket itself.
    #[must_use]
    pub fn of_bucket() -> Self {
        Self::default()
    }

    /// No facts, about an object.
    #[must_use]
    pub fn of_object(key: ObjectKey) -> Self {
        Self { object_key: Some(key), ..Self::default() }
    }

    /// The same, about this bucket.
    #[must_use]
    pub fn in_bucket(self, name: BucketName) -> Self {
        Self { bucket_name: Some(name), ..self }
    }

    /// The same with one value more.
    #[must_use]
    pub fn with(mut self, key: ConditionKey, value: impl Into<String>) -> Self {
        match self.facts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value.into()),
            None => self.facts.push((key, vec![value.into()])),
        }
        self
    }
}

impl Facts for FactList {
    fn object_key(&self) -> Option<&ObjectKey> {
        self.object_key.as_ref()
    }

    fn bucket_name(&self) -> Option<&BucketName> {
        self.bucket_name.as_ref()
    }

    fn values(&self, key: &ConditionKey) -> Values<'_> {
        let Some((_, values)) = self.facts.iter().find(|(known, _)| known == key) else {
            return Values::Absent;
        };
        match values.as_slice() {
            [one] if !key.is_multivalued() => Values::One(Cow::Borrowed(one)),
            several => Values::Several(several.iter().map(|value| Cow::Borrowed(value.as_str())).collect()),
        }
    }
}

/// A question to a bucket's policy, with all that the policy may look at.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a Question,
    /// The bucket's name, or what stands for all of them.
    pub(crate) bucket: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) facts: &'a dyn Facts,
}

impl<'a> Asked<'a> {
    /// What the question is about, as policies write it: `bucket` or `bucket/key`.
    pub(crate) fn resource(&self) -> String {
        match self.facts.object_key().filter(|_| self.is_about_an_object()) {
            Some(key) => format!("{}/{key}", self.bucket),
            None => self.bucket.to_owned(),
        }
    }

    /// The key of the object, if the question is about one.
    pub(crate) fn object_key(&self) -> Option<&'a ObjectKey> {
        self.facts.object_key().filter(|_| self.is_about_an_object())
    }

    pub(crate) fn is_about_an_object(&self) -> bool {
        self.question.action.level() == crate::action::Level::Object
    }

    /// The value of a key that has one.
    pub(crate) fn one(&self, key: &ConditionKey) -> Option<Cow<'a, str>> {
        match self.known(key) {
            Some(known) if known.is_empty() => None,
            Some(known) => Some(Cow::Owned(known)),
            None if !key.applies_to(self.question.action) => None,
            None => match self.facts.values(key) {
                Values::Absent => None,
                Values::One(value) => Some(value),
                Values::Several(values) => values.into_iter().next(),
            },
        }
    }

    /// The values of a key that has several.
    pub(crate) fn several(&self, key: &ConditionKey) -> Vec<Cow<'a, str>> {
        if !key.applies_to(self.question.action) {
            return Vec::new();
        }
        match self.facts.values(key) {
            Values::Absent => Vec::new(),
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        }
    }

    /// What the decider knows by itself, empty if there is nothing to know; `None` if it is the surface that knows.
    fn known(&self, key: &ConditionKey) -> Option<String> {
        let principal = &self.question.principal;
        Some(match key {
            ConditionKey::CurrentTime => self.now.to_string(),
            ConditionKey::EpochTime => self.now.as_micros().div_euclid(1_000_000).to_string(),
            ConditionKey::PrincipalType => kind(principal).to_owned(),
            ConditionKey::UserId => user_id(principal),
            ConditionKey::UserName => user_name(principal),
            ConditionKey::PrincipalArn => principal_arn(principal),
            ConditionKey::PrincipalAccount | ConditionKey::PrincipalOrgId => {
                principal.organisation().map(|organisation| organisation.to_string()).unwrap_or_default()
            }
            ConditionKey::ResourceAccount | ConditionKey::ResourceOrgId | ConditionKey::S3ResourceAccount => {
                match &self.question.resource {
                    Resource::Bucket { organisation, .. } => organisation.to_string(),
                    _ => String::new(),
                }
            }
            _ => return None,
        })
    }
}

fn kind(principal: &Principal) -> &'static str {
    match principal {
        Principal::Anonymous => "Anonymous",
        Principal::ServiceAccount { .. } | Principal::User { .. } => "User",
        Principal::Session { .. } => "AssumedRole",
        Principal::Operator | Principal::OperatorAccount { .. } | Principal::Lifecycle => "",
    }
}

fn user_id(principal: &Principal) -> String {
    match principal {
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::ServiceAccount { id, .. } => id.to_string(),
        Principal::User { id, .. } => id.to_string(),
        Principal::Session { id, name, .. } => format!("{id}:{name}"),
        Principal::Operator | Principal::OperatorAccount { .. } | Principal::Lifecycle => String::new(),
    }
}

/// A session has none, as at AWS: whoever acts in a role has the role's name, which others have too.
fn user_name(principal: &Principal) -> String {
    match principal {
        Principal::ServiceAccount { id, .. } => id.to_string(),
        Principal::User { id, .. } => id.to_string(),
        _ => String::new(),
    }
}

/// The ARN of a service account, or of the role that a session acts in; empty for others.
fn principal_arn(principal: &Principal) -> String {
    match principal {
        Principal::ServiceAccount { id, organisation, .. } => {
            format!("arn:aws:iam::{organisation}:user/{id}")
        }
        Principal::User { id, organisation, .. } => format!("arn:aws:iam::{organisation}:user/{id}"),
        Principal::Session { project, assumed, .. } => format!("arn:aws:iam::{project}:role/{assumed}"),
        Principal::Anonymous
        | Principal::Operator
        | Principal::OperatorAccount { .. }
        | Principal::Lifecycle => String::new(),
    }
}
