//! Random policies, and random requests that look like what the policies ask for.

use std::collections::BTreeMap;

use nuee_base::{
    Assurance, BucketId, Grants, Narrowing, ObjectKey, OrganisationId, Principal, ProjectId, Role, Scope,
    ServiceAccountId, SessionId, UserId,
};
use serde_json::{Map, Value, json};

use super::BUCKET;
use crate::{Action, ConditionKey, FactList, Resource, action::Level, bucket_policy::operator::COMPARISONS};

/// A generator with a seed: [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(super) fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// One or a few of them, as a text or a list.
    fn some(&mut self, list: &[&str]) -> Value {
        if self.one_in(2) {
            return json!(self.pick(list));
        }
        json!((0..=self.below(3)).map(|_| *self.pick(list)).collect::<Vec<_>>())
    }
}

pub(super) const ACTIONS: &[Action] = &[
    Action::GetObject,
    Action::PutObject,
    Action::DeleteObject,
    Action::GetObjectVersion,
    Action::GetObjectTagging,
    Action::PutObjectTagging,
    Action::PutObjectRetention,
    Action::ListObjects,
    Action::GetBucketPolicy,
    Action::PutBucketPolicy,
    Action::PutBucketAcl,
    Action::DeleteBucket,
];

/// What a policy and what a request may write, for each kind of comparison.
struct Pool {
    family: &'static str,
    policy: &'static [&'static str],
    request: &'static [&'static str],
}

const POOLS: &[Pool] = &[
    Pool {
        family: "String",
        policy: &[
            "a",
            "A",
            "ab",
            "É",
            "",
            "*",
            "a*",
            "?",
            "a?",
            "*b",
            "a*b",
            "${aws:Referer}",
            "${aws:Referer}*",
            "${aws:Nobody",
            "${*}",
            "a${?}",
            "${$}",
            "${s3:prefix, 'a'}",
            "${aws:username}",
            "${aws:userid}*",
            "${s3:ExistingObjectTag/team, 'AB'}?",
            "ß",
            "ΑΣ",
            "a\"\\*\u{1}",
        ],
        request: &["a", "A", "ab", "é", "", "b", "*", "a?", "aXb", "$", "AB", "ß", "ας", "ασ", "a\"\\*\u{1}"],
    },
    Pool {
        family: "Numeric",
        policy: &["0", "1", "1.5", "10", "-3", "100", "1.0", "0.0001", "900000000000000"],
        request: &["0", "1", "1.5", "10", "-3", "99", "1.00", "many", "", "99999999999999999999"],
    },
    Pool {
        family: "Date",
        policy: &[
            "2020",
            "2020-01",
            "2020-01-01",
            "2020-01-01T00:00Z",
            "1577836800",
            "2021-06-01T12:00:00.5+02:00",
            "1969-12-31T23:59:59Z",
            "-1",
        ],
        request: &[
            "2020-01-01T00:00:00Z",
            "2021-06-01T10:00:00.500000Z",
            "2019-12-31",
            "1577836800",
            "soon",
            "-1",
        ],
    },
    Pool { family: "Bool", policy: &["true", "false", "True"], request: &["true", "false", "TRUE", "yes"] },
    Pool { family: "Null", policy: &["true", "false"], request: &["a", "10"] },
    Pool { family: "Binary", policy: &["YQ==", "/w==", ""], request: &["a", "b", ""] },
    Pool {
        family: "Ip",
        policy: &[
            "10.0.0.0/8",
            "10.1.2.3",
            "192.0.2.128/25",
            "::1",
            "2001:db8::/32",
            "::ffff:10.0.0.1/104",
            "0.0.0.0/0",
            "::/0",
            "10.1.2.3/31",
        ],
        request: &["10.1.2.3", "10.1.2.2", "192.0.2.1", "::1", "::ffff:10.9.9.9", "2001:db8::7", "nowhere"],
    },
    Pool {
        family: "Arn",
        policy: &[
            "arn:aws:s3:::x",
            "arn:aws:iam::*:user/*",
            "arn:*:iam::${aws:PrincipalAccount}:user/?*",
            "*:*:*:*:*:*",
            "arn:aws:sns:*:1:a:b*",
            "arn:aws:sns:eu:1:*",
            "arn:aws:s3:::${aws:Referer}",
        ],
        request: &["arn:aws:s3:::x", "arn:aws:sns:eu:1:a:b:c", "arn:aws:s3:::a", "no arn", "arn:aws:s3::"],
    },
];

