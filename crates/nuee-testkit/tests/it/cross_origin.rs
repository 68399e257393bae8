//! What browsers are told of scripts of other sites.

use http::Method;
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

const RULES: &str = "<CORSConfiguration>\
    <CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
    <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Authorization</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>\
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>\
    </CORSConfiguration>";

fn start() -> (Runtime, TestServer, Client) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut client = server.client(Place::Schools);
    for (path, body) in [("/bucket", ""), ("/silent", ""), ("/bucket/a", "content")] {
        assert_eq!(client.put(path, body).unwrap().status, 200);
    }
    let put = Draft::put("/bucket", RULES).query("cors", "");
    assert_eq!(client.send(put).unwrap().status, 200);
    (runtime, server, client)
}

fn preflight(client: &mut Client, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let draft = Draft::new(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    client.send_as_it_is(&draft).unwrap()
}

#[test]
fn a_preflight_is_answered_as_the_first_rule_that_matches_says() {
    let (_runtime, _server, mut client) = start();
    let site = "https://data.example.org";
    let answer = preflight(&mut client, "/bucket/new", site, "PUT", "authorization, X-Amz-Date");
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", site),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "authorization, x-amz-date"),
        ("access-control-expose-headers", "ETag, x-amz-version-id"),
        ("access-control-max-age", "3000"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let answer = preflight(&mut client, "/bucket", "https://elsewhere", "HEAD", "");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    for (path, origin, method, headers) in [
        ("/bucket/a", "https://example.com", "GET", ""),
        ("/bucket/a", site, "DELETE", ""),
        ("/bucket/a", site, "PUT", "content-type"),
        ("/silent/a", site, "GET", ""),
        ("/nowhere/a", site, "GET", ""),
    ] {
        let answer = preflight(&mut client, path, origin, method, headers);
        assert_eq!(answer.code(), "AccessDenied", "{path} {origin} {method} {headers}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let draft = Draft::new(Method::OPTIONS, "/bucket");
    assert_eq!(client.send_as_it_is(&draft).unwrap().code(), "InvalidRequest");
    // Where temporary keys are asked for, each page may come that has a token.
    let answer = preflight(&mut client, "/", site, "POST", "content-type");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(site)));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

/// Origins of the settings may use buckets that say nothing themselves, also before they exist.
#[test]
fn origins_of_the_settings_may_use_what_has_no_rules() {
    let runtime = Runtime::new().unwrap();
    let lab = "https://lab.example.org";
    let adapt = |settings: &mut nuee::Settings| settings.identity.browser_origins.push(lab.to_owned());
    let server = runtime.block_on(TestServer::start_with(nuee_base::Environment::system(), adapt)).unwrap();
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put("/silent", "").unwrap().status, 200);
    for path in ["/", "/silent", "/silent/a", "/nowhere"] {
        let asked = "Authorization,amz-sdk-invocation-id,x-amz-security-token,x-amz-checksum-crc32";
        let answer = preflight(&mut client, path, lab, "PUT", asked);
        assert_eq!(answer.header("access-control-allow-origin"), Some(lab), "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(asked.split(',').all(|name| allowed.contains(&name.to_ascii_lowercase())), "{allowed}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("ETag") && exposed.contains("x-amz-version-id"), "{exposed}");
        let stranger = preflight(&mut client, path, "https://example.com", "PUT", "");
        assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (403, None), "{path}");
    }
    let missing = client.send(Draft::new(Method::GET, "/nowhere/a").header("origin", lab)).unwrap();
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (404, Some(lab)));
}

#[test]
fn answers_and_errors_tell_the_browser_too() {
    let (_runtime, _server, mut client) = start();
    let site = "https://data.example.org";
    let get = |path: &str, origin: &str| Draft::new(Method::GET, path).header("origin", origin);
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let answer = client.send(get("/bucket/a", site)).unwrap();
    assert_eq!((answer.status, allowed(&answer)), (200, Some(site.to_owned())));
    assert_eq!(answer.header("access-control-expose-headers"), Some("ETag, x-amz-version-id"));
    let answer = client.send(get("/bucket/absent", site)).unwrap();
    assert_eq!((answer.status, allowed(&answer)), (404, Some(site.to_owned())));
    let answer = client.send_as_it_is(&get("/bucket/a", site)).unwrap();
    assert_eq!((answer.status, allowed(&answer)), (403, Some(site.to_owned())));
    for (path, origin) in [("/bucket/a", "https://elsewhere"), ("/silent", site)] {
        assert_eq!(allowed(&client.send(get(path, origin)).unwrap()), None, "{path} {origin}");
    }
}

#[test]
fn rules_come_back_as_they_were_set_and_go_again() {
    let (_runtime, _server, mut client) = start();
    let rules =
        |client: &mut Client| client.send(Draft::new(Method::GET, "/bucket").query("cors", "")).unwrap();
    let answer = rules(&mut client);
    assert_eq!(answer.elements("AllowedOrigin"), ["https://*.example.org", "*"]);
    assert_eq!(answer.elements("MaxAgeSeconds"), ["3000"]);
    for (document, code) in [
        ("<CORSConfiguration></CORSConfiguration>", "MalformedXML"),
        (
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
            "MalformedXML",
        ),
        (
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>",
            "InvalidRequest",
        ),
        ("<CORSConfiguration><CORSRule><Tomorrow/></CORSRule></CORSConfiguration>", "NotImplemented"),
    ] {
        let answer = client.send(Draft::put("/bucket", document).query("cors", "")).unwrap();
        assert_eq!(answer.code(), code, "{document}: {}", answer.text());
    }
    assert_eq!(rules(&mut client).elements("AllowedOrigin").len(), 2, "what is refused changes nothing");
    let delete = Draft::new(Method::DELETE, "/bucket").query("cors", "");
    assert_eq!(client.send(delete).unwrap().status, 204);
    assert_eq!(rules(&mut client).code(), "NoSuchCORSConfiguration");
}
