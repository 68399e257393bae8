//! A bucket's policy as it is written: read strictly, and held against the bucket that it is for.
//!
//! What stands here is checked, but not yet compiled: the texts of actions, resources and values are kept, so that a
//! second evaluator can read them in its own way. The grammar is
//! [AWS's](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html). What this reader does not
//! know is refused, never skipped: a restriction that is skipped is an opening.

mod statement;

use std::collections::HashSet;

use nuee_base::{BucketName, OrganisationId, ServiceAccountId};

use super::{
    MalformedPolicy,
    condition::Condition,
    json::Json,
    pattern::{Dialect, Pattern},
};
use crate::Action;
use statement::Reader;

/// The largest policy, in bytes, as at S3.
const MAX_BYTES: usize = 20 * 1024;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedPrincipal {
    /// Every service account of an organisation, or of a project: the id can be of either.
    All(OrganisationId),
    /// One service account.
    Account(OrganisationId, ServiceAccountId),
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
    /// Reads a policy for a bucket.
    pub(super) fn parse(text: &str, bucket: &BucketName) -> Result<Self, MalformedPolicy> {
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
        Ok(Self { variables, statements: read_statements(statements, variables, bucket)? })
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
    bucket: &BucketName,
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
            Reader { name: (index + 1).to_string(), dialect: Dialect { wildcards: true, variables }, bucket };
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
