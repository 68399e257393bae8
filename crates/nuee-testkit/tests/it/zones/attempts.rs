//! All the ways in: requests for things of `schools` and what they are answered where it is exposed.

use http::Method;
use nuee_base::Zone;
use nuee_testkit::{
    Answer, Place,
    form::Form,
    signer::{Draft, Signer, sha256},
};

use super::{
    bench::Bench,
    networks::{INTERNET, RIE},
};

/// A request, ready to be sent.
pub(super) struct Attempt {
    pub(super) name: String,
    bytes: Vec<u8>,
    /// What it is answered where all of the project is exposed to those who sign.
    pub(super) status: u16,
    is_head: bool,
}

impl Attempt {
    fn new(name: impl Into<String>, draft: &Draft, status: u16) -> Self {
        let is_head = draft.method == Method::HEAD;
        Self { name: name.into(), bytes: draft.to_bytes(), status, is_head }
    }

    pub(super) fn make(&self, bench: &Bench, zone: Zone) -> Answer {
        bench.send(zone, &self.bytes, self.is_head)
    }
}

/// Every name under which a server may be asked.
fn hosts() -> Vec<String> {
    let rie = [RIE, "s3.rie.example", "papers.s3.rie.example", "localhost", "127.0.0.1", "s3.localhost"];
    let internet = [INTERNET, "s3.example.org", "papers.s3.example.org", "papers.s3.localhost"];
    rie.into_iter().chain(internet).map(str::to_owned).collect()
}

/// The path of a key of `papers`, at a host that may name the bucket.
fn path(host: &str, key: &str) -> String {
    if host.starts_with("papers.") { format!("/{key}") } else { format!("/papers/{key}") }
}

fn get(path: &str) -> Draft {
    Draft::new(Method::GET, path)
}

fn signer(bench: &Bench) -> Signer {
    let owner = bench.owner(Place::Schools);
    Signer::new(owner.access_key_id.as_str(), owner.secret.expose())
}

/// Reads, by every name of the server, signed in each way.
pub(super) fn reads(bench: &Bench) -> Vec<Attempt> {
    let signer = signer(bench);
    let mut attempts = Vec::new();
    for host in hosts() {
        let draft = || get(&path(&host, "secret/b")).set("host", &host);
        attempts.push(Attempt::new(format!("at {host}"), &signer.header(draft()), 200));
        attempts.push(Attempt::new(format!("presigned for {host}"), &signer.presign(draft()), 200));
        let range = signer.header(draft().header("range", "bytes=0-3"));
        attempts.push(Attempt::new(format!("a range at {host}"), &range, 206));
        let forwarded =
            draft().header("x-forwarded-host", RIE).header("forwarded", "for=127.0.0.1;host=10.1.0.1");
        let forwarded = forwarded.header("x-forwarded-for", "127.0.0.1").header("x-real-ip", "127.0.0.1");
        attempts.push(Attempt::new(format!("forwarded to {host}"), &signer.header(forwarded), 200));
        // The form of a request to a proxy, whose authority is another than the Host.
        let signed = signer.header(draft());
        let text = String::from_utf8(signed.to_bytes()).unwrap();
        for authority in [RIE, "s3.rie.example", "127.0.0.1"] {
            let bytes = text.replacen("GET /", &format!("GET http://{authority}/"), 1).into_bytes();
            attempts.push(Attempt {
                name: format!("absolute at {authority}, for {host}"),
                bytes,
                status: 200,
                is_head: false,
            });
        }
    }
    let head = Draft::new(Method::HEAD, "/papers/secret/b");
    attempts.push(Attempt::new("a head", &signer.header(head), 200));
    let head = Draft::new(Method::HEAD, "/papers");
    attempts.push(Attempt::new("a bucket's head", &signer.header(head), 200));
    for (name, draft) in [
        ("two ranges", get("/papers/secret/b").header("range", "bytes=0-1,3-4")),
        ("a part", get("/papers/secret/b").query("partNumber", "1")),
        (
            "attributes",
            get("/papers/secret/b").query("attributes", "").header("x-amz-object-attributes", "ETag"),
        ),
        ("another type", get("/papers/secret/b").query("response-content-type", "text/html")),
        ("buckets", get("/")),
        ("keys", get("/papers")),
        ("keys, v2", get("/papers").query("list-type", "2")),
        ("keys of a prefix", get("/papers").query("prefix", "secret/")),
        ("versions", get("/papers").query("versions", "")),
        ("uploads", get("/papers").query("uploads", "")),
        ("the policy", get("/papers").query("policy", "")),
        ("rules", get("/papers").query("cors", "")),
        ("the place", get("/papers").query("location", "")),
    ] {
        let status = if name == "a part" { 206 } else { 200 };
        attempts.push(Attempt::new(name, &signer.header(draft), status));
    }
    attempts.push(Attempt::new("who am I", &sts(bench, &[("Action", "GetCallerIdentity")]), 200));
    attempts
}

