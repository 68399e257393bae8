//! Parsers of what strangers send, fed with input that is almost right: whatever it is, there is an answer that is no
//! failure of the server, nothing panics, and the server goes on.
//!
//! Cases follow from a seed; a failure is told with its input. `NUEE_FUZZ_MINUTES` has each parser fed for so long, and
//! `NUEE_FUZZ_SEED` is another seed.

mod mutation;

use std::{
    collections::BTreeMap,
    env, panic, process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use nuee::{Settings, Tuning};
use nuee_access::BucketPolicy;
use nuee_testkit::{
    Client, Place, TestServer,
    form::Form,
    resident_bytes,
    signer::{Draft, Signer},
};
use tokio::runtime::Runtime;

use crate::random::Random;
use mutation::mutate;

/// Cases of each parser, unless a time is given.
const CASES: usize = 1_500;

/// How much memory a parser may have kept when all its cases are over, in MiB. What is remembered of decisions, rows
/// and connections is part of it.
const MAX_GROWTH_MIB: u64 = 96;

fn resident_mib() -> u64 {
    resident_bytes(process::id()).unwrap() >> 20
}

/// Feeds cases for as long as it is to be; tells how many, the slowest, and what memory they left.
fn feed(what: &str, mut case: impl FnMut(&mut Random)) {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (minutes, seed) = (number("NUEE_FUZZ_MINUTES"), number("NUEE_FUZZ_SEED").unwrap_or(1));
    let (begun, mut random, before) = (Instant::now(), Random::new(seed), resident_mib());
    let (mut cases, mut slowest) = (0, Duration::ZERO);
    let goes_on = |cases| match minutes {
        Some(minutes) => begun.elapsed() < Duration::from_mins(minutes),
        None => cases < CASES,
    };
    while goes_on(cases) {
        let started = Instant::now();
        case(&mut random);
        slowest = slowest.max(started.elapsed());
        cases += 1;
    }
    let growth = resident_mib().saturating_sub(before);
    println!(
        "{what}: {cases} cases from seed {seed} in {} s, the slowest {} ms, {before} MiB and {growth} more",
        begun.elapsed().as_secs(),
        slowest.as_millis()
    );
    assert!(growth <= MAX_GROWTH_MIB, "{growth} MiB were kept");
}

/// A server that is fed, with a bucket `/bucket`.
struct Fed {
    _runtime: Runtime,
    _server: TestServer,
    client: Client,
    signer: Signer,
    panics: Arc<AtomicUsize>,
    /// What was answered, and how often.
    answers: BTreeMap<String, usize>,
}

impl Fed {
    fn start() -> Self {
        let panics = Arc::new(AtomicUsize::new(0));
        let (counted, usual) = (Arc::clone(&panics), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            counted.fetch_add(1, Ordering::Relaxed);
            usual(info);
        }));
        let runtime = Runtime::new().unwrap();
        let adapt = |settings: &mut Settings| settings.limits.body_stall_timeout_seconds = 1;
        let server = runtime.block_on(TestServer::start_tuned(Tuning::default(), adapt)).unwrap();
        let mut client = server.client(Place::Schools);
        for (path, body) in [("/bucket", ""), ("/bucket/object", "the content of an object")] {
            assert_eq!(client.put(path, body).unwrap().status, 200);
        }
        let signer = client.signer();
        Self { _runtime: runtime, _server: server, client, signer, panics, answers: BTreeMap::new() }
    }

    /// Sends a request as it is; its answer must not tell of a failure of the server.
    fn send(&mut self, draft: &Draft) {
        let shown = || draft.to_bytes().escape_ascii().to_string();
        match self.client.send_as_it_is(draft) {
            Ok(answer) => {
                let fails = answer.status >= 500 && !matches!(answer.status, 501 | 503);
                assert!(!fails, "{}: {}", answer.text(), shown());
                *self.answers.entry(format!("{} {}", answer.status, answer.code())).or_default() += 1;
            }
            // What is no request may be answered by hanging up.
            Err(_) => self.client = Client::new(self.client.address(), "", ""),
        }
        assert_eq!(self.panics.load(Ordering::Relaxed), 0, "something panicked at {}", shown());
    }

    /// The server goes on; what was fed came as far as the parser.
    fn finish(mut self) {
        println!("{:?}", self.answers);
        assert!(self.answers.len() > 2, "all is answered alike");
        // Chunks and forms carry signatures that a change breaks.
        let unsigned = self.answers.get("403 SignatureDoesNotMatch").copied().unwrap_or_default();
        assert!(unsigned * 2 < self.answers.values().sum(), "little is parsed, for its signature is wrong");
        let get = self.signer.header(Draft::new(Method::GET, "/bucket/object"));
        assert_eq!(self.client.send_as_it_is(&get).unwrap().text(), "the content of an object");
    }
}

const POLICY: &str = r#"{"Version":"2012-10-17","Id":"a","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":["*"]},
"Action":["s3:GetObject","s3:Put*"],"NotResource":"arn:aws:s3:::bucket/private/${aws:username}/*","Condition":{
"ForAllValues:StringLikeIfExists":{"s3:RequestObjectTagKeys":["a*","b?"]},"IpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8::/32"]},
"DateGreaterThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"},"Bool":{"aws:SecureTransport":"true"},
"StringNotEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}},{"Effect":"Allow",
"Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket","Condition":{"NumericLessThan":{"s3:max-keys":"10"},
"Null":{"s3:prefix":"false"}}},{"Effect":"Deny","NotPrincipal":"*","NotAction":"s3:GetObject","Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]}]}"#;

const OF_JSON: [&str; 18] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "true",
    "\\u0000",
    "\\ud800",
    "*",
    "?",
    "${",
    "${aws:username, '*'}",
    "arn:aws:s3:::",
    "::",
    "/33",
];

