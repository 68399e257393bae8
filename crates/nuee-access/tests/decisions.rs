//! Who may do what, written down by hand and compared with what is decided.

use std::collections::HashSet;

use nuee_access::{Action, Decider, Denied, Permit, Reason, Resource};
use nuee_base::{
    Assurance, BucketId, Context, Environment, ErrorKind, Grants, OrganisationId, Principal, ProjectId, Role,
    Scope, ServiceAccountId, UserId,
};
use proptest::prelude::*;

/// `y` is allowed, `-` denied. The letters are roles: owner, maintainer, developer, reader, auditor. "Own" is what
/// stands in the account's project (or, for an organisation, the account's own); "project" is another project of
/// the same organisation; "organisation" is another organisation. Operators and anonymous requests have no place
/// of their own, and are tried on all three. Whatever does not stand here is denied to everybody.
const EXPECTED: &str = "
action                                 on            operator anonymous   own        project    organisation
                                                                          o m d r a  o m d r a  o m d r a
s3:ListAllMyBuckets                    project       -        -           y y y y y  - - - - -  - - - - -
s3:CreateBucket                        project       -        -           y y - - -  - - - - -  - - - - -
s3:DeleteBucket                        bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketLocation                   bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetEncryptionConfiguration          bucket        -        -           y y - - y  - - - - -  - - - - -
s3:PutEncryptionConfiguration          bucket        -        -           y y - - -  - - - - -  - - - - -
s3:ListBucket                          bucket        -        -           y y y y y  - - - - -  - - - - -
s3:ListBucketMultipartUploads          bucket        -        -           y y y y y  - - - - -  - - - - -
s3:ListMultipartUploadParts            bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetObject                           bucket        -        -           y y y y -  - - - - -  - - - - -
s3:PutObject                           bucket        -        -           y y y - -  - - - - -  - - - - -
s3:DeleteObject                        bucket        -        -           y y y - -  - - - - -  - - - - -
s3:AbortMultipartUpload                bucket        -        -           y y y - -  - - - - -  - - - - -
s3:ListBucketVersions                  bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetObjectVersion                    bucket        -        -           y y y y -  - - - - -  - - - - -
s3:DeleteObjectVersion                 bucket        -        -           y y y - -  - - - - -  - - - - -
s3:GetObjectAttributes                 bucket        -        -           y y y y -  - - - - -  - - - - -
s3:GetObjectVersionAttributes          bucket        -        -           y y y y -  - - - - -  - - - - -
s3:GetObjectTagging                    bucket        -        -           y y y y -  - - - - -  - - - - -
s3:PutObjectTagging                    bucket        -        -           y y y - -  - - - - -  - - - - -
s3:DeleteObjectTagging                 bucket        -        -           y y y - -  - - - - -  - - - - -
s3:GetObjectVersionTagging             bucket        -        -           y y y y -  - - - - -  - - - - -
s3:PutObjectVersionTagging             bucket        -        -           y y y - -  - - - - -  - - - - -
s3:DeleteObjectVersionTagging          bucket        -        -           y y y - -  - - - - -  - - - - -
s3:GetObjectAcl                        bucket        -        -           y y y y -  - - - - -  - - - - -
s3:GetObjectVersionAcl                 bucket        -        -           y y y y -  - - - - -  - - - - -
s3:PutObjectAcl                        bucket        -        -           y y y - -  - - - - -  - - - - -
s3:PutObjectVersionAcl                 bucket        -        -           y y y - -  - - - - -  - - - - -
s3:GetObjectRetention                  bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutObjectRetention                  bucket        -        -           y y y - -  - - - - -  - - - - -
s3:GetObjectLegalHold                  bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutObjectLegalHold                  bucket        -        -           y y - - -  - - - - -  - - - - -
s3:BypassGovernanceRetention           bucket        -        -           y - - - -  - - - - -  - - - - -
s3:GetBucketObjectLockConfiguration    bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketObjectLockConfiguration    bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketVersioning                 bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketVersioning                 bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetLifecycleConfiguration           bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutLifecycleConfiguration           bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketPolicy                     bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketPolicy                     bucket        -        -           y y - - -  - - - - -  - - - - -
s3:DeleteBucketPolicy                  bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketPolicyStatus               bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetBucketPublicAccessBlock          bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketPublicAccessBlock          bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketCORS                       bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketCORS                       bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketTagging                    bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketTagging                    bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketNotification               bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketNotification               bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketAcl                        bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketAcl                        bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketOwnershipControls          bucket        -        -           y y y y y  - - - - -  - - - - -
s3:PutBucketOwnershipControls          bucket        -        -           y y - - -  - - - - -  - - - - -
s3:GetBucketWebsite                    bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetBucketLogging                    bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetReplicationConfiguration         bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetAccelerateConfiguration          bucket        -        -           y y y y y  - - - - -  - - - - -
s3:GetBucketRequestPayment             bucket        -        -           y y y y y  - - - - -  - - - - -
nuee:CreateServiceAccount              project       y        -           y - - - -  - - - - -  - - - - -
nuee:ListServiceAccounts               project       y        -           y y - - y  - - - - -  - - - - -
nuee:RevokeServiceAccount              project       y        -           y - - - -  - - - - -  - - - - -
nuee:CreateAccessKey                   project       y        -           y - - - -  - - - - -  - - - - -
nuee:DeleteAccessKey                   project       y        -           y - - - -  - - - - -  - - - - -
nuee:CreateExposure                    project       y        -           y - - - -  - - - - -  - - - - -
nuee:ListExposures                     project       y        -           y y - - y  - - - - -  - - - - -
nuee:DeleteExposure                    project       y        -           y - - - -  - - - - -  - - - - -
nuee:GetUsage                          project       y        -           y y y y y  - - - - -  - - - - -
sts:AssumeRole                         project       -        -           y y y y y  - - - - -  - - - - -
nuee:CreateAssumableRole               project       y        -           y - - - -  - - - - -  - - - - -
nuee:ListAssumableRoles                project       y        -           y y - - y  - - - - -  - - - - -
nuee:DeleteAssumableRole               project       y        -           y - - - -  - - - - -  - - - - -
nuee:ListSessions                      project       y        -           y y - - y  - - - - -  - - - - -
nuee:RevokeSession                     project       y        -           y - - - -  - - - - -  - - - - -
nuee:RotateKey                         project       y        -           y - - - -  - - - - -  - - - - -
nuee:RotateKey                         organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:CreateProject                     organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:ListProjects                      organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:SetQuota                          organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:SetPlacement                      organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:SetZoneCeiling                    organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:GetProject                        project       y        -           y y y y y  - - - - -  - - - - -
nuee:ExplainAccess                     project       y        -           y y - - y  - - - - -  - - - - -
nuee:ListMembers                       project       y        -           y y - - y  - - - - -  - - - - -
nuee:ListMembers                       organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:GrantRole                         project       -        -           y - - - -  - - - - -  - - - - -
nuee:GrantRole                         organisation  -        -           - - - - -  - - - - -  - - - - -
nuee:RevokeRole                        project       -        -           y - - - -  - - - - -  - - - - -
nuee:RevokeRole                        organisation  -        -           - - - - -  - - - - -  - - - - -
nuee:CreateInvitation                  project       y        -           y - - - -  - - - - -  - - - - -
nuee:CreateInvitation                  organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:ListInvitations                   project       y        -           y - - - -  - - - - -  - - - - -
nuee:ListInvitations                   organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:RevokeInvitation                  project       y        -           y - - - -  - - - - -  - - - - -
nuee:RevokeInvitation                  organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:GetOrganisation                   organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:UpdateOrganisation                organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:ListUsers                         organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:SuspendUser                       organisation  -        -           - - - - -  - - - - -  - - - - -
nuee:ResetSignIn                       organisation  -        -           - - - - -  - - - - -  - - - - -
nuee:ReadJournal                       organisation  y        -           - - - - -  - - - - -  - - - - -
nuee:ListMembers                       platform      y        -           - - - - -  - - - - -  - - - - -
nuee:GrantRole                         platform      y        -           - - - - -  - - - - -  - - - - -
nuee:RevokeRole                        platform      y        -           - - - - -  - - - - -  - - - - -
nuee:CreateInvitation                  platform      y        -           - - - - -  - - - - -  - - - - -
nuee:ListInvitations                   platform      y        -           - - - - -  - - - - -  - - - - -
nuee:RevokeInvitation                  platform      y        -           - - - - -  - - - - -  - - - - -
nuee:ListUsers                         platform      y        -           - - - - -  - - - - -  - - - - -
nuee:SuspendUser                       platform      y        -           - - - - -  - - - - -  - - - - -
nuee:ResetSignIn                       platform      y        -           - - - - -  - - - - -  - - - - -
nuee:ReadJournal                       platform      y        -           - - - - -  - - - - -  - - - - -
nuee:CreateOrganisation                platform      y        -           - - - - -  - - - - -  - - - - -
nuee:ListOrganisations                 platform      y        -           - - - - -  - - - - -  - - - - -
nuee:Verify                            platform      y        -           - - - - -  - - - - -  - - - - -
nuee:RunLifecycle                      platform      y        -           - - - - -  - - - - -  - - - - -
";

