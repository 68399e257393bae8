//! A crawl of both listeners, and of the management API by its name, by somebody without credentials: what it gets is what is written down here, and nothing
//! else.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    net::SocketAddr,
};

use http::Method;
use nuee_testkit::{Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

/// All that is open to everybody, whatever the query.
const OPEN: [&str; 14] = [
    "admin GET /api/v1/openapi.json",
    "admin GET /health/live",
    "admin GET /health/ready",
    "admin GET /metrics",
    "admin HEAD /api/v1/openapi.json",
    "admin HEAD /health/live",
    "admin HEAD /health/ready",
    "admin HEAD /metrics",
    "api GET /api/v1/issuers",
    "api GET /api/v1/journal/key",
    "api GET /api/v1/openapi.json",
    "api HEAD /api/v1/issuers",
    "api HEAD /api/v1/journal/key",
    "api HEAD /api/v1/openapi.json",
];

const METHODS: &str = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND COPY";

/// Where servers of every kind have something; `/bucket/key` is there.
const PATHS: &str = "
    * / // /. /.. /%2e%2e/%2e%2e/etc/passwd /%00 /bucket /bucket/ /bucket// /bucket/key /bucket/key/ /key
    /bucket%2Fkey /bucket/../bucket/key /other /other/key http://127.0.0.1/bucket/key /health /health/
    /health/live /health/live/ /health/ready /health/ready/ /healthz /health/startup /livez /live /readyz
    /ready /ping /up /status /version /info /metrics /metrics/ /Metrics /metrics/json /stats
    /minio/health/live /minio/v2/metrics/cluster /minio/admin/v3/info /debug /debug/pprof/ /debug/vars
    /debug/heap /trace /log /logs /config /env /actuator /actuator/env /server-status /admin /admin/
    /admin/keys /admin/v1 /console /login /logout /signup /setup /ui /dashboard /api /api/v1
    /api/v1/openapi.json /api/v1/issuers /api/v1/issuers/callback /api/v1/issuers/signed-out /api/v1/journal/key
    /api/v1/sign-ins /api/v1/sign-ins/current /api/v1/invitations/acceptances
    /api/v1/password-resets /api/v1/requests /api/v1/account/password /api/v1/organisations/education
    /api/v1/organisations/education/journal/export /api/v1/organisations/education/projects/schools/buckets
    /api/v1/organisations /api/v1/projects /api/v1/service-accounts /v1 /v1/sys/health /graphql
    /openapi.json /swagger.json /swagger-ui/ /docs /sts /iam /oauth2/token /.well-known/security.txt
    /.well-known/openid-configuration /.well-known/acme-challenge/x /.well-known/jwks.json /favicon.ico
    /robots.txt /sitemap.xml /crossdomain.xml /index.html /manifest.json /service-worker.js /static/
    /assets/ /.env /.git/config /.git/HEAD /backup /metadata.sqlite /keys/root.key /shutdown /reload
    /rotate
";

/// What may follow the path: each sub-resource of S3, and what makes other servers talk.
const QUERIES: &str = "
    abac accelerate acl analytics annotation attributes cors delete encryption events intelligent-tiering
    inventory legal-hold lifecycle list-type=2 location logging max-keys=0 metadataConfiguration
    metadataTable metrics notification object-lock ownershipControls partNumber=1 partNumber=1&uploadId=x
    policy policyStatus prefix=k publicAccessBlock renameObject replication requestPayment
    response-content-type=text/html restore retention select&select-type=2 session tagging torrent
    uploadId=x uploads versionId=null versioning versions website x-id=GetObject debug=1 pretty
    format=json Action=AssumeRole&Version=2011-06-15 Action=ListUsers
    Action=AssumeRoleWithWebIdentity&WebIdentityToken=x&Version=2011-06-15 Action=GetCallerIdentity
    AWSAccessKeyId=x&Signature=x&Expires=4102444800 X-Amz-Algorithm=AWS4-HMAC-SHA256 X-Amz-Signature=x
    token=x admin health
";

/// Headers that could open a door.
const HEADERS: &[(&str, &str)] = &[
    ("host", "bucket.s3.localhost"),
    ("authorization", "Basic cm9vdDpyb290"),
    ("authorization", "Bearer x"),
    ("authorization", ""),
    ("cookie", "session=x"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-original-url", "/metrics"),
    ("x-http-method-override", "GET"),
    ("x-amz-acl", "public-read"),
    ("x-amz-copy-source", "/bucket/key"),
    ("origin", "https://example.org"),
    ("upgrade", "h2c"),
];

const CONTENT: &str = "what is kept";

fn draft(method: &str, path: &str) -> Draft {
    Draft::with_body(method.parse::<Method>().unwrap(), path, "")
}

/// Each path alone, with each query, and with each header.
fn requests(method: &str) -> impl Iterator<Item = Draft> {
    PATHS.split_whitespace().flat_map(move |path| {
        let asked = QUERIES.split_whitespace().map(move |query| draft(method, &format!("{path}?{query}")));
        iter::once(draft(method, path))
            .chain(asked)
            .chain(HEADERS.iter().map(move |(name, value)| draft(method, path).set(name, value)))
    })
}

/// What answers with success, with one request of each.
fn crawl(name: &str, address: SocketAddr, host: Option<&str>) -> BTreeMap<String, String> {
    // It never signs.
    let mut client = Client::new(address, "", "");
    let mut open = BTreeMap::new();
    for draft in METHODS.split_whitespace().flat_map(requests) {
        let draft = host.into_iter().fold(draft, |draft, host| draft.set("host", host));
        let answer = client.send_as_it_is(&draft).unwrap();
        let asked = format!("{} {} {:?}", draft.method, draft.path, draft.headers);
        assert!(!answer.text().contains(CONTENT), "{name} {asked}: {}", answer.text());
        if answer.status < 400 {
            let path = draft.path.split('?').next().unwrap_or_default();
            let found = format!("{name} {} {path}", draft.method);
            open.entry(found).or_insert_with(|| format!("{}: {asked}", answer.status));
        }
    }
    open
}

#[test]
fn nothing_is_open_but_what_is_meant_to_be() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut owner = server.client(Place::Schools);
    assert_eq!(owner.put("/bucket", "").unwrap().status, 200);
    assert_eq!(owner.put("/bucket/key", CONTENT).unwrap().status, 200);
    let addresses = server.addresses();
    let mut found = crawl("s3", addresses.s3, None);
    found.append(&mut crawl("admin", addresses.admin, None));
    found.append(&mut crawl("api", addresses.s3, Some("console.localhost")));
    let open: BTreeSet<_> = found.keys().map(String::as_str).collect();
    assert_eq!(open, BTreeSet::from(OPEN), "{found:#?}");
    // What was asked for was there all the time.
    assert_eq!(owner.get("/bucket/key").unwrap().text(), CONTENT);
    assert_eq!(owner.list("/bucket").unwrap(), ["key"]);
}