const KEYS: &[&str] = &[
    "aws:SourceIp",
    "aws:SecureTransport",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:Referer",
    "AWS:useragent",
    "aws:PrincipalType",
    "aws:userid",
    "aws:username",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:ResourceAccount",
    "s3:prefix",
    "s3:max-keys",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
    "s3:VersionId",
    "s3:authType",
    "s3:signatureAge",
    "s3:TlsVersion",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:ExistingObjectTag/team",
    "s3:RequestObjectTag/a \"b\"",
    "s3:RequestObjectTagKeys",
    "s3:RequestObjectTagKeys",
    "s3:if-none-match",
    "s3:ObjectCreationOperation",
];

/// The bucket's organisation and project; an account in it, and one in another project of the organisation.
pub(super) struct Place {
    organisation: OrganisationId,
    pub(super) resource: Resource,
    pub(super) principals: Vec<Principal>,
}

pub(super) fn place() -> Place {
    let organisation = OrganisationId::from_bytes([1; 16]);
    let project = ProjectId::from_bytes([2; 16]);
    let account = |id: u8, organisation, project, role| Principal::ServiceAccount {
        id: ServiceAccountId::from_bytes([id; 16]),
        organisation,
        project,
        role,
    };
    let elsewhere = ProjectId::from_bytes([3; 16]);
    let session = |id: u8, project, role, assumed: &str| Principal::Session {
        id: SessionId::from_bytes([id; 16]),
        organisation,
        project,
        role,
        assumed: assumed.parse().unwrap(),
        name: "ada".into(),
        narrowing: Narrowing::new(Vec::new()),
    };
    let user = |id: u8, organisation, roles| Principal::User {
        id: UserId::from_bytes([id; 16]),
        organisation,
        grants: Grants::new(roles),
        assurance: Assurance::MultiFactor,
    };
    Place {
        organisation,
        resource: Resource::Bucket { organisation, project, bucket: BucketId::from_bytes([4; 16]) },
        principals: vec![
            Principal::Anonymous,
            Principal::Anonymous,
            Principal::Operator,
            Principal::OperatorAccount {
                id: UserId::from_bytes([17; 16]),
                grants: Grants::new(vec![(Scope::Organisation, Role::Owner)]),
                assurance: Assurance::MultiFactor,
            },
            account(5, organisation, project, Role::Owner),
            account(5, organisation, project, Role::Auditor),
            account(6, organisation, elsewhere, Role::Owner),
            account(6, organisation, elsewhere, Role::Reader),
            account(7, OrganisationId::from_bytes([9; 16]), project, Role::Owner),
            session(10, project, Role::Owner, "lab"),
            session(11, project, Role::Reader, "other"),
            session(12, elsewhere, Role::Owner, "lab"),
            user(13, organisation, vec![(Scope::Project(project), Role::Owner)]),
            user(14, organisation, vec![(Scope::Organisation, Role::Reader)]),
            user(15, organisation, vec![(Scope::Project(elsewhere), Role::Owner)]),
            user(16, OrganisationId::from_bytes([9; 16]), vec![(Scope::Project(project), Role::Owner)]),
        ],
    }
}

fn principals(dice: &mut Dice, place: &Place) -> Value {
    if dice.one_in(2) {
        return json!("*");
    }
    let organisation = place.organisation;
    let (own, other) = (ProjectId::from_bytes([2; 16]), ProjectId::from_bytes([3; 16]));
    let (first, second) = (ServiceAccountId::from_bytes([5; 16]), ServiceAccountId::from_bytes([6; 16]));
    let named = [
        "*".to_owned(),
        organisation.to_string(),
        format!("arn:aws:iam::{organisation}:root"),
        format!("arn:aws:iam::{own}:root"),
        format!("arn:aws:iam::{other}:root"),
        format!("arn:aws:iam::{organisation}:user/{first}"),
        format!("arn:aws:iam::{organisation}:user/{second}"),
        format!("arn:aws:iam::{own}:role/lab"),
        format!("arn:aws:iam::{other}:role/lab"),
    ];
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    json!({ "AWS": dice.some(&named) })
}

/// What requests may have for the keys that a policy looks at.
pub(super) type Seen = BTreeMap<String, &'static [&'static str]>;

