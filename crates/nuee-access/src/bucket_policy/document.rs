//! A bucket's policy as it is written: read strictly, and held against the bucket that it is for.
//!
//! What stands here is checked, but not yet compiled: the texts of actions, resources and values are kept, so that a
//! second evaluator can read them in its own way. The grammar is
//! [AWS's](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html). What this reader does not
//! know is refused, never skipped: a restriction that is skipped is an opening.

mod statement;

use std::collections::HashSet;

use nuee_base::{BucketName, OrganisationId, ProjectId, ServiceAccountId, Slug};

use super::{
    MalformedPolicy,
    condition::Condition,
    pattern::{Dialect, Pattern},
};
use crate::{Action, json::Json};
use statement::Reader;

/// The largest policy, in bytes, as at S3.
const MAX_BYTES: usize = 20 * 1024;

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// This bucket: it names whom it allows and denies.
    Bucket(&'a BucketName),
    /// Whatever its bearer asks for.
    Everything,
}

/// A whole policy.
#[derive(Debug)]
pub(super) struct Document {
    /// Version 2012-10-17, in which `${…}` is a variable.
    pub(super) variables: bool,
    pub(super) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug)]
pub(super) struct Statement {
    /// What messages and explanations call it: its Sid, or its number, from 1.
    pub(super) name: String,
    pub(super) allows: bool,
    pub(super) principals: Principals,
    pub(super) actions: Actions,
    pub(super) resources: Resources,
    pub(super) conditions: Vec<Condition>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub(super) struct Principals {
    pub(super) negated: bool,
    /// `*` is among them.
    pub(super) anyone: bool,
    pub(super) named: Vec<NamedPrincipal>,
}

/// A principal by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamedPrincipal {
    /// Everybody who acts in an organisation, or in a project: the id can be of either.
    All(OrganisationId),
    /// One service account.
    Account(OrganisationId, ServiceAccountId),
    /// Every session in one assumable role of a project.
    Role(ProjectId, Slug),
}

/// `Action` or `NotAction`.
#[derive(Debug)]
pub(super) struct Actions {
    pub(super) negated: bool,
    pub(super) texts: Vec<String>,
    /// Those that the statement speaks of.
    pub(super) resolved: Vec<Action>,
}

/// `Resource` or `NotResource`: texts after `arn:aws:s3:::`.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) negated: bool,
    pub(super) texts: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
}

impl Document {
    /// Reads a policy.
    pub(super) fn parse(text: &str, about: About<'_>) -> Result<Self, MalformedPolicy> {
        if text.len() > MAX_BYTES {
            return Err(MalformedPolicy::new(format!(
                "The policy has {} bytes: at most {MAX_BYTES} are possible",
                text.len()
            )));
        }
        let json = Json::parse(text)
            .map_err(|error| MalformedPolicy::new(format!("The policy is not valid JSON: {error}")))?;
        let Json::Object(members) = json else {
            return Err(MalformedPolicy::new(format!("The policy must be an object, not {}", json.kind())));
        };
        let (mut variables, mut statements) = (false, None);
        for (name, value) in members {
            match name.as_str() {
                "Version" => variables = version(&value)?,
                "Id" if matches!(value, Json::Text(_)) => {}
                "Id" => return Err(MalformedPolicy::new(format!("Id must be a text, not {}", value.kind()))),
                "Statement" => statements = Some(value),
                _ => {
                    return Err(MalformedPolicy::new(format!(
                        "Unknown field {name:?}: a policy has Version, Id and Statement"
                    )));
                }
            }
        }
        let statements =
            statements.ok_or_else(|| MalformedPolicy::new("Missing required field Statement".to_owned()))?;
        Ok(Self { variables, statements: read_statements(statements, variables, about)? })
    }
}

fn version(value: &Json) -> Result<bool, MalformedPolicy> {
    match value {
        Json::Text(text) if text == "2012-10-17" => Ok(true),
        Json::Text(text) if text == "2008-10-17" => Ok(false),
        _ => Err(MalformedPolicy::new("Version must be \"2012-10-17\" or \"2008-10-17\"".to_owned())),
    }
}

fn read_statements(
    value: Json,
    variables: bool,
    about: About<'_>,
) -> Result<Vec<Statement>, MalformedPolicy> {
    let list = match value {
        Json::List(list) => list,
        one => vec![one],
    };
    if list.is_empty() {
        return Err(MalformedPolicy::new("Statement must have at least one statement".to_owned()));
    }
    let mut names = HashSet::new();
    let mut statements = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let reader =
            Reader { name: (index + 1).to_string(), dialect: Dialect { wildcards: true, variables }, about };
        let (statement, sid) = reader.read(value)?;
        if let Some(sid) = sid
            && !names.insert(sid.clone())
        {
            return Err(MalformedPolicy::new(format!("Two statements have the Sid {sid:?}")));
        }
        statements.push(statement);
    }
    Ok(statements)
}
