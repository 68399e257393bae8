//! What is no policy for a bucket is refused, with a message that says why; and no text panics.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

use nuee_access::{
    Action, BucketPolicy, BucketRules, ConditionKey, Decider, FactList, PublicAccessBlock, Resource,
};
use nuee_base::{
    BucketId, BucketName, Context, Environment, ErrorKind, OrganisationId, Principal, ProjectId,
};
use proptest::prelude::*;

fn name() -> BucketName {
    "data".parse().unwrap()
}

/// What stands in a statement of a policy that is otherwise right, and what its refusal must say.
const MALFORMED: &[(&str, &str)] = &[
    (r#""Action": "s3:GetObjects""#, "Policy has invalid action"),
    (r#""Action": "s3:CreateBucket""#, "Policy has invalid action"),
    (r#""Action": "nuee:*""#, "Policy has invalid action"),
    (r#""Action": "iam:*""#, "Policy has invalid action"),
    (r#""Action": []"#, "Action is empty"),
    (r#""Action": 1"#, "Action must be a text"),
    (r#""Resource": "arn:aws:s3:::other/*""#, "Policy has invalid resource"),
    (r#""Resource": "arn:aws:s3:::database/*""#, "Policy has invalid resource"),
    (r#""Resource": "arn:aws-cn:s3:::data/*""#, "Policy has invalid resource"),
    (r#""Resource": "*""#, "Policy has invalid resource"),
    (r#""Resource": "arn:aws:s3:::data/${aws:nothing}""#, "Policy has invalid resource"),
    (r#""Resource": "arn:aws:s3:::data""#, "Action does not apply to any resource(s) in statement"),
    (r#""Action": ["s3:GetObject", "s3:ListBucket"]"#, "Action does not apply to any resource(s)"),
    (r#""Principal": "me""#, "Invalid principal in policy"),
    (r#""Principal": {"AWS": "arn:aws:iam::123456789012:root"}"#, "Invalid principal in policy"),
    (r#""Principal": {"Service": "s3.amazonaws.com"}"#, "Invalid principal in policy"),
    (r#""Principal": {"AWS": []}"#, "Principal is empty"),
    (r#""NotPrincipal": "*""#, "Statement has an element twice"),
    (r#""NotAction": "s3:*""#, "Statement has an element twice"),
    (r#""Effect": "allow""#, "Invalid effect"),
    (r#""Effect": "Allow", "Effect": "Allow""#, "twice"),
    (r#""Comment": "x""#, "Unknown field"),
    (r#""Sid": 1"#, "Sid must be a text"),
    (r#""Condition": []"#, "Condition must be an object"),
    (r#""Condition": {"StringIs": {"aws:Referer": "x"}}"#, "no condition operator"),
    (r#""Condition": {"NullIfExists": {"aws:Referer": "true"}}"#, "Null stands alone"),
    (r#""Condition": {"StringEquals": {"aws:PrincipalTag/a": "x"}}"#, "invalid condition key"),
    (r#""Condition": {"StringEquals": {"aws:Referer": "x", "AWS:referer": "y"}}"#, "key twice"),
    (r#""Condition": {"StringEquals": {"aws:Referer": []}}"#, "write at least one"),
    (r#""Condition": {"StringEquals": {"aws:Referer": null}}"#, "null is no value"),
    (r#""Condition": {"StringEquals": {"aws:Referer": "${aws:Referer"}}"#, "does not end"),
    (r#""Condition": {"NumericEquals": {"s3:signatureAge": "1e3"}}"#, "is not a number"),
    (r#""Condition": {"DateEquals": {"aws:CurrentTime": "tomorrow"}}"#, "is not a date"),
    (r#""Condition": {"Bool": {"aws:SecureTransport": "yes"}}"#, "is not true or false"),
    (r#""Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#, "is not an address"),
    (r#""Condition": {"ArnLike": {"aws:PrincipalArn": "*"}}"#, "is not an ARN"),
    (r#""Condition": {"BinaryEquals": {"aws:Referer": "?"}}"#, "is not base64"),
    (r#""Condition": {"StringEquals": {"s3:prefix": "x"}}"#, "Conditions do not apply to combination"),
    (r#""Condition": {"StringEquals": {"s3:LocationConstraint": "x"}}"#, "Conditions do not apply"),
];

#[test]
fn a_malformed_policy_is_refused_with_the_statement_and_the_reason() {
    let refuse = |text: &str| BucketPolicy::parse(text, &name()).unwrap_err().to_string();
    for (change, expected) in MALFORMED {
        let name = change.split('"').nth(1).unwrap();
        let members = [
            ("Sid", r#""Sid": "Second""#),
            ("Effect", r#""Effect": "Allow""#),
            ("Principal", r#""Principal": "*""#),
            ("Action", r#""Action": "s3:GetObject""#),
            ("Resource", r#""Resource": "arn:aws:s3:::data/*""#),
        ];
        let kept = members.iter().filter(|(member, _)| *member != name).map(|(_, text)| *text);
        let members: Vec<&str> = kept.chain([*change]).collect();
        let first =
            r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::data/*"}"#;
        let second = members.join(", ");
        let error = refuse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{first}, {{{second}}}]}}"#));
        assert!(error.contains(expected), "{change}: {error}");
        assert!(name == "Sid" || error.contains("Second") || error.contains("JSON"), "{change}: {error}");
    }
    for (text, expected) in [
        ("", "not valid JSON"),
        ("[]", "must be an object"),
        ("{}", "Missing required field Statement"),
        (r#"{"Statement": []}"#, "at least one statement"),
        (r#"{"Statement": {}}"#, "Missing required field"),
        (r#"{"Version": "2020-01-01", "Statement": []}"#, "Version must be"),
        (r#"{"Id": 1, "Statement": []}"#, "Id must be a text"),
        (r#"{"Statements": []}"#, "Unknown field"),
        (&"[".repeat(20_000), "recursion"),
        (&" ".repeat(20_481), "at most 20480"),
    ] {
        assert!(refuse(text).contains(expected), "{expected}: {}", refuse(text));
    }
    assert_eq!(BucketPolicy::parse("", &name()).unwrap_err().kind(), ErrorKind::Invalid);
}

/// Texts that look like policies, with anything in their places.
fn like_a_policy() -> impl Strategy<Value = String> {
    let words = [
        r#""Version""#,
        r#""2012-10-17""#,
        r#""Statement""#,
        r#""Effect""#,
        r#""Allow""#,
        r#""Principal""#,
        r#""*""#,
        r#""AWS""#,
        r#""Action""#,
        r#""s3:GetObject""#,
        r#""Resource""#,
        r#""arn:aws:s3:::data/${aws:userid}*""#,
        r#""Condition""#,
        r#""StringLike""#,
        r#""aws:Referer""#,
        r#""${""#,
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "1",
        "true",
        "null",
        "\"é\u{0}\"",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), like_a_policy()]) {
        let _ = BucketPolicy::parse(&text, &name());
    }

    /// Anything in the places of a policy that is otherwise right, so that more of the reader is reached.
    #[test]
    fn no_value_panics(
        value in any::<String>(),
        operator in prop::sample::select(vec![
            "StringLike", "StringNotEqualsIgnoreCase", "NumericLessThan", "DateEquals", "Bool", "BinaryEquals",
            "IpAddress", "ArnLike", "Null",
        ]),
        place in 0..4,
    ) {
        let value = value.replace(['"', '\\'], "$").replace(char::is_control, "{");
        let at = |number: i32, text: &str| if place == number { value.clone() } else { text.to_owned() };
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Sid": "{}", "Effect": "Allow", "Principal": "*",
               "Action": "s3:{}*", "Resource": "arn:aws:s3:::data/{}*",
               "Condition": {{"{operator}": {{"aws:Referer": "{}"}}}}}}}}"#,
            at(0, "x"), at(1, "Get"), at(2, "x"), at(3, "true"),
        );
        if let Ok(policy) = BucketPolicy::parse(&text, &name()) {
            let rules = BucketRules { policy: Some(policy), public_access: PublicAccessBlock::default() };
            let facts = FactList::of_object("a".parse().unwrap()).with(ConditionKey::Referer, value.as_str());
            let context = Context::new(Environment::system(), Principal::Anonymous);
            let bucket = Resource::Bucket {
                organisation: OrganisationId::from_bytes([1; 16]),
                project: ProjectId::from_bytes([2; 16]),
                bucket: BucketId::from_bytes([4; 16]),
            };
            let _ = Decider::shipped().decide_in_bucket(&context, Action::GetObject, bucket, &rules, &facts);
        }
    }
}