/// A condition, and what a request may have for its key.
fn condition(dice: &mut Dice, seen: &mut Seen) -> (String, Value) {
    let (name, _, _) = *dice.pick(COMPARISONS);
    let pool = POOLS.iter().find(|pool| name.trim_start_matches("Not").starts_with(pool.family)).unwrap();
    let key = *dice.pick(KEYS);
    let quantifier = match dice.below(8) {
        0 => "ForAnyValue:",
        1 => "ForAllValues:",
        _ if key.ends_with("TagKeys") => *dice.pick(&["ForAnyValue:", "ForAllValues:"]),
        _ => "",
    };
    let alone = name == "Null";
    let if_exists = if !alone && dice.one_in(4) { "IfExists" } else { "" };
    seen.insert(ConditionKey::parse(key).unwrap().to_string(), pool.request);
    let operator = if alone { name.to_owned() } else { format!("{quantifier}{name}{if_exists}") };
    (operator, json!({ key: dice.some(pool.policy) }))
}

pub(super) fn statement(dice: &mut Dice, place: &Place, seen: &mut Seen) -> Value {
    let mut statement = Map::new();
    let allows = !dice.one_in(3);
    let not =
        |dice: &mut Dice, name: &str| if dice.one_in(6) { format!("Not{name}") } else { name.to_owned() };
    statement.insert("Effect".to_owned(), json!(if allows { "Allow" } else { "Deny" }));
    let principal = if allows { "Principal".to_owned() } else { not(dice, "Principal") };
    statement.insert(principal, principals(dice, place));
    let actions =
        ["s3:*", "*", "s3:Get*", "s3:*Object", "S3:?etobject", "s3:*Policy", "s3:ListBucket", "s3:PutObject"];
    statement.insert(not(dice, "Action"), dice.some(&actions));
    let resources = ["", "/*", "*", "/a*", "/?b*", "/${aws:username}/*", "/${s3:prefix, 'a'}*", "/*b"];
    let resources: Vec<String> =
        resources.iter().map(|rest| format!("arn:aws:s3:::{BUCKET}{rest}")).collect();
    let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
    let resources = if dice.one_in(3) { dice.some(&resources) } else { json!([resources[0], resources[1]]) };
    statement.insert(not(dice, "Resource"), resources);
    let mut conditions = Map::new();
    for _ in 0..dice.below(4).saturating_sub(1) {
        let (operator, keys) = condition(dice, seen);
        conditions.insert(operator, keys);
    }
    statement.insert("Condition".to_owned(), Value::Object(conditions));
    Value::Object(statement)
}

/// A statement of a policy that narrows sessions.
pub(super) fn statement_alone(dice: &mut Dice, place: &Place, seen: &mut Seen) -> Value {
    let mut statement = statement(dice, place, seen);
    let members = statement.as_object_mut().unwrap();
    members.retain(|name, _| !name.ends_with("Principal"));
    if dice.one_in(3) {
        members.retain(|name, _| !name.ends_with("Resource"));
        let resources =
            ["*", "arn:aws:s3:::*", "arn:aws:s3:::da*", "arn:aws:s3:::*/a*", "arn:aws:s3:::other"];
        members.insert("Resource".to_owned(), dice.some(&resources));
    }
    statement
}

/// Facts of which each is absent now and then.
pub(super) fn facts(dice: &mut Dice, action: Action, seen: &Seen) -> FactList {
    let mut facts = match action.level() {
        Level::Object => {
            let account = ServiceAccountId::from_bytes([6; 16]);
            let keys = ["a", "ab", "xb", "b/a", "c", &format!("{account}/x")].map(str::to_owned);
            FactList::of_object(dice.pick(&keys).parse::<ObjectKey>().unwrap())
        }
        _ => FactList::of_bucket(),
    }
    .in_bucket(BUCKET.parse().unwrap());
    let always = ["aws:Referer", "s3:prefix", "s3:ExistingObjectTag/team"];
    let texts = POOLS[0].request;
    let seen =
        always.iter().map(|key| (*key, texts)).chain(seen.iter().map(|(key, pool)| (key.as_str(), *pool)));
    for (key, pool) in seen.collect::<BTreeMap<_, _>>() {
        let key = ConditionKey::parse(key).unwrap();
        let times = if key.is_multivalued() { dice.below(4) } else { usize::from(!dice.one_in(4)) };
        for _ in 0..times {
            facts = facts.with(key.clone(), *dice.pick(pool));
        }
    }
    facts
}
