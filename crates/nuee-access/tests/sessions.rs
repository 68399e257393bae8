//! What sessions may do on the buckets of a project, and what they may never do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use nuee_access::{Action, Decider, FactList, Reason, Resource, SessionPolicy};
use nuee_base::{
    BucketId, BucketName, Context, Environment, Narrowing, OrganisationId, Principal, ProjectId, Role,
    ServiceAccountId, SessionId,
};

const ORGANISATION: [u8; 16] = [1; 16];
const PROJECT: [u8; 16] = [2; 16];

const OWN_BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::user-ada", "arn:aws:s3:::user-ada/*"]},
    {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}"#;

fn session(role: Role, policies: &[&str]) -> Context {
    let session = Principal::Session {
        id: SessionId::from_bytes([3; 16]),
        organisation: OrganisationId::from_bytes(ORGANISATION),
        project: ProjectId::from_bytes(PROJECT),
        role,
        assumed: "lab".parse().unwrap(),
        name: "ada".into(),
        narrowing: Narrowing::new(policies.iter().map(|&text| text.to_owned()).collect()),
    };
    Context::new(Environment::system(), session)
}

fn project() -> Resource {
    let (organisation, project) = (OrganisationId::from_bytes(ORGANISATION), ProjectId::from_bytes(PROJECT));
    Resource::Project { organisation, project }
}

fn creates(context: &Context, name: &str) -> Result<(), Reason> {
    let name: BucketName = name.parse().unwrap();
    let facts = FactList::of_bucket();
    let decided =
        Decider::shipped().decide_in_project(context, Action::CreateBucket, project(), Some(&name), &facts);
    decided.map(drop).map_err(|denied| denied.reason())
}

fn lists(context: &Context) -> Result<(), Reason> {
    let facts = FactList::of_bucket();
    let decided = Decider::shipped().decide_in_project(context, Action::ListBuckets, project(), None, &facts);
    decided.map(drop).map_err(|denied| denied.reason())
}

#[test]
fn a_session_creates_the_buckets_that_its_policies_name() {
    let narrowed = session(Role::Maintainer, &[OWN_BUCKET]);
    assert_eq!(creates(&narrowed, "user-ada"), Ok(()));
    for other in ["user-ada2", "user-bob", "user-ad", "other"] {
        assert_eq!(creates(&narrowed, other), Err(Reason::NarrowedAway), "{other}");
    }
    assert_eq!(creates(&session(Role::Maintainer, &[]), "other"), Ok(()));
    assert_eq!(creates(&session(Role::Developer, &[OWN_BUCKET]), "user-ada"), Err(Reason::NotPermitted));
}

#[test]
fn buckets_are_listed_where_each_policy_says_so() {
    let all = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let one = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::user-ada"}}"#;
    assert_eq!(lists(&session(Role::Reader, &[OWN_BUCKET, all])), Ok(()));
    assert_eq!(lists(&session(Role::Reader, &[OWN_BUCKET, one])), Err(Reason::NarrowedAway));
    let denied = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}"#;
    assert_eq!(lists(&session(Role::Reader, &[denied])), Err(Reason::NarrowedAway));
}

/// Whoever forgets to say which bucket it is gets nothing, not everything.
#[test]
fn what_is_not_named_cannot_be_held_against_a_policy() {
    let decider = Decider::shipped();
    let all = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let context = session(Role::Owner, &[all]);
    let Resource::Project { organisation, project: of } = project() else { unreachable!() };
    let bucket = Resource::Bucket { organisation, project: of, bucket: BucketId::from_bytes([4; 16]) };
    assert!(decider.decide(&context, Action::ListObjects, bucket).is_err());
    let rules = nuee_access::BucketRules::default();
    let facts = FactList::of_bucket();
    assert!(decider.decide_in_bucket(&context, Action::ListObjects, bucket, &rules, &facts).is_err());
    let facts = facts.in_bucket("data".parse().unwrap());
    assert!(decider.decide_in_bucket(&context, Action::ListObjects, bucket, &rules, &facts).is_ok());
    let facts = FactList::of_bucket();
    assert!(decider.decide_in_project(&context, Action::CreateBucket, project(), None, &facts).is_err());
    let broken = session(Role::Owner, &["{"]);
    assert_eq!(lists(&broken), Err(Reason::EvaluationFailed));
}

#[test]
fn a_session_administers_nothing_and_assumes_no_role() {
    let (decider, owner) = (Decider::shipped(), session(Role::Owner, &[]));
    for action in Action::ALL.iter().filter(|action| !action.as_str().starts_with("s3:")) {
        let Resource::Project { organisation, .. } = project() else { unreachable!() };
        for resource in [project(), Resource::Organisation(organisation), Resource::Platform] {
            assert!(decider.decide(&owner, *action, resource).is_err(), "{action} on {resource}");
        }
    }
}

/// A service account that assumes a role gets no more than it has: this is what that rests on.
#[test]
fn a_role_includes_another_if_it_may_do_all_that_the_other_may() {
    let decider = Decider::shipped();
    let (organisation, project) = (OrganisationId::from_bytes(ORGANISATION), ProjectId::from_bytes(PROJECT));
    let bucket = Resource::Bucket { organisation, project, bucket: BucketId::from_bytes([4; 16]) };
    let may = |role, action, resource| {
        let id = ServiceAccountId::from_bytes([5; 16]);
        let account = Principal::ServiceAccount { id, organisation, project, role };
        decider.decide(&Context::new(Environment::system(), account), action, resource).is_ok()
    };
    let resources = [bucket, Resource::Project { organisation, project }];
    for (role, other) in Role::ALL.into_iter().flat_map(|role| Role::ALL.map(|other| (role, other))) {
        let every = Action::ALL.iter().all(|action| {
            resources.iter().all(|resource| !may(other, *action, *resource) || may(role, *action, *resource))
        });
        assert_eq!(role.includes(other), every, "{role} includes {other}");
    }
}

#[test]
fn a_policy_of_a_session_is_understood_whole_or_refused() {
    for (policy, said) in [
        (
            r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#,
            "principal",
        ),
        (r#"{"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}"#, "no action"),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:iam::x:role/y"}}"#,
            "neither",
        ),
        (r#"{"Statement": {"Effect": "Allow", "Action": "*"}}"#, "Missing required field"),
        (r#"{"Statement": []}"#, "at least one"),
        (
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${jwt:sub}"}}"#,
            "condition key",
        ),
    ] {
        let error = SessionPolicy::parse(policy).unwrap_err().to_string();
        assert!(error.contains(said), "{policy}: {error}");
    }
}
