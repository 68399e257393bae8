//! The reference in the guide of S3, made by asking: each operation, header, parameter and condition with what is
//! answered to it.
//!
//! `NUEE_WRITE_DOCS=1 cargo test --release -p nuee-s3 reference` writes it; without that, the guide must say the same.

use std::{env, fmt::Write as _, fs, path::Path};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use nuee_access::BucketPolicy;

use super::{
    Filter, Operation, check_headers, check_parameters,
    operation::{Level, ROUTES},
    query::Query,
    rules::{HEADERS, PARAMETERS, Rule},
};
use crate::Hosts;

const BEGIN: &str = "<!-- made by the tests: begin -->\n";
const END: &str = "<!-- made by the tests: end -->\n";

/// What S3 offers beside, as its requests begin: by method, level and query.
const OTHERS: &[(&str, Method, &str)] = &[
    ("CreateSession", Method::GET, "/bucket?session"),
    ("GetBucketAnalyticsConfiguration", Method::GET, "/bucket?analytics&id=a"),
    ("GetBucketIntelligentTieringConfiguration", Method::GET, "/bucket?intelligent-tiering&id=a"),
    ("GetBucketInventoryConfiguration", Method::GET, "/bucket?inventory&id=a"),
    ("GetBucketMetadataConfiguration", Method::GET, "/bucket?metadataConfiguration"),
    ("GetBucketMetricsConfiguration", Method::GET, "/bucket?metrics&id=a"),
    ("GetObjectTorrent", Method::GET, "/bucket/key?torrent"),
    ("PutBucketAccelerateConfiguration", Method::PUT, "/bucket?accelerate"),
    ("PutBucketLogging", Method::PUT, "/bucket?logging"),
    ("PutBucketReplication", Method::PUT, "/bucket?replication"),
    ("PutBucketRequestPayment", Method::PUT, "/bucket?requestPayment"),
    ("PutBucketWebsite", Method::PUT, "/bucket?website"),
    ("RenameObject", Method::PUT, "/bucket/key?renameObject"),
    ("RestoreObject", Method::POST, "/bucket/key?restore"),
    ("SelectObjectContent", Method::POST, "/bucket/key?select&select-type=2"),
];

/// Values with which a header or a parameter is tried, beside those that its rule names.
const PROBES: [&str; 5] = ["some", "private", "public-read", "AES256", "true"];

/// The operations of AWS's conditions, without `IfExists` and without quantifiers.
const COMPARISONS: [(&str, &str); 26] = [
    ("StringEquals", "a"),
    ("StringNotEquals", "a"),
    ("StringEqualsIgnoreCase", "a"),
    ("StringNotEqualsIgnoreCase", "a"),
    ("StringLike", "a*"),
    ("StringNotLike", "a*"),
    ("NumericEquals", "1"),
    ("NumericNotEquals", "1"),
    ("NumericLessThan", "1"),
    ("NumericLessThanEquals", "1"),
    ("NumericGreaterThan", "1"),
    ("NumericGreaterThanEquals", "1"),
    ("DateEquals", "2030-01-01T00:00:00Z"),
    ("DateNotEquals", "2030-01-01T00:00:00Z"),
    ("DateLessThan", "2030-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2030-01-01T00:00:00Z"),
    ("DateGreaterThan", "2030-01-01T00:00:00Z"),
    ("DateGreaterThanEquals", "2030-01-01T00:00:00Z"),
    ("Bool", "true"),
    ("BinaryEquals", "QUE="),
    ("IpAddress", "192.0.2.0/24"),
    ("NotIpAddress", "192.0.2.0/24"),
    ("ArnEquals", "arn:aws:iam::a:user/b"),
    ("ArnLike", "arn:aws:iam::a:user/*"),
    ("ArnNotEquals", "arn:aws:iam::a:user/b"),
    ("ArnNotLike", "arn:aws:iam::a:user/*"),
];