const KINDS: [&str; 4] = ["platform", "organisation", "project", "bucket"];

/// An organisation and a project in it, told by two numbers.
#[derive(Debug, Clone, Copy)]
struct Place(u8, u8);

/// The account's own place, another project of its organisation, and another organisation.
const PLACES: [Place; 3] = [Place(1, 1), Place(1, 2), Place(2, 3)];

impl Place {
    fn organisation(self) -> OrganisationId {
        OrganisationId::from_bytes([self.0; 16])
    }

    fn project(self) -> ProjectId {
        ProjectId::from_bytes([self.1; 16])
    }

    fn resource(self, kind: &str) -> Resource {
        let (organisation, project) = (self.organisation(), self.project());
        match kind {
            "platform" => Resource::Platform,
            "organisation" => Resource::Organisation(organisation),
            "project" => Resource::Project { organisation, project },
            _ => Resource::Bucket { organisation, project, bucket: BucketId::from_bytes([self.1; 16]) },
        }
    }

    fn account(self, role: Role) -> Principal {
        let id = ServiceAccountId::from_bytes([7; 16]);
        Principal::ServiceAccount { id, organisation: self.organisation(), project: self.project(), role }
    }
}

fn decide(
    decider: &Decider,
    principal: &Principal,
    action: Action,
    resource: Resource,
) -> Result<Permit, Denied> {
    decider.decide(&Context::new(Environment::system(), principal.clone()), action, resource)
}

