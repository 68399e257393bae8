//! Lifecycle rules as clients set them, and read them, and see objects go by them.

use http::Method;
use nuee::{Administration, Reply, Request};
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

/// As boto3 writes it: all of a rule.
const OF_BOTO3: &str = "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
    <Expiration><Days>30</Days></Expiration><ID>all of it</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>kind</Key>\
    <Value>draft</Value></Tag><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>1000\
    </ObjectSizeLessThan></And></Filter><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7\
    </NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule><Rule>\
    <Prefix/><Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
    </AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>";

/// As Terraform's provider writes it, over lines.
const OF_TERRAFORM: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">
  <Rule>
    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
    <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
    <Filter><Prefix></Prefix></Filter>
    <ID>sweep</ID>
    <NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays></NoncurrentVersionExpiration>
    <Status>Enabled</Status>
  </Rule>
  <Rule>
    <Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>
    <Filter><Tag><Key>until</Key><Value>2030</Value></Tag></Filter>
    <ID>dated</ID>
    <Status>Enabled</Status>
  </Rule>
</LifecycleConfiguration>";

const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";

fn start() -> (Runtime, TestServer, Client) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    (runtime, server, client)
}

fn set(client: &mut Client, document: &str) -> Answer {
    client.send(Draft::put("/bucket", document).query("lifecycle", "")).unwrap()
}

fn shown(client: &mut Client) -> Answer {
    client.send(Draft::new(Method::GET, "/bucket").query("lifecycle", "")).unwrap()
}

/// A document of one rule that is enabled, with this inside.
fn rule(inside: &str) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>{inside}</Rule></LifecycleConfiguration>"
    )
}

fn rule_of_all(inside: &str) -> String {
    rule(&format!("<Filter/>{inside}"))
}

#[test]
fn rules_are_shown_as_they_were_set() {
    let (_runtime, _server, mut client) = start();
    assert_eq!(shown(&mut client).code(), "NoSuchLifecycleConfiguration");
    assert_eq!(set(&mut client, OF_BOTO3).status, 200);
    let answer = shown(&mut client);
    let rules = answer.elements("Rule");
    assert_eq!(answer.header(MINIMUM), Some("all_storage_classes_128K"));
    for said in [
        "<ID>all of it</ID>",
        "<Status>Enabled</Status>",
        "<Expiration><Days>30</Days></Expiration>",
        "<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>1000</ObjectSizeLessThan>\
         <Prefix>logs/</Prefix><Tag><Key>kind</Key><Value>draft</Value></Tag></And></Filter>",
        "<NewerNoncurrentVersions>2</NewerNoncurrentVersions><NoncurrentDays>7</NoncurrentDays>",
    ] {
        assert!(rules[0].contains(said), "{said}: {}", rules[0]);
    }
    assert!(rules[1].contains("<Prefix></Prefix><Status>Disabled</Status>"), "{}", rules[1]);
    assert!(!rules[1].contains("<Filter>"), "{}", rules[1]);
    assert_eq!(answer.elements("ID")[1].len(), 32, "it was given a name");

    let put =
        Draft::put("/bucket", OF_TERRAFORM).query("lifecycle", "").header(MINIMUM, "varies_by_storage_class");
    let answer = client.send(put).unwrap();
    assert_eq!((answer.status, answer.header(MINIMUM)), (200, Some("varies_by_storage_class")));
    let answer = shown(&mut client);
    assert_eq!(answer.header(MINIMUM), Some("varies_by_storage_class"));
    let rules = answer.elements("Rule");
    assert!(rules[0].contains("<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"), "{}", rules[0]);
    assert!(rules[0].contains("<Filter><Prefix></Prefix></Filter>"), "{}", rules[0]);
    assert!(rules[1].contains("<Date>2030-01-01T00:00:00.000Z</Date>"), "{}", rules[1]);

    // What is shown can be set again.
    let again = answer.text();
    let again = again.replace("GetBucketLifecycleConfigurationOutput", "LifecycleConfiguration");
    assert_eq!(set(&mut client, &again).status, 200);
    assert_eq!(shown(&mut client).elements("Rule"), rules);

    let delete = || Draft::new(Method::DELETE, "/bucket").query("lifecycle", "");
    assert_eq!([client.send(delete()).unwrap().status, client.send(delete()).unwrap().status], [204, 204]);
    assert_eq!(shown(&mut client).code(), "NoSuchLifecycleConfiguration");
}

