//! That the shipped policies are sound, and that unsound ones are refused.

use std::collections::HashSet;

use nuee_base::{BucketId, OrganisationId, Principal, ProjectId, Role, ServiceAccountId};

use super::*;
use crate::{Action, Resource};

fn why_refused(policies: &str) -> String {
    Policies::compile(policies, SHIPPED_SCHEMA).err().map(|error| error.to_string()).unwrap_or_default()
}

fn owner() -> Principal {
    Principal::ServiceAccount {
        id: ServiceAccountId::from_bytes([1; 16]),
        organisation: OrganisationId::from_bytes([2; 16]),
        project: ProjectId::from_bytes([3; 16]),
        role: Role::Owner,
    }
}

fn bucket() -> Resource {
    Resource::Bucket {
        organisation: OrganisationId::from_bytes([2; 16]),
        project: ProjectId::from_bytes([3; 16]),
        bucket: BucketId::from_bytes([4; 16]),
    }
}

#[test]
fn the_shipped_policies_pass_strict_validation() {
    Policies::shipped().unwrap();
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_refused() {
    let no_such_role = r#"@id("a") permit (principal in Nuee::Role::"ownr", action, resource);"#;
    assert!(why_refused(no_such_role).contains("ownr"), "{}", why_refused(no_such_role));
    let no_such_action = r#"@id("a") permit (principal, action == Nuee::Action::"s3:Get", resource);"#;
    assert!(why_refused(no_such_action).contains("s3:Get"), "{}", why_refused(no_such_action));
    assert!(why_refused("permit (principal, action, resource);").contains("@id"));
    let twice = r#"@id("a") permit (principal, action, resource);"#.repeat(2);
    assert!(!why_refused(&twice).is_empty());
}

/// Decisions are cached by principal, action and resource. A policy that looked at the context of a request (its time,
/// its network) would be answered from the cache for another context, and wrongly.
#[test]
fn no_policy_looks_at_the_context_of_a_request() {
    let code = SHIPPED_POLICIES.lines().map(|line| line.split("//").next().unwrap_or_default());
    for line in code {
        assert!(!line.contains("context"), "{line}");
    }
    let at_night = r#"@id("a") permit (principal, action, resource) when { context.hour < 6 };"#;
    assert!(why_refused(at_night).contains("hour"), "{}", why_refused(at_night));
}

#[test]
fn the_schema_knows_exactly_the_actions_and_roles_of_the_program() {
    let policies = Policies::shipped().unwrap();
    let in_schema: HashSet<String> = policies.schema.actions().map(ToString::to_string).collect();
    let in_program = Action::ALL.iter().map(|action| format!("Nuee::Action::\"{action}\"")).collect();
    assert_eq!(in_schema, in_program);
    for role in Role::ALL {
        let policy = format!(r#"@id("a") permit (principal in Nuee::Role::"{role}", action, resource);"#);
        assert_eq!(why_refused(&policy), "");
    }
}

#[test]
fn entities_fit_the_schema() {
    let policies = Policies::shipped().unwrap();
    let Resource::Bucket { organisation, project, .. } = bucket() else { unreachable!() };
    let resources = [
        Resource::Platform,
        Resource::Organisation(organisation),
        Resource::Project { organisation, project },
        bucket(),
    ];
    for principal in [Principal::Anonymous, Principal::Operator, Principal::Lifecycle, owner()] {
        for resource in resources {
            let question = Question { principal: principal.clone(), action: Action::GetObject, resource };
            let entities = policies.vocabulary.entities(&question, Some(&policies.schema));
            assert!(entities.is_ok(), "{question:?}");
        }
    }
}

#[test]
fn each_policy_with_a_reason_exists() {
    let policies = Policies::shipped().unwrap();
    for (id, _) in REASONS {
        let id = id.parse().unwrap();
        assert!(policies.set.policy(&id).or(policies.in_bucket.0[1][1].policy(&id)).is_some(), "{id}");
    }
}

/// Cedar skips a policy that fails: a permit beside a failing forbid would open what the forbid closes.
#[test]
fn a_policy_that_fails_denies() {
    let overflow = r#"
        @id("opens") permit (principal, action, resource);
        @id("fails") forbid (principal, action, resource)
        when { (if resource in Nuee::Organisation::"x" then 0 else 1) + 9223372036854775807 < 0 };"#;
    let policies = Policies::compile(overflow, SHIPPED_SCHEMA).unwrap();
    let question = Question { principal: owner(), action: Action::GetObject, resource: bucket() };
    assert_eq!(policies.answer(&question).verdict, Err(Reason::EvaluationFailed));
}