/// A request to the token service.
pub(super) fn sts(bench: &Bench, fields: &[(&str, &str)]) -> Draft {
    let body = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F")))
        .collect::<Vec<_>>()
        .join("&");
    let hash = sha256(body.as_bytes());
    let draft = Draft::with_body(Method::POST, "/", body)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-amz-content-sha256", &hash);
    Signer { service: "sts".into(), ..signer(bench) }.header(draft)
}

/// Writes: each changes something where it is allowed.
pub(super) fn writes(bench: &Bench) -> Vec<Attempt> {
    let signer = signer(bench);
    let post =
        |path: &str, body: &str, marker: &str| Draft::with_body(Method::POST, path, body).query(marker, "");
    let copy = |from: &str, to: &str| Draft::put(to, "").header("x-amz-copy-source", from);
    let two = "<Delete><Object><Key>public/a</Key></Object><Object><Key>none</Key></Object></Delete>";
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let mut attempts: Vec<_> = [
        ("an object", Draft::put("/papers/new", "new"), 200),
        ("a copy", copy("/papers/secret/b", "/papers/copy"), 200),
        ("a copy into another bucket", copy("/papers/secret/b", "/notes/copy"), 200),
        ("an upload", post("/papers/begun", "", "uploads"), 200),
        ("tags", Draft::put("/papers/secret/b", tags).query("tagging", ""), 200),
        ("a bucket", Draft::put("/another", ""), 200),
        (
            "versioning",
            Draft::put(
                "/papers",
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            )
            .query("versioning", ""),
            200,
        ),
        ("two at once", post("/papers", two, "delete"), 200),
        ("a deletion", Draft::new(Method::DELETE, "/papers/new"), 204),
        ("no policy", Draft::new(Method::DELETE, "/papers").query("policy", ""), 204),
        ("no bucket", Draft::new(Method::DELETE, "/another"), 204),
    ]
    .into_iter()
    .map(|(name, draft, status)| Attempt::new(name, &signer.header(draft), status))
    .collect();
    let form = Form::new("/papers", "posted", "posted").signed(&signer);
    attempts.push(Attempt::new("a form", &form, 204));
    let form = Form::new("/papers", "posted", "posted").field("success_action_redirect", "http://10.1.0.1/");
    let form = form.condition(serde_json::json!({ "success_action_redirect": "http://10.1.0.1/" }));
    attempts.push(Attempt::new("a form with a redirect", &form.signed(&signer), 303));
    let assume = [("Action", "AssumeRole"), ("RoleArn", &bench.role), ("RoleSessionName", "a-test")];
    attempts.push(Attempt::new("a session", &sts(bench, &assume), 200));
    attempts
}

/// Requests by parts of an upload that is under way in `papers`.
pub(super) fn parts(bench: &Bench, upload: &str) -> Vec<Attempt> {
    let signer = signer(bench);
    let named = |draft: Draft| draft.query("uploadId", upload);
    let part = |number: &str, draft: Draft| named(draft.query("partNumber", number));
    let path = "/papers/secret/upload";
    [
        ("a part", part("1", Draft::put(path, "a part")), 200),
        (
            "a copied part",
            part("2", Draft::put(path, "").header("x-amz-copy-source", "/papers/secret/b")),
            200,
        ),
        ("parts", named(get(path)), 200),
        ("no upload", named(Draft::new(Method::DELETE, path)), 204),
    ]
    .into_iter()
    .map(|(name, draft, status)| Attempt::new(name, &signer.header(draft), status))
    .collect()
}
