//! People sign in at a real provider, by the management API.

use nuee::{SignInIssuerSettings, SignInKind, TokenEndpointAuth};
use nuee_access::Resource;
use nuee_base::Role;
use nuee_testkit::{Answer, Place};
use serde_json::{Value, json};

use super::bench::{Browser, CLIENT_SECRET, Script};
use crate::api::Bench;

/// What the server is called; the provider sends browsers back there.
const HOST: &str = "console.localhost:9";
const CALLBACK: &str = "http://console.localhost:9/api/v1/issuers/callback";
/// Where a program would listen.
const PROGRAM: &str = "http://127.0.0.1:5/";

struct Stage {
    bench: Bench,
    _provider: Option<Script>,
}

impl Stage {
    fn set() -> Self {
        let provider = Script::start("provider.js", &["openid", CALLBACK]);
        let bench = Self::trusting(&provider.told);
        Self { bench, _provider: Some(provider) }
    }

    /// Where nobody comes as far as the issuer.
    fn without_provider() -> Self {
        Self { bench: Self::trusting("http://127.0.0.1:9"), _provider: None }
    }

    fn trusting(issuer: &str) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, CLIENT_SECRET).unwrap();
        let mut issuer = SignInIssuerSettings::new(SignInKind::OpenId, issuer, "nuee", secret);
        issuer.token_endpoint_auth = TokenEndpointAuth::ClientSecretBasic;
        Bench::start_with(|settings| {
            settings.sign_in.issuers.insert("state".to_owned(), issuer);
        })
    }

    fn ask(&self, path: &str, cookie: Option<&str>) -> Answer {
        let headers: Vec<_> = cookie.into_iter().map(|cookie| ("cookie", cookie)).collect();
        self.bench.send_to(HOST, ("GET", path), &headers, None)
    }

    /// Has somebody sign in with a browser; gives the code that a program is brought.
    fn code(&self, login: &str) -> String {
        let begun = self.ask(&format!("/issuers/state/sign-in?return_to={PROGRAM}"), None);
        assert_eq!(begun.status, 303, "{}", begun.text());
        let cookie = begun.header("set-cookie").unwrap();
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap();
        let to_issuer = begun.header("location").unwrap();
        let query = Browser::default().sign_in_for(to_issuer, &format!("login={login}"), CALLBACK);
        let callback = format!("/issuers/callback?{query}");
        assert_eq!(self.ask(&callback, None).status, 401, "another browser");
        let back = self.ask(&callback, Some(cookie));
        assert_eq!(back.status, 303, "{}", back.text());
        assert_eq!(self.ask(&callback, Some(cookie)).status, 401, "once");
        let place = back.header("location").unwrap();
        place.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix("?code=")).unwrap().to_owned()
    }

    fn exchange(&self, code: &str, invitation: Option<&Value>) -> (u16, Value) {
        let shown = json!({ "code": code, "invitation": invitation });
        self.bench.call("", ("POST", "/issuers/exchanges"), Some(&shown))
    }

    fn invite(&self, place: Resource, email: &str) -> Value {
        let owner = self.bench.join(&format!("owner-of-{email}"), place, Role::Owner);
        let offer = json!({ "email": email, "role": "reader" });
        let (status, made) =
            self.bench.call(&owner.token, ("POST", "/organisations/education/invitations"), Some(&offer));
        assert_eq!(status, 201, "{made}");
        made["token"].clone()
    }
}

#[test]
fn whoever_an_issuer_knows_becomes_a_user_by_an_invitation_and_is_one_from_then_on() {
    let stage = Stage::set();
    let (_, listed) = stage.bench.call("", ("GET", "/issuers"), None);
    assert_eq!(listed["items"][0]["name"], "state", "{listed}");
    let code = stage.code("ada");
    let (status, refused) = stage.exchange(&code, None);
    assert_eq!((status, &refused["code"]), (403, &json!("not-a-user")), "{refused}");
    assert_eq!(stage.exchange(&code, None).0, 401, "a code does once");

    let organisation = stage.bench.organisation(Place::Schools);
    let invitation = stage.invite(organisation, "ada@example.org");
    let other = stage.exchange(&stage.code("grace"), Some(&invitation));
    assert_eq!((other.0, &other.1["code"]), (403, &json!("denied")), "the invitation is for another address");
    let (status, joined) = stage.exchange(&stage.code("ada"), Some(&invitation));
    assert_eq!((status, &joined["user"]["email"]), (201, &json!("ada@example.org")), "{joined}");
    let (status, again) = stage.exchange(&stage.code("ada"), None);
    assert_eq!((status, &again["user"]["id"]), (201, &joined["user"]["id"]), "{again}");
    let token = again["token"].as_str().unwrap();
    let (_, who) = stage.bench.call(token, ("GET", "/sign-ins/current"), None);
    assert_eq!((&who["rights"][0]["role"], &who["multi_factor"]), (&json!("reader"), &json!(false)), "{who}");
    let (status, refused) = stage.bench.call(token, ("POST", "/account/second-factor"), None);
    assert_eq!((status, &refused["code"]), (409, &json!("conflict")), "{refused}");
}

#[test]
fn a_browser_is_sent_to_a_program_of_its_machine_alone() {
    let stage = Stage::without_provider();
    for place in [
        "https://evil.example/",
        "//evil.example/",
        "http://127.0.0.1.evil.example:1/",
        "http://evil.example:1/",
        "/projects",
        "",
    ] {
        let answer = stage.ask(&format!("/issuers/state/sign-in?return_to={place}"), None);
        assert_eq!(answer.status, 422, "{place}: {}", answer.text());
    }
    assert_eq!(stage.ask(&format!("/issuers/none/sign-in?return_to={PROGRAM}"), None).status, 404);
}
