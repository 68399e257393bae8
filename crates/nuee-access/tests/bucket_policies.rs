//! What policies of buckets do to decisions, written down by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which fail by panicking")]

use nuee_access::{
    Action, BucketPolicy, BucketRules, ConditionKey, Decider, FactList, PublicAccessBlock, Reason, Resource,
};
use nuee_base::{
    BucketId, BucketName, Context, Environment, OrganisationId, Principal, ProjectId, Role, ServiceAccountId,
};

const OPEN: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

fn organisation(number: u8) -> OrganisationId {
    OrganisationId::from_bytes([number; 16])
}

fn account(number: u8) -> ServiceAccountId {
    ServiceAccountId::from_bytes([number; 16])
}

fn service_account(id: u8, of: u8, project: u8, role: Role) -> Principal {
    let project = ProjectId::from_bytes([project; 16]);
    Principal::ServiceAccount { id: account(id), organisation: organisation(of), project, role }
}

/// The bucket `data` of the project 2 of the organisation 1.
fn bucket() -> Resource {
    Resource::Bucket {
        organisation: organisation(1),
        project: ProjectId::from_bytes([2; 16]),
        bucket: BucketId::from_bytes([4; 16]),
    }
}

fn name() -> BucketName {
    "data".parse().unwrap()
}

fn statement(effect: &str, principal: &str, action: &str, rest: &str) -> String {
    let resource = r#"["arn:aws:s3:::data", "arn:aws:s3:::data/*"]"#;
    format!(
        r#"{{"Effect": "{effect}", "Principal": {principal}, "Action": {action}, "Resource": {resource}{rest}}}"#
    )
}

fn policy(statements: &[String]) -> BucketPolicy {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","));
    BucketPolicy::parse(&text, &name()).unwrap()
}

fn rules(statements: &[String], public_access: PublicAccessBlock) -> BucketRules {
    BucketRules { policy: Some(policy(statements)), public_access }
}

/// About an object if the action is.
fn facts(action: Action) -> FactList {
    if action.as_str().contains("Object") {
        FactList::of_object("a/b".parse().unwrap())
    } else {
        FactList::of_bucket()
    }
}

fn decide(rules: &BucketRules, principal: &Principal, action: Action) -> Result<(), Reason> {
    decide_with(rules, principal, action, &facts(action))
}

fn decide_with(rules: &BucketRules, who: &Principal, action: Action, facts: &FactList) -> Result<(), Reason> {
    let context = Context::new(Environment::system(), who.clone());
    let decision = Decider::shipped().decide_in_bucket(&context, action, bucket(), rules, facts);
    decision.map(drop).map_err(|denied| denied.reason())
}

/// The letters: own owner, own auditor, an owner of another project, an owner of another organisation, anonymous, an
/// operator. `y` is allowed, `-` denied, `D` denied by the policy, `B` public access blocked.
const EXPECTED: &str = "
policy                   blocks      action                 own:o own:a other foreign anonymous operator
none                     open        s3:GetObject           y     -     -     -       -         -
public-read              open        s3:GetObject           y     y     y     -       y         -
public-read              open        s3:PutObject           y     -     -     -       -         -
public-read              restricted  s3:GetObject           y     y     B     -       B         -
public-read              acls        s3:GetObject           y     y     y     -       y         -
organisation-read        open        s3:GetObject           y     y     y     -       -         -
organisation-read        restricted  s3:GetObject           y     y     y     -       -         -
both-read                restricted  s3:GetObject           y     y     y     -       B         -
project-read             open        s3:GetObject           y     -     y     -       -         -
account-read             open        s3:GetObject           y     -     y     -       -         -
deny-all                 open        s3:GetObject           D     D     D     -       D         -
deny-all                 open        s3:DeleteBucket        D     D     D     -       D         -
deny-all                 open        s3:GetBucketPolicy     y     D     D     -       D         -
deny-all                 open        s3:PutBucketPolicy     y     D     D     -       D         -
deny-all                 open        s3:DeleteBucketPolicy  y     D     D     -       D         -
deny-all                 open        s3:CreateBucket        -     -     -     -       -         -
deny-all                 open        nuee:Verify            -     -     -     -       -         -
allow-all                open        s3:PutBucketPolicy     y     y     y     -       y         -
allow-all                open        s3:CreateBucket        -     -     -     -       -         -
allow-all                open        s3:ListAllMyBuckets    -     -     -     -       -         -
allow-all                open        nuee:RotateKey         -     -     -     -       -         -
deny-but-account         open        s3:GetObject           D     D     -     -       D         -
allow-and-deny           open        s3:GetObject           D     D     D     -       D         -
";