#[test]
fn policies_of_buckets() {
    let bucket = "bucket".parse().unwrap();
    BucketPolicy::parse(&POLICY.replace("NotPrincipal", "Principal"), &bucket).unwrap();
    feed("policies", |random| {
        let bytes = mutate(random, POLICY.as_bytes(), &OF_JSON);
        // Refused or taken: but never a panic.
        let _ = BucketPolicy::parse(&String::from_utf8_lossy(&bytes), &bucket);
    });
}

#[test]
fn policies_of_forms_and_the_forms_themselves() {
    let mut fed = Fed::start();
    feed("forms", |random| {
        let form = Form::new("/bucket", "form", "file").with("x-amz-meta-a", "b").with("acl", "private");
        let draft = if random.one_in(2) {
            form.signed_with(&fed.signer, |policy| mutate(random, policy.as_bytes(), &OF_JSON))
        } else {
            let draft = form.signed(&fed.signer);
            let words = [
                "\r\n",
                "--",
                "------a-boundary",
                "name=\"",
                "filename=\"",
                "Content-Disposition: form-data;",
                ";",
                "\"",
            ];
            let body = mutate(random, &draft.body, &words);
            Draft { body, ..draft }
        };
        let length = draft.body.len().to_string();
        fed.send(&draft.set("content-length", &length));
    });
    fed.finish();
}

#[test]
fn bodies_in_chunks() {
    let mut fed = Fed::start();
    let words =
        [";chunk-signature=", "\r\n", "0\r\n", "x-amz-checksum-crc32:", "ffffffffffffffff", "-1", ";", ":"];
    feed("chunks", |random| {
        let pieces: [&[u8]; 2] = [&[b'a'; 8_192], b"the rest"];
        let draft = if random.one_in(2) {
            fed.signer.chunked(Draft::put("/bucket/chunks", ""), &pieces, None)
        } else {
            fed.signer.unsigned_chunks(
                Draft::put("/bucket/chunks", ""),
                &pieces,
                ("x-amz-checksum-crc32", "AAAAAA=="),
            )
        };
        let length = draft.body.len();
        let mut body = mutate(random, &draft.body, &words);
        // As long as was announced and signed: a body that is shorter is waited for.
        body.resize(length, b'0');
        fed.send(&Draft { body, ..draft });
    });
    fed.finish();
}

const DOCUMENTS: [(&str, &str); 8] = [
    ("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
    (
        "delete",
        "<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>null</VersionId></Object></Delete>",
    ),
    (
        "cors",
        "<CORSConfiguration><CORSRule><AllowedOrigin>https://*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
         <MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    ),
    (
        "lifecycle",
        "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><And><Prefix>a</Prefix><ObjectSizeLessThan>10\
         </ObjectSizeLessThan></And></Filter><Expiration><Date>2099-01-01T00:00:00Z</Date></Expiration>\
         <NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
    ),
    (
        "notification",
        "<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:::a</Topic><Event>s3:ObjectCreated:*</Event>\
         <Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></TopicConfiguration>\
         </NotificationConfiguration>",
    ),
    (
        "object-lock",
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>\
         <Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    ),
    (
        "acl",
        "<AccessControlPolicy><Owner><ID>a</ID></Owner><AccessControlList><Grant><Grantee><ID>a</ID></Grantee>\
         <Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>",
    ),
];

#[test]
fn documents() {
    let mut fed = Fed::start();
    let words = [
        "<",
        ">",
        "</",
        "/>",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&#0;",
        "&x;",
        "<!DOCTYPE a [<!ENTITY x \"y\">]>",
        "<?xml version=\"1.0\"?>",
        "<!--",
        "-->",
        "<Rule>",
        "<Tag>",
        "<Key>",
        "xmlns=\"a\"",
        "\u{feff}",
    ];
    feed("documents", |random| {
        let (query, document) = random.pick(&DOCUMENTS);
        let method = if query == "delete" { Method::POST } else { Method::PUT };
        let body = mutate(random, document.as_bytes(), &words);
        let draft = Draft::with_body(method, "/bucket", body).query(query, "");
        fed.send(&fed.signer.header(draft));
    });
    fed.finish();
}

#[test]
fn ranges() {
    let mut fed = Fed::start();
    let words = ["bytes", "=", "-", ",", " ", "bytes=0-", "bytes=-", "\t"];
    feed("ranges", |random| {
        let text = random.pick(&["bytes=0-5", "bytes=-3", "bytes=20-", "bytes=0-1,3-4"]);
        let bytes = mutate(random, text.as_bytes(), &words);
        let value: String =
            bytes.iter().map(|byte| char::from(*byte)).filter(|char| (' '..='~').contains(char)).collect();
        let value: String = value.trim().chars().take(4_096).collect();
        let method = if random.one_in(2) { Method::GET } else { Method::HEAD };
        fed.send(&fed.signer.header(Draft::new(method, "/bucket/object").header("range", &value)));
    });
    fed.finish();
}