/// AWS's condition keys of the operations that a bucket has, and some that it has for others.
const CONDITION_KEYS: &str = "aws:CurrentTime aws:EpochTime aws:PrincipalAccount aws:PrincipalArn aws:PrincipalOrgID \
    aws:PrincipalOrgPaths aws:PrincipalTag/team aws:PrincipalType aws:Referer aws:RequestedRegion aws:ResourceAccount \
    aws:ResourceOrgID aws:SecureTransport aws:SourceAccount aws:SourceArn aws:SourceIp aws:SourceVpc aws:SourceVpce \
    aws:UserAgent aws:VpcSourceIp aws:userid aws:username s3:AccessPointNetworkOrigin s3:DataAccessPointArn \
    s3:ExistingObjectTag/kind s3:InventoryAccessibleOptionalFields s3:LocationConstraint s3:ObjectCreationOperation \
    s3:RequestObjectTag/kind s3:RequestObjectTagKeys s3:ResourceAccount s3:TlsVersion s3:VersionId s3:authType \
    s3:delimiter s3:if-match s3:if-none-match s3:max-keys s3:object-lock-legal-hold s3:object-lock-mode \
    s3:object-lock-remaining-retention-days s3:object-lock-retain-until-date s3:prefix s3:signatureAge \
    s3:signatureversion s3:x-amz-acl s3:x-amz-content-sha256 s3:x-amz-copy-source s3:x-amz-grant-full-control \
    s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write s3:x-amz-grant-write-acp \
    s3:x-amz-metadata-directive s3:x-amz-object-ownership s3:x-amz-server-side-encryption \
    s3:x-amz-server-side-encryption-aws-kms-key-id s3:x-amz-storage-class s3:x-amz-website-redirect-location";

fn operations(text: &mut String) {
    text.push_str("### Operations\n\n| operation | request | state |\n|---|---|---|\n");
    let mut lines = Vec::new();
    for route in ROUTES {
        let path = match route.level {
            Level::Service => "/",
            Level::Bucket => "/bucket",
            Level::Object => "/bucket/key",
        };
        let query = route.markers.join("&");
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let copies = if route.copies { " with `x-amz-copy-source`" } else { "" };
        let request = format!("`{} {path}{query}`{copies}", route.method);
        lines.push(format!("| {} | {request} | offered |\n", route.operation.as_str()));
    }
    let filter = Filter::new(Hosts::new([]).unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    for (name, method, target) in OTHERS {
        let refusal = filter.check(method, &target.parse().unwrap(), &headers).unwrap_err();
        lines.push(format!("| {name} | `{method} {target}` | {} |\n", refusal.code));
    }
    lines.sort();
    text.extend(lines);
}

/// What is answered for each operation and each value: the operations where a name is offered, with which values, and
/// what is answered elsewhere.
fn state(rule: &Rule, ask: impl Fn(Operation, &str) -> Result<(), &'static str>) -> String {
    let named = rule.values();
    let probes = PROBES.iter().filter(|probe| !named.contains(probe));
    let values: Vec<&str> = named.iter().chain(probes).copied().collect();
    let offered = |operation: &Operation| values.iter().any(|value| ask(*operation, value).is_ok());
    let operations: Vec<_> = Operation::ALL.iter().copied().filter(offered).collect();
    let elsewhere = |operation: &&Operation| !operations.contains(*operation);
    let answer =
        Operation::ALL.iter().find(elsewhere).map(|operation| ask(*operation, values[0]).unwrap_err());
    let Some(first) = operations.first() else {
        return format!("nowhere | {}", answer.unwrap_or_default());
    };
    let refused = values.iter().find_map(|value| ask(*first, value).err());
    let names = |operations: &[Operation]| {
        operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(", ")
    };
    let others: Vec<_> = Operation::ALL.iter().filter(elsewhere).copied().collect();
    let mut told = match others.len() {
        0 => "everywhere".to_owned(),
        1..=3 => format!("everywhere but {}", names(&others)),
        _ => names(&operations),
    };
    if let Some(refused) = refused {
        let accepted: Vec<_> = values.iter().filter(|value| ask(*first, value).is_ok()).copied().collect();
        write!(told, "; `{}`, others {refused}", accepted.join("`, `")).unwrap();
    }
    format!("{told} | {}", answer.unwrap_or("-"))
}

fn headers(text: &mut String) {
    text.push_str("\n### Headers\n\n| header | offered for | elsewhere |\n|---|---|---|\n");
    for rule in HEADERS {
        let shown =
            if rule.name().ends_with('-') { format!("{}*", rule.name()) } else { rule.name().to_owned() };
        let name = HeaderName::from_bytes(shown.replace('*', "name").as_bytes()).unwrap();
        let state = state(rule, |operation, value| {
            let mut headers = HeaderMap::new();
            headers.insert(&name, HeaderValue::from_str(value).unwrap());
            check_headers(operation, &headers, &[]).map_err(|refusal| refusal.code)
        });
        writeln!(text, "| `{shown}` | {state} |").unwrap();
    }
    let mut unknown = HeaderMap::new();
    unknown.insert("x-amz-unknown", HeaderValue::from_static("1"));
    let refusal = check_headers(Operation::GetObject, &unknown, &[]).unwrap_err();
    writeln!(text, "| any other `x-amz-*` | nowhere | {} |", refusal.code).unwrap();
}

fn parameters(text: &mut String) {
    text.push_str(
        "\n### Parameters of the query\n\n| parameter | offered for | elsewhere |\n|---|---|---|\n",
    );
    for rule in PARAMETERS {
        let state = state(rule, |operation, value| {
            let query = format!("{}={value}", rule.name());
            check_parameters(operation, &Query::parse(Some(&query))).map_err(|refusal| refusal.code)
        });
        writeln!(text, "| `{}` | {state} |", rule.name()).unwrap();
    }
    let refusal = check_parameters(Operation::GetObject, &Query::parse(Some("unknown=1"))).unwrap_err();
    writeln!(text, "| any other | nowhere | {} |", refusal.code).unwrap();
}

/// Whether a policy with this condition is taken.
fn is_taken(operator: &str, key: &str, value: &str) -> bool {
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
        "Condition": { operator: { key: value } },
    }] });
    BucketPolicy::parse(&policy.to_string(), &"bucket".parse().unwrap()).is_ok()
}