/// One cell: who, where, what is expected.
fn cells(marks: &[&str]) -> Vec<(Principal, Place, bool)> {
    let allowed = |mark: usize| marks[mark] == "y";
    let everywhere =
        |principal: &Principal, mark: usize| PLACES.map(|place| (principal.clone(), place, allowed(mark)));
    let mut cells = Vec::new();
    cells.extend(everywhere(&Principal::Operator, 0));
    cells.extend(everywhere(&Principal::Anonymous, 1));
    for (group, place) in PLACES.into_iter().enumerate() {
        for (column, role) in Role::ALL.into_iter().enumerate() {
            cells.push((PLACES[0].account(role), place, allowed(2 + 5 * group + column)));
        }
    }
    cells
}

/// Compares one row, once evaluated and once from memory, and says where it differs.
fn differences(decider: &Decider, action: Action, kind: &str, marks: &[&str]) -> Vec<String> {
    let mut differences = Vec::new();
    for (principal, place, expected) in cells(marks) {
        for _ in ["evaluated", "remembered"] {
            let decision = decide(decider, &principal, action, place.resource(kind));
            if decision.is_ok() != expected {
                differences.push(format!("{action} on {kind} at {place:?} as {principal:?}: {decision:?}"));
            }
        }
    }
    differences
}