fn named(name: &str) -> BucketRules {
    let named = |principal: &str| format!(r#"{{"AWS": "{principal}"}}"#);
    let read = |principal: &str| statement("Allow", principal, r#""s3:GetObject""#, "");
    let all = |effect: &str| statement(effect, r#""*""#, r#""s3:*""#, "");
    let organisation = organisation(1);
    let other = format!("arn:aws:iam::{organisation}:user/{}", account(6));
    let statements = match name {
        "none" => return BucketRules::default(),
        "public-read" => vec![read(r#""*""#)],
        "organisation-read" => vec![read(&named(&organisation.to_string()))],
        "both-read" => vec![read(r#""*""#), read(&named(&format!("arn:aws:iam::{organisation}:root")))],
        "project-read" => {
            vec![read(&named(&format!("arn:aws:iam::{}:root", ProjectId::from_bytes([3; 16]))))]
        }
        "account-read" => vec![read(&named(&other))],
        "deny-all" => vec![all("Deny")],
        "allow-all" => vec![all("Allow")],
        "deny-but-account" => {
            let deny = statement("Deny", &named(&other), r#""s3:*""#, "");
            vec![deny.replace("Principal", "NotPrincipal")]
        }
        "allow-and-deny" => vec![all("Allow"), statement("Deny", r#""*""#, r#""s3:Get*""#, "")],
        other => panic!("no policy is called {other}"),
    };
    rules(&statements, OPEN)
}

#[test]
fn decisions_in_buckets_are_those_written_by_hand() {
    let principals = [
        service_account(5, 1, 2, Role::Owner),
        service_account(8, 1, 2, Role::Auditor),
        service_account(6, 1, 3, Role::Owner),
        service_account(7, 9, 2, Role::Owner),
        Principal::Anonymous,
        Principal::Operator,
    ];
    let mut wrong = Vec::new();
    for line in EXPECTED.lines().filter(|line| line.contains(':') && !line.contains("own:o")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut rules = named(words[0]);
        rules.public_access = match words[1] {
            "restricted" => PublicAccessBlock { restrict_public_buckets: true, ..OPEN },
            "acls" => PublicAccessBlock { block_public_acls: true, ignore_public_acls: true, ..OPEN },
            _ => OPEN,
        };
        let action = *Action::ALL.iter().find(|action| action.as_str() == words[2]).expect(words[2]);
        for (principal, mark) in principals.iter().zip(&words[3..]) {
            let decision = decide(&rules, principal, action);
            let found = match decision {
                Ok(()) => "y",
                Err(Reason::DeniedByBucketPolicy) => "D",
                Err(Reason::PublicAccessBlocked) => "B",
                Err(_) => "-",
            };
            if found != *mark {
                wrong.push(format!("{line}\n  {principal:?}: {decision:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_action_on_an_object_without_its_key_is_denied_where_there_is_a_policy() {
    let owner = service_account(5, 1, 2, Role::Owner);
    let deny = statement("Deny", r#""*""#, r#""s3:PutObject""#, "").replace(r#""arn:aws:s3:::data", "#, "");
    let decision = decide_with(&rules(&[deny], OPEN), &owner, Action::PutObject, &FactList::of_bucket());
    assert_eq!(decision, Err(Reason::NotApplicable));
}

#[test]
fn what_facts_change_is_not_remembered() {
    let decider = Decider::shipped();
    let condition = r#", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#;
    let rules = rules(&[statement("Deny", r#""*""#, r#""s3:GetObject""#, condition)], OPEN);
    let context = Context::new(Environment::system(), service_account(5, 1, 2, Role::Owner));
    for _ in 0..2 {
        for (address, allowed) in [("10.1.2.3", false), ("192.0.2.1", true), ("::ffff:10.1.2.3", false)] {
            let facts = facts(Action::GetObject).with(ConditionKey::SourceIp, address);
            let decision = decider.decide_in_bucket(&context, Action::GetObject, bucket(), &rules, &facts);
            assert_eq!(decision.is_ok(), allowed, "{address}");
        }
    }
    assert!(decider.decide(&context, Action::GetObject, bucket()).is_ok(), "without the policy");
}

#[test]
fn an_explanation_names_the_statements_that_decided() {
    let sid = statement("Allow", r#""*""#, r#""s3:GetObject""#, r#", "Sid": "EverybodyReads""#);
    let deny = statement("Deny", r#""*""#, r#""s3:PutObject""#, "");
    let rules = rules(&[sid, deny], OPEN);
    let explain = |principal: Principal, action| {
        let context = Context::new(Environment::system(), principal);
        let facts = facts(action);
        Decider::shipped().explain_in_bucket(&context, action, bucket(), &rules, &facts).to_string()
    };
    let owner = service_account(5, 1, 2, Role::Owner);
    assert_eq!(
        explain(Principal::Anonymous, Action::GetObject),
        r#"allowed (policies: statement "EverybodyReads")"#
    );
    assert_eq!(
        explain(owner.clone(), Action::GetObject),
        r#"allowed (policies: statement "EverybodyReads", owners-do-everything)"#
    );
    assert_eq!(
        explain(owner.clone(), Action::PutObject),
        r#"denied: the bucket's policy denies it (policies: statement "2")"#
    );
    assert_eq!(explain(owner, Action::DeleteBucket), "allowed (policies: owners-do-everything)");
    assert_eq!(explain(Principal::Anonymous, Action::DeleteBucket), "denied: anonymous");
}

#[test]
fn a_policy_is_public_unless_it_names_whom_it_trusts() {
    let id = organisation(1);
    let public = |principal: &str, condition: &str| {
        let condition = format!(r#", "Condition": {{{condition}}}"#);
        policy(&[statement("Allow", principal, r#""s3:GetObject""#, &condition)]).is_public()
    };
    let anybody = r#""*""#;
    for condition in [
        String::new(),
        r#""IpAddress": {"aws:SourceIp": "0.0.0.0/1"}"#.to_owned(),
        r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "128.0.0.0/7"]}"#.to_owned(),
        r#""IpAddress": {"aws:SourceIp": "2000::/3"}"#.to_owned(),
        r#""IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}"#.to_owned(),
        r#""NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}"#.to_owned(),
        r#""StringLike": {"aws:PrincipalOrgID": "0*"}"#.to_owned(),
        r#""StringEquals": {"aws:PrincipalOrgID": "${aws:Referer}"}"#.to_owned(),
        format!(r#""ForAllValues:StringEquals": {{"aws:PrincipalOrgID": "{id}"}}"#),
        r#""StringEquals": {"aws:userid": "anonymous"}"#.to_owned(),
        r#""StringEquals": {"aws:Referer": "https://example.org/"}"#.to_owned(),
        r#""Bool": {"aws:SecureTransport": "true"}"#.to_owned(),
    ] {
        assert!(public(anybody, &condition), "{condition}");
    }
    for condition in [
        r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}"#.to_owned(),
        format!(r#""StringEquals": {{"aws:PrincipalOrgID": "{id}"}}"#),
        format!(r#""ArnLike": {{"aws:PrincipalArn": "arn:aws:iam::{id}:user/x"}}"#),
    ] {
        assert!(!public(anybody, &condition), "{condition}");
    }
    assert!(!public(&format!(r#"{{"AWS": "{id}"}}"#), ""));
    assert!(public(&format!(r#"{{"AWS": ["{id}", "*"]}}"#), ""));
    assert!(!policy(&[statement("Deny", anybody, r#""s3:*""#, "")]).is_public());
    let public = policy(&[statement("Allow", anybody, r#""s3:*""#, "")]);
    assert!(PublicAccessBlock::default().refuses(&public) && !OPEN.refuses(&public));
}

#[test]
fn a_policy_says_what_it_looks_at() {
    let condition = r#", "Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "${aws:Referer}"}}"#;
    let policy = policy(&[statement("Allow", r#""*""#, r#""s3:GetObject""#, condition)]);
    let tags = |key: &ConditionKey| matches!(key, ConditionKey::ExistingObjectTag(_));
    assert!(policy.uses(Action::GetObject, tags));
    assert!(policy.uses(Action::GetObject, |key| *key == ConditionKey::Referer));
    assert!(!policy.uses(Action::GetObject, |key| *key == ConditionKey::SourceIp));
    assert!(!policy.uses(Action::PutObject, tags));
}

/// As large as a policy may be, of values that are compared one by one.
#[test]
fn a_policy_of_the_largest_size_is_decided_by() {
    let mut values: Vec<String> = (0..2_500).map(|number| format!("\"{number}*\"")).collect();
    let condition = format!(r#", "Condition": {{"StringLike": {{"aws:Referer": [{}]}}}}"#, values.join(","));
    let rules = rules(&[statement("Deny", r#""*""#, r#""s3:*""#, &condition)], OPEN);
    values.clear();
    let owner = service_account(5, 1, 2, Role::Owner);
    for (referer, expected) in [("24991", Err(Reason::DeniedByBucketPolicy)), ("x", Ok(()))] {
        let facts = facts(Action::GetObject).with(ConditionKey::Referer, referer);
        assert_eq!(decide_with(&rules, &owner, Action::GetObject, &facts), expected);
    }
}