fn conditions(text: &mut String) {
    text.push_str("\n### Conditions of policies\n\n| operator | alone | `…IfExists` | `ForAnyValue:…` | `ForAllValues:…` |\n");
    text.push_str("|---|---|---|---|---|\n");
    let state = |taken: bool| if taken { "offered" } else { "MalformedPolicy" };
    for (name, value) in COMPARISONS {
        let key = if name.contains("Ip") { "aws:SourceIp" } else { "s3:RequestObjectTagKeys" };
        let single = match name {
            _ if name.starts_with("Date") => "aws:CurrentTime",
            _ if name.starts_with("Numeric") => "s3:max-keys",
            _ if name.starts_with("Arn") => "aws:PrincipalArn",
            "Bool" => "aws:SecureTransport",
            _ if name.contains("Ip") => "aws:SourceIp",
            _ => "s3:prefix",
        };
        let forms = [
            (name.to_owned(), single),
            (format!("{name}IfExists"), single),
            (format!("ForAnyValue:{name}"), key),
            (format!("ForAllValues:{name}"), key),
        ];
        let states = forms.map(|(operator, key)| state(is_taken(&operator, key, value)));
        writeln!(text, "| {name} | {} |", states.join(" | ")).unwrap();
    }
    writeln!(
        text,
        "| Null | {} | {} | - | - |",
        state(is_taken("Null", "s3:prefix", "true")),
        state(is_taken("NullIfExists", "s3:prefix", "true"))
    )
    .unwrap();
    text.push_str("\n| condition key | state |\n|---|---|\n");
    for key in CONDITION_KEYS.split_whitespace() {
        writeln!(text, "| `{key}` | {} |", state(is_taken("Null", key, "true"))).unwrap();
    }
}

#[test]
fn the_guide_says_what_is_answered() {
    let mut made = String::new();
    operations(&mut made);
    headers(&mut made);
    parameters(&mut made);
    conditions(&mut made);
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/s3.md");
    let text = fs::read_to_string(&guide).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    if env::var_os("NUEE_WRITE_DOCS").is_some() {
        fs::write(&guide, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else if there != made {
        let different = there.lines().zip(made.lines()).find(|(there, made)| there != made);
        panic!("the guide says otherwise: write it anew with NUEE_WRITE_DOCS=1; {different:?}");
    }
}
