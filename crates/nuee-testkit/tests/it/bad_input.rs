//! Bad input of every kind, sent as bytes to the whole server: each is answered with the error of S3 that fits, nothing
//! is written, nothing panics, and the server goes on.
//!
//! A table holds requests with what must come back. After each request the whole of what the owner can see is compared
//! with what it was before, and after each table the store is verified, so that not even an orphan may stay behind.

mod bodies;
mod documents;
mod heads;
mod names;
mod promises;
mod secrets;

use std::{
    io,
    net::SocketAddr,
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Method;
use nuee::{Settings, Tuning};
use nuee_access::{Action, Resource};
use nuee_testkit::{
    Answer, Client, Place, TestServer, Wire,
    signer::{Draft, Signer},
};
use tokio::runtime::Runtime;

/// A server with a bucket `/bucket` that holds one object and one upload with one part.
struct Bench {
    runtime: Runtime,
    server: TestServer,
    signer: Signer,
    upload: String,
    before: Vec<String>,
    panics: Arc<AtomicUsize>,
}

/// A request as bytes, and what must come back.
struct Case {
    name: String,
    bytes: Vec<u8>,
    expected: Expected,
    /// Nothing more is sent after the bytes, and the server is told.
    ends: bool,
}

/// What must come back.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// This error of S3.
    Code(&'static str),
    /// This status; below S3 there are no codes.
    Status(u16),
}

use Expected::{Code, Status};

fn case(name: impl Into<String>, draft: &Draft, expected: Expected) -> Case {
    Case { name: name.into(), bytes: draft.to_bytes(), expected, ends: false }
}

impl Bench {
    fn start() -> Self {
        let panics = count_panics();
        let runtime = Runtime::new().unwrap();
        let adapt = |settings: &mut Settings| {
            settings.limits.body_stall_timeout_seconds = 1;
            settings.limits.header_timeout_seconds = 1;
        };
        let server = runtime.block_on(TestServer::start_tuned(Tuning::default(), adapt)).unwrap();
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        assert_eq!(client.put("/bucket/kept", "what is kept").unwrap().status, 200);
        let begun =
            client.send(Draft::with_body(Method::POST, "/bucket/parts", "").query("uploads", "")).unwrap();
        let upload = begun.elements("UploadId").remove(0);
        let part = Draft::put("/bucket/parts", "a part").query("partNumber", "1").query("uploadId", &upload);
        assert_eq!(client.send(part).unwrap().status, 200);
        let signer = client.signer();
        let mut bench = Self { runtime, server, signer, upload, before: Vec::new(), panics };
        bench.before = bench.all_that_is_there();
        bench
    }

    fn address(&self) -> SocketAddr {
        self.server.addresses().s3
    }

    fn client(&self) -> Client {
        self.server.client(Place::Schools)
    }

    /// A draft, signed in its header.
    fn signed(&self, draft: Draft) -> Draft {
        self.signer.header(draft)
    }

    /// Every bucket, object, upload and part that the owner can see, and what identifies its content.
    fn all_that_is_there(&self) -> Vec<String> {
        let mut client = self.client();
        let mut seen = Vec::new();
        let parts = Draft::new(Method::GET, "/bucket/parts").query("uploadId", &self.upload);
        let asked = [
            (Draft::new(Method::GET, "/"), &["Name"][..]),
            (Draft::new(Method::GET, "/bucket").query("list-type", "2"), &["Key", "ETag", "LastModified"]),
            (Draft::new(Method::GET, "/bucket").query("uploads", ""), &["Key", "UploadId"]),
            (parts, &["PartNumber", "ETag", "LastModified"]),
            (Draft::new(Method::GET, "/bucket").query("encryption", ""), &["SSEAlgorithm"]),
        ];
        for (draft, elements) in asked {
            let answer = client.send(draft).unwrap();
            assert_eq!(answer.status, 200, "the server does not go on: {}", answer.text());
            seen.extend(elements.iter().flat_map(|element| answer.elements(element)));
        }
        seen
    }

    /// Sends every case and looks at the answer and at what is there afterwards.
    fn refuse_all(&self, cases: Vec<Case>) {
        let mut wrong = Vec::new();
        for case in cases {
            let found = self.answer_to(&case);
            let fits = match (&found, case.expected) {
                (Ok(answer), Code(code)) => answer.code() == code && answer.status >= 300,
                (Ok(answer), Status(status)) => answer.status == status,
                (Err(_), _) => false,
            };
            if !fits {
                let found = found.map(|answer| format!("{} {}", answer.status, answer.text()));
                wrong.push(format!("{}: expected {:?}, found {found:?}", case.name, case.expected));
            }
            assert_eq!(self.all_that_is_there(), self.before, "{}: something was written", case.name);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        self.check_store();
    }

    fn answer_to(&self, case: &Case) -> io::Result<Answer> {
        let mut wire = Wire::open(self.address())?;
        // The server may answer and close before it has read everything.
        let _ = wire.write(&case.bytes);
        if case.ends {
            wire.finish()?;
        }
        wire.read(case.bytes.starts_with(b"HEAD "))
    }

    /// The store holds the object and the part, sound, and nothing else.
    fn check_store(&self) {
        let platform = self.server.platform();
        let (context, store) = (platform.operator(), platform.store());
        let permit = platform.decider().decide(&context, Action::Verify, Resource::Platform).unwrap();
        let report = self.runtime.block_on(async {
            // Large blobs that were begun are taken away here, as the background work would in a moment.
            store.reclaim().await.unwrap();
            store.verify(&permit, true, |_| {}).await.unwrap()
        });
        let seen = (report.buckets, report.objects, report.blobs, report.orphans, report.damaged);
        assert_eq!(seen, (1, 1, 2, 0, 0), "{report:?}");
        assert_eq!(self.panics.load(Ordering::Relaxed), 0, "something panicked");
    }
}

/// Counts the panics of this process from now on.
fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counted, usual) = (Arc::clone(&panics), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
    panics
}

/// `bytes` with the first `from` replaced.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let start = bytes.windows(from.len()).position(|window| window == from).expect("the text is there");
    [&bytes[..start], to, &bytes[start + from.len()..]].concat()
}
