//! People sign in at a real provider, by the management API.

use http::Method;
use nuee::{SignInIssuerSettings, SignInKind, TokenEndpointAuth};
use nuee_access::Resource;
use nuee_base::Role;
use nuee_testkit::{Answer, Place};
use serde_json::{Value, json};

use super::bench::{Browser, CLIENT_SECRET, Script, parameter};
use crate::api::Bench;

/// What the server is called; the provider sends browsers back there.
const HOST: &str = "console.localhost:9";
const CALLBACK: &str = "http://console.localhost:9/api/v1/issuers/callback";
const SIGNED_OUT: &str = "http://console.localhost:9/api/v1/issuers/signed-out";
/// Where a program would listen.
const PROGRAM: &str = "http://127.0.0.1:5/";

struct Stage {
    bench: Bench,
    provider: Option<Script>,
}

impl Stage {
    fn set() -> Self {
        Self::with("openid")
    }

    /// With a provider of this manner.
    fn with(manner: &str) -> Self {
        let provider = Script::start("provider.js", &[manner, CALLBACK]);
        let kind = if manner == "proconnect" { SignInKind::ProConnect } else { SignInKind::OpenId };
        Self { bench: Self::trusting(kind, &provider.told), provider: Some(provider) }
    }

    /// Where nobody comes as far as the issuer.
    fn without_provider() -> Self {
        Self { bench: Self::trusting(SignInKind::OpenId, "http://127.0.0.1:9"), provider: None }
    }

    fn trusting(kind: SignInKind, issuer: &str) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, CLIENT_SECRET).unwrap();
        let mut issuer = SignInIssuerSettings::new(kind, issuer, "nuee", secret);
        if kind == SignInKind::OpenId {
            issuer.token_endpoint_auth = TokenEndpointAuth::ClientSecretBasic;
        }
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
        self.code_in(&mut Browser::default(), login)
    }

    /// The same, with this browser.
    fn code_in(&self, browser: &mut Browser, login: &str) -> String {
        let begun = self.ask(&format!("/issuers/state/sign-in?return_to={PROGRAM}"), None);
        assert_eq!(begun.status, 303, "{}", begun.text());
        let cookie = begun.header("set-cookie").unwrap();
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap();
        let to_issuer = begun.header("location").unwrap();
        let query = browser.sign_in_for(to_issuer, &format!("login={login}"), CALLBACK);
        let callback = format!("/issuers/callback?{query}");
        assert_eq!(self.ask(&callback, None).status, 401, "another browser");
        let back = self.ask(&callback, Some(cookie));
        assert_eq!(back.status, 303, "{}", back.text());
        assert_eq!(self.ask(&callback, Some(cookie)).status, 401, "once");
        let place = back.header("location").unwrap();
        place.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix("?code=")).unwrap().to_owned()
    }

    /// Whether the provider asks somebody with this browser to sign in.
    fn is_asked(&self, browser: &mut Browser) -> bool {
        let begun = self.ask(&format!("/issuers/state/sign-in?return_to={PROGRAM}"), None);
        let answer = browser.ask(Method::GET, begun.header("location").unwrap(), "");
        answer.header("location").unwrap().contains("/interaction/")
    }

    /// Has Ada join and sign in with this browser; gives her token.
    fn join(&self, browser: &mut Browser) -> String {
        let invitation = self.invite(self.bench.organisation(Place::Schools), "ada@example.org");
        let (status, joined) = self.exchange(&self.code_in(browser, "ada"), Some(&invitation));
        assert_eq!(status, 201, "{joined}");
        joined["token"].as_str().unwrap().to_owned()
    }

    fn exchange(&self, code: &str, invitation: Option<&Value>) -> (u16, Value) {
        let shown = json!({ "code": code, "invitation": invitation });
        self.bench.call("", ("POST", "/issuers/exchanges"), Some(&shown))
    }

    fn invite(&self, place: Resource, email: &str) -> Value {
        self.invite_as(place, email, "reader")
    }

    fn invite_as(&self, place: Resource, email: &str, role: &str) -> Value {
        let owner = self.bench.join(&format!("owner-of-{email}"), place, Role::Owner);
        let offer = json!({ "email": email, "role": role });
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
fn sign_ins_of_one_address_that_do_not_end_are_bounded() {
    let stage = Stage::set();
    let begin = || stage.ask(&format!("/issuers/state/sign-in?return_to={PROGRAM}"), None);
    let first = begin();
    for _ in 1..250 {
        assert_eq!(begin().status, 303);
    }
    let refused = begin();
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.text().contains("\"code\":\"limit-exceeded\""), "{}", refused.text());
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=600).contains(&after), "{after}");
    let query = Browser::default().sign_in_for(first.header("location").unwrap(), "login=ada", CALLBACK);
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap();
    let back = stage.ask(&format!("/issuers/callback?{query}"), Some(cookie));
    assert_eq!(back.status, 303, "nobody's sign-in is lost: {}", back.text());
    assert_eq!(begin().status, 303, "one has ended");
}