/// What cannot be meant, and how it is refused.
fn refused() -> Vec<(String, &'static str)> {
    let days = "<Expiration><Days>1</Days></Expiration>";
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload>";
    let tag = "<Tag><Key>a</Key><Value>b</Value></Tag>";
    let one = format!("<Rule><ID>a</ID><Status>Enabled</Status><Filter/>{days}</Rule>");
    let many = |number| format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", one.repeat(number));
    let noncurrent = |inside: &str| {
        rule_of_all(&format!("<NoncurrentVersionExpiration>{inside}</NoncurrentVersionExpiration>"))
    };
    vec![
        (String::new(), "MalformedXML"),
        ("<LifecycleConfiguration/>".into(), "MalformedXML"),
        ("<LifecycleConfiguration><Rule>".into(), "MalformedXML"),
        (many(2), "InvalidArgument"),
        (many(1_001), "MalformedXML"),
        (rule(days), "MalformedXML"),
        (rule(&format!("<Filter/><Prefix/>{days}")), "MalformedXML"),
        (rule(&format!("<Filter><Prefix>a</Prefix>{tag}</Filter>{days}")), "MalformedXML"),
        (rule(&format!("<Filter><And>{tag}</And></Filter>{days}")), "MalformedXML"),
        (rule(&format!("<Filter><And>{tag}{tag}</And></Filter>{days}")), "InvalidRequest"),
        (rule(&format!("<Filter>{tag}</Filter>{abort}")), "InvalidRequest"),
        (
            rule(&format!("<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>{abort}")),
            "InvalidRequest",
        ),
        (
            rule(&format!("<Filter><ObjectSizeLessThan>-9</ObjectSizeLessThan></Filter>{days}")),
            "InvalidArgument",
        ),
        (rule_of_all(""), "InvalidRequest"),
        (rule_of_all("<Expiration/>"), "MalformedXML"),
        (rule_of_all("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument"),
        (rule_of_all("<Expiration><Days>-1</Days></Expiration>"), "InvalidArgument"),
        (rule_of_all("<Expiration><Days>a</Days></Expiration>"), "MalformedXML"),
        (rule_of_all("<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"), "InvalidArgument"),
        (rule_of_all("<Expiration><Date>2030</Date></Expiration>"), "MalformedXML"),
        (
            rule_of_all("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
            "MalformedXML",
        ),
        (noncurrent(""), "MalformedXML"),
        (noncurrent("<NoncurrentDays>0</NoncurrentDays>"), "InvalidArgument"),
        (
            noncurrent(
                "<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions>",
            ),
            "InvalidArgument",
        ),
        (rule_of_all(days).replace("Enabled", "Maybe"), "MalformedXML"),
        (rule_of_all(days).replace("<ID>a", &format!("<ID>{}", "a".repeat(256))), "InvalidArgument"),
        (
            rule_of_all("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
            "NotImplemented",
        ),
        (
            rule_of_all(
                "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>\
                 </NoncurrentVersionTransition>",
            ),
            "NotImplemented",
        ),
        (rule_of_all(&format!("{days}<Future>1</Future>")), "NotImplemented"),
    ]
}

#[test]
fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let (_runtime, _server, mut client) = start();
    assert_eq!(set(&mut client, OF_TERRAFORM).status, 200);
    let before = shown(&mut client).text();
    for (document, code) in refused() {
        let answer = set(&mut client, &document);
        let start: String = document.chars().take(200).collect();
        assert_eq!(answer.code(), code, "{start}: {}", answer.text());
    }
    let days = rule_of_all("<Expiration><Days>1</Days></Expiration>");
    let draft = Draft::put("/bucket", days).query("lifecycle", "").header(MINIMUM, "1");
    assert_eq!(client.send(draft).unwrap().code(), "InvalidArgument");
    assert_eq!(shown(&mut client).text(), before);
}

#[test]
fn a_thousand_rules_are_kept() {
    let (_runtime, _server, mut client) = start();
    let rule = |number| {
        format!(
            "<Rule><ID>rule {number}</ID><Status>Enabled</Status><Filter><Prefix>logs/of/{number}/</Prefix></Filter>\
             <Expiration><Days>30</Days></Expiration></Rule>"
        )
    };
    let rules: String = (0..1_000).map(rule).collect();
    let answer = set(&mut client, &format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(shown(&mut client).elements("Rule").len(), 1_000);
}

#[test]
fn answers_tell_when_an_object_expires() {
    let (_runtime, _server, mut client) = start();
    let date = "<Expiration><Date>2031-02-03T00:00:00Z</Date></Expiration>";
    let document =
        rule(&format!("<Filter><Prefix>old/</Prefix></Filter>{date}")).replace("<ID>a", "<ID>a rule");
    assert_eq!(set(&mut client, &document).status, 200);
    let expected = Some("expiry-date=\"Mon, 03 Feb 2031 00:00:00 GMT\", rule-id=\"a+rule\"");
    let told = |answer: &Answer| answer.header("x-amz-expiration").map(str::to_owned);
    let put = client.put("/bucket/old/a", "content").unwrap();
    let read = client.get("/bucket/old/a").unwrap();
    let head = client.send(Draft::new(Method::HEAD, "/bucket/old/a")).unwrap();
    for answer in [put, read, head] {
        assert_eq!(told(&answer).as_deref(), expected, "{}", answer.text());
    }
    assert_eq!(told(&client.put("/bucket/new", "content").unwrap()), None);
}

#[test]
fn what_is_due_goes_and_who_runs_the_platform_sees_numbers() {
    let (runtime, server, mut client) = start();
    client.put("/bucket/old/secret-name", "content").unwrap();
    client.put("/bucket/new", "content").unwrap();
    let date = "<Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration>";
    assert_eq!(set(&mut client, &rule(&format!("<Filter><Prefix>old/</Prefix></Filter>{date}"))).status, 200);
    let administration = Administration::new(server.platform().clone(), None);
    let run = |bucket: &str, dry_run| {
        let request = Request::RunLifecycle { bucket: bucket.parse().unwrap(), dry_run };
        runtime.block_on(administration.execute(request, |_| {}))
    };
    for dry_run in [true, false] {
        let reply = run("bucket", dry_run).unwrap();
        let said = format!("{reply:?}");
        assert!(!said.contains("secret") && !said.contains("old/"), "{said}");
        let Reply::LifecycleRun(run) = reply else { panic!("{said}") };
        assert_eq!((run.rules[0].objects, run.rules[0].bytes, run.seen), (1, 7, 1));
        let left = if dry_run { &["new", "old/secret-name"][..] } else { &["new"] };
        assert_eq!(client.list("/bucket").unwrap(), left);
    }
    let verified =
        runtime.block_on(administration.execute(Request::Verify { content: true, checkpoint: None }, |_| {}));
    let Reply::Verified(verified) = verified.unwrap() else { panic!("a verification is verified") };
    assert_eq!(verified.damaged, 0, "{:?}", verified.findings);
    assert!(run("nowhere", true).unwrap_err().to_string().contains("does not exist"));
    assert_eq!(client.put("/bare", "").unwrap().status, 200);
    assert!(run("bare", true).unwrap_err().to_string().contains("no lifecycle rules"));
}