#[test]
fn decisions_are_those_written_by_hand() {
    let decider = Decider::shipped();
    let mut seen = HashSet::new();
    let mut wrong = Vec::new();
    for line in EXPECTED.lines().filter(|line| line.contains(':')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 2 + 17, "{line}");
        let action = Action::ALL.iter().find(|action| action.as_str() == words[0]).expect(words[0]);
        assert!(KINDS.contains(&words[1]), "{line}");
        assert!(words[2..].iter().all(|mark| ["y", "-"].contains(mark)), "{line}");
        assert!(seen.insert((*action, words[1])), "twice: {line}");
        wrong.extend(differences(&decider, *action, words[1], &words[2..]));
    }
    for action in Action::ALL {
        assert!(KINDS.iter().any(|kind| seen.contains(&(*action, *kind))), "{action} has no row");
        for kind in KINDS.iter().filter(|kind| !seen.contains(&(*action, **kind))) {
            wrong.extend(differences(&decider, *action, kind, &["-"; 17]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All that the server does of itself, where the rules of a bucket say so; the bucket is whosever it is.
const OF_LIFECYCLE: [&str; 5] = [
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
];

#[test]
fn lifecycle_rules_delete_in_buckets_and_do_nothing_else() {
    let decider = Decider::shipped();
    for action in Action::ALL {
        for kind in KINDS {
            for place in PLACES {
                let expected = kind == "bucket" && OF_LIFECYCLE.contains(&action.as_str());
                let decision = decide(&decider, &Principal::Lifecycle, *action, place.resource(kind));
                assert_eq!(decision.is_ok(), expected, "{action} on {kind}: {decision:?}");
            }
        }
    }
    assert!(OF_LIFECYCLE.iter().all(|name| Action::ALL.iter().any(|action| action.as_str() == *name)));
}

/// All that an operator sees who is an auditor, on what.
const OF_AUDITING_OPERATORS: &str = "
platform      nuee:ListOrganisations nuee:Verify nuee:ListUsers nuee:ListMembers nuee:ListInvitations nuee:ReadJournal
organisation  nuee:GetOrganisation nuee:ListProjects
project       nuee:GetProject nuee:GetUsage nuee:ExplainAccess nuee:ListExposures nuee:ListServiceAccounts
project       nuee:ListAssumableRoles nuee:ListSessions
";

#[test]
fn an_operator_with_an_account_may_what_its_role_lets_it_by_two_factors() {
    let decider = Decider::shipped();
    let account = |roles: &[Role], assurance| Principal::OperatorAccount {
        id: UserId::from_bytes([8; 16]),
        grants: Grants::new(roles.iter().map(|role| (Scope::Organisation, *role)).collect()),
        assurance,
    };
    let owner = account(&[Role::Owner], Assurance::MultiFactor);
    let auditor = account(&[Role::Auditor], Assurance::MultiFactor);
    let nobody = [
        (account(&[Role::Owner, Role::Auditor], Assurance::SingleFactor), Reason::SingleFactor),
        (account(&[], Assurance::MultiFactor), Reason::NotPermitted),
        // Roles that operators cannot be given.
        (
            account(&[Role::Maintainer, Role::Developer, Role::Reader], Assurance::MultiFactor),
            Reason::NotPermitted,
        ),
    ];
    let sees: HashSet<(&str, &str)> = OF_AUDITING_OPERATORS
        .lines()
        .filter_map(|line| line.split_once(' '))
        .flat_map(|(kind, actions)| actions.split_whitespace().map(move |action| (kind, action)))
        .collect();
    let mut seen = 0;
    for action in Action::ALL {
        for kind in KINDS {
            let resource = PLACES[0].resource(kind);
            let on_machine = decide(&decider, &Principal::Operator, *action, resource);
            assert_eq!(
                decide(&decider, &owner, *action, resource).is_ok(),
                on_machine.is_ok(),
                "{action} {kind}"
            );
            let expected = sees.contains(&(kind, action.as_str()));
            assert_eq!(decide(&decider, &auditor, *action, resource).is_ok(), expected, "{action} {kind}");
            seen += usize::from(expected);
            for (principal, reason) in &nobody {
                let denied = decide(&decider, principal, *action, resource).unwrap_err();
                let others = [Reason::NotApplicable, Reason::OperatorInBucket];
                assert!(denied.reason() == *reason || others.contains(&denied.reason()), "{denied:?}");
            }
        }
    }
    assert_eq!(seen, sees.len());
}

proptest! {
    /// Whatever the ids, even when the other organisation's project or bucket has the id of one's own.
    #[test]
    fn nothing_crosses_organisations(
        own in any::<([u8; 16], [u8; 16])>(),
        other in any::<[u8; 16]>(),
        elsewhere in prop::option::of(any::<([u8; 16], [u8; 16])>()),
        role in prop::sample::select(&Role::ALL[..]),
        action in prop::sample::select(Action::ALL),
        kind in prop::sample::select(&KINDS[..]),
    ) {
        prop_assume!(own.0 != other);
        let project = ProjectId::from_bytes(own.1);
        let principal = Principal::ServiceAccount {
            id: ServiceAccountId::from_bytes(own.1),
            organisation: OrganisationId::from_bytes(own.0),
            project,
            role,
        };
        let organisation = OrganisationId::from_bytes(other);
        let (project, bucket) = elsewhere.map_or((project, BucketId::from_bytes(own.0)), |(project, bucket)| {
            (ProjectId::from_bytes(project), BucketId::from_bytes(bucket))
        });
        let resource = match kind {
            "platform" => Resource::Platform,
            "organisation" => Resource::Organisation(organisation),
            "project" => Resource::Project { organisation, project },
            _ => Resource::Bucket { organisation, project, bucket },
        };
        let denied = decide(&Decider::shipped(), &principal, action, resource).unwrap_err();
        prop_assert!(matches!(denied.reason(), Reason::OutsideOrganisation | Reason::NotApplicable));
    }
}

#[test]
fn a_permit_serves_for_nothing_else_than_it_was_granted_for() {
    let [own, sibling, _] = PLACES;
    let (bucket, other) = (own.resource("bucket"), sibling.resource("bucket"));
    let owner = own.account(Role::Owner);
    let permit = decide(&Decider::shipped(), &owner, Action::GetObject, bucket).unwrap();
    assert_eq!((permit.principal(), permit.action(), permit.resource()), (&owner, Action::GetObject, bucket));

    let (id, other_id) = (BucketId::from_bytes([1; 16]), BucketId::from_bytes([2; 16]));
    assert_eq!(permit.require(Action::GetObject, bucket), Ok(()));
    assert_eq!(permit.require_bucket(Action::GetObject, id), Ok(()));
    for mismatch in [
        permit.require(Action::PutObject, bucket),
        permit.require(Action::GetObject, other),
        permit.require(Action::GetObject, own.resource("project")),
        permit.require_bucket(Action::DeleteObject, id),
        permit.require_bucket(Action::GetObject, other_id),
    ] {
        assert_eq!(mismatch.unwrap_err().kind(), ErrorKind::Internal);
    }
    let mismatch = permit.require_bucket(Action::PutObject, id).unwrap_err().to_string();
    assert!(mismatch.starts_with("a permit for s3:GetObject on bucket/"), "{mismatch}");

    let on_project =
        decide(&Decider::shipped(), &owner, Action::ListBuckets, own.resource("project")).unwrap();
    assert!(on_project.require_bucket(Action::ListBuckets, id).is_err(), "it names no bucket");
}

#[test]
fn a_denial_has_its_reason_and_a_text_that_tells_nothing_of_others() {
    let decider = Decider::shipped();
    let [own, sibling, foreign] = PLACES;
    let reader = own.account(Role::Reader);
    let refuse = |principal: &Principal, resource| {
        let denied = decide(&decider, principal, Action::PutObject, resource).unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Denied);
        (denied.reason(), denied.to_string())
    };
    let in_own = refuse(&reader, own.resource("bucket"));
    let in_sibling = refuse(&reader, sibling.resource("bucket"));
    let in_foreign = refuse(&reader, foreign.resource("bucket"));
    assert_eq!(in_own.0, Reason::NotPermitted);
    assert_eq!(in_sibling.0, Reason::OutsideProject);
    assert_eq!(in_foreign.0, Reason::OutsideOrganisation);
    assert_eq!(in_own.1, in_sibling.1);
    assert_eq!(in_own.1, in_foreign.1);

    assert_eq!(refuse(&Principal::Anonymous, own.resource("bucket")).0, Reason::Anonymous);
    assert_eq!(refuse(&Principal::Operator, own.resource("bucket")).0, Reason::OperatorInBucket);
    assert_eq!(refuse(&reader, Resource::Platform).0, Reason::NotApplicable);
    let text = refuse(&Principal::Anonymous, own.resource("bucket")).1;
    assert_eq!(text, "s3:PutObject needs credentials: sign the request with an access key");
}

#[test]
fn an_explanation_names_the_policies_that_decided() {
    let decider = Decider::shipped();
    let [own, _, foreign] = PLACES;
    let explain = |role, place: Place| {
        let context = Context::new(Environment::system(), own.account(role));
        decider.explain(&context, Action::GetObject, place.resource("bucket")).to_string()
    };
    assert_eq!(explain(Role::Reader, own), "allowed (policies: objects-are-read)");
    assert_eq!(explain(Role::Auditor, own), "denied: no policy permits it");
    assert_eq!(
        explain(Role::Owner, foreign),
        "denied: outside the principal's organisation (policies: organisations-are-closed)"
    );
}