#[test]
fn an_owner_by_one_factor_is_sent_back_to_the_issuer_for_another() {
    let stage = Stage::set();
    let invitation = stage.invite_as(stage.bench.organisation(Place::Schools), "ada@example.org", "owner");
    let (status, joined) = stage.exchange(&stage.code("ada"), Some(&invitation));
    assert_eq!(status, 201, "{joined}");
    let offer = json!({ "email": "bob@example.org", "role": "reader" });
    let asked = ("POST", "/organisations/education/invitations");
    let (_, refused) = stage.bench.call(joined["token"].as_str().unwrap(), asked, Some(&offer));
    let way = "nuee:CreateInvitation needs a sign-in by two factors: sign in again with two factors at your issuer: `nuee \
               login --two-factors --issuer NAME`";
    assert_eq!((&refused["code"], &refused["detail"]), (&json!("second-factor-needed"), &json!(way)));
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

/// Ada signs out here, and then at her issuer.
fn signs_out_at_the_issuer_too(manner: &str) {
    let stage = Stage::with(manner);
    let mut browser = Browser::default();
    let first = stage.join(&mut browser);
    assert!(!stage.is_asked(&mut browser), "she has a session at the provider");
    let (status, renewed) = stage.bench.call(&first, ("POST", "/sign-ins/current/renewals"), None);
    assert_eq!(status, 201, "{renewed}");
    let token = renewed["token"].as_str().unwrap();

    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let ended = stage.bench.send_to(HOST, ("DELETE", "/sign-ins/current"), &headers, None);
    assert_eq!(ended.status, 200, "{}", ended.text());
    let ended: Value = serde_json::from_slice(&ended.body).unwrap();
    assert_eq!(stage.bench.call(token, ("GET", "/sign-ins/current"), None).0, 401);
    assert!(!stage.is_asked(&mut browser), "nobody has gone there yet");
    assert_eq!(ended["issuer_session"]["issuer"], "state");
    let url = ended["issuer_session"]["sign_out_url"].as_str().unwrap();
    let [hint, state, back] = ["id_token_hint", "state", "post_logout_redirect_uri"]
        .map(|name| parameter(url, name).unwrap_or_default());
    assert_eq!((hint.split('.').count(), state.len() >= 32, &*back), (3, true, SIGNED_OUT), "{url}");

    let place = browser.sign_out(url, &stage.provider.as_ref().unwrap().told);
    assert_eq!(place, format!("{SIGNED_OUT}?state={state}"));
    assert!(stage.is_asked(&mut browser));
    let page = stage.ask(&format!("/issuers/signed-out?state={state}"), None);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("You have signed out, here and at state."), "{}", page.text());
    for query in ["", "?state=", "?state=another"] {
        assert_eq!(stage.ask(&format!("/issuers/signed-out{query}"), None).status, 404, "{query}");
    }
}

#[test]
fn whoever_signs_out_signs_out_at_an_ordinary_issuer_too() {
    signs_out_at_the_issuer_too("openid");
}

#[test]
fn whoever_signs_out_signs_out_at_proconnect_too() {
    signs_out_at_the_issuer_too("proconnect");
}

#[test]
fn an_issuer_without_a_way_out_is_named_and_the_sign_in_ends() {
    let stage = Stage::with("no-logout");
    let token = stage.join(&mut Browser::default());
    let ended = stage.bench.call(&token, ("DELETE", "/sign-ins/current"), None);
    let session = json!({ "issuer": "state", "sign_out_url": null });
    assert_eq!(ended, (200, json!({ "issuer_session": session })));
    assert_eq!(stage.bench.call(&token, ("GET", "/sign-ins/current"), None).0, 401);
}
