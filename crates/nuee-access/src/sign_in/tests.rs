//! Sign-ins that are refused, and the few that are not.

use aws_lc_rs::{digest, encoding::AsDer, hmac, signature::KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nuee_base::Environment;
use serde_json::{Value, json};

use super::*;
use crate::web_identity::tests::{Bench, ISSUER, NOW, encode, signed};

const NONCE: &str = "nonce-nonce-nonce-nonce-nonce-nonce-nonce-1";

/// What userinfo answers: its type, and the body.
type Info = (&'static str, String);

/// What becomes of a sign-in: the result of the check, for a token, userinfo and what was expected.
struct Case {
    what: &'static str,
    id_token: String,
    userinfo: Option<Info>,
    expected: Expected,
    party: RelyingParty,
}

fn party(bench: &Bench) -> RelyingParty {
    RelyingParty {
        issuer: bench.issuer.clone(),
        client_id: "nuee".to_owned(),
        scopes: ["email", "openid", "siret"].map(str::to_owned).to_vec(),
        multi_factor: ["eidas1-mfa", "eidas2"].map(str::to_owned).to_vec(),
        parameters: Parameters::OpenIdConnect,
        pkce: true,
        userinfo_algorithms: Vec::new(),
    }
}

fn proconnect(bench: &Bench) -> RelyingParty {
    RelyingParty { parameters: Parameters::ProConnect, pkce: false, ..party(bench) }
}

fn expected(multi_factor: bool) -> Expected {
    Expected { nonce: Secret::new(NONCE.to_owned()), verifier: None, multi_factor, max_age: None }
}

fn id_claims() -> Value {
    json!({ "iss": ISSUER, "sub": "f:ada", "aud": "nuee", "exp": NOW + 300, "iat": NOW, "nonce": NONCE,
            "acr": "eidas1-mfa", "auth_time": NOW - 100 })
}

fn info_claims() -> Value {
    json!({ "sub": "f:ada", "email": "ada@example.org", "email_verified": true, "given_name": "Ada",
            "usual_name": "Lovelace", "siret": "13002526500013" })
}

/// Claims with some replaced; null leaves one out.
fn with(mut claims: Value, changes: &Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims.to_string()
}

fn plain(changes: &Value) -> Info {
    ("application/json; charset=utf-8", with(info_claims(), changes))
}

impl Bench {
    fn id_token(&self, changes: &Value) -> String {
        self.token(&with(id_claims(), changes))
    }

    fn info_token(&self, changes: &Value) -> Info {
        let mut claims = info_claims();
        claims["iss"] = json!(ISSUER);
        claims["aud"] = json!("nuee");
        ("application/jwt", self.token(&with(claims, changes)))
    }

    fn case(&self, what: &'static str, changes: &Value) -> Case {
        Case {
            what,
            id_token: self.id_token(changes),
            userinfo: Some(plain(&json!({}))),
            expected: expected(true),
            party: party(self),
        }
    }

    fn with_token(&self, what: &'static str, id_token: String) -> Case {
        Case { id_token, ..self.case(what, &json!({})) }
    }

    fn with_info(&self, what: &'static str, userinfo: Info) -> Case {
        Case { userinfo: Some(userinfo), ..self.case(what, &json!({})) }
    }

    fn sign_in(&self, case: &Case) -> Result<SignedIn, SignInRefused> {
        let now = Timestamp::from_micros(NOW * 1_000_000);
        let id_token = Secret::new(case.id_token.clone());
        let known = case.party.check_id_token(&id_token, &self.keys, &case.expected, now)?;
        let userinfo = case.userinfo.as_ref().map(|(kind, body)| Userinfo::parse(kind, body.as_bytes()));
        case.party.complete(known, userinfo.transpose()?.as_ref(), &self.keys, now)
    }
}

#[test]
fn somebody_signs_in() {
    let bench = Bench::new();
    let demanding =
        |party: RelyingParty| RelyingParty { userinfo_algorithms: vec![Algorithm::Rs256], ..party };
    let max_age = Expected { max_age: Some(Duration::from_secs(50)), ..expected(true) };
    let accepted = [
        bench.case("plain userinfo", &json!({})),
        bench.with_info("signed userinfo", bench.info_token(&json!({}))),
        bench.with_info(
            "signed userinfo with its times",
            bench.info_token(&json!({ "exp": NOW, "iat": NOW })),
        ),
        Case {
            party: demanding(proconnect(&bench)),
            ..bench.with_info("signed userinfo, demanded", bench.info_token(&json!({})))
        },
        bench.case("several audiences", &json!({ "aud": ["nuee", "other"], "azp": "nuee" })),
        bench.case("expired within what clocks may be off", &json!({ "exp": NOW - 59 })),
        Case { expected: max_age, ..bench.case("young enough", &json!({})) },
    ];
    for case in accepted {
        let signed_in = bench.sign_in(&case).unwrap_or_else(|error| panic!("{}: {error}", case.what));
        assert_eq!((signed_in.issuer().as_str(), signed_in.subject()), ("lab", "f:ada"));
        assert!(signed_in.is_multi_factor() && signed_in.acr() == Some("eidas1-mfa"));
        assert_eq!(signed_in.id_token().expose(), case.id_token);
        let profile = Profile {
            email: Some("ada@example.org".to_owned()),
            email_verified: true,
            given_name: Some("Ada".to_owned()),
            usual_name: Some("Lovelace".to_owned()),
            siret: Some("13002526500013".to_owned()),
        };
        assert_eq!(*signed_in.profile(), profile, "{}", case.what);
    }
}

/// ID tokens that say what is refused.
fn out_of_order(bench: &Bench) -> Vec<Case> {
    let aged = |what, changes: &Value| Case {
        expected: Expected { max_age: Some(Duration::from_secs(30)), ..expected(true) },
        ..bench.case(what, changes)
    };
    vec![
        bench.case("another nonce", &json!({ "nonce": NONCE.replace('1', "2") })),
        bench.case("a longer nonce", &json!({ "nonce": format!("{NONCE}1") })),
        bench.case("an empty nonce", &json!({ "nonce": "" })),
        bench.case("no nonce", &json!({ "nonce": null })),
        bench.case("a nonce that is a list", &json!({ "nonce": [NONCE] })),
        bench.case("iss of somebody else", &json!({ "iss": "https://login.example.org/realms/other" })),
        bench.case("iss with a slash more", &json!({ "iss": format!("{ISSUER}/") })),
        bench.case("no iss", &json!({ "iss": null })),
        bench.case("aud of others", &json!({ "aud": "other" })),
        bench.case("aud of others, asked for by us", &json!({ "aud": "other", "azp": "nuee" })),
        bench.case("no aud", &json!({ "aud": null })),
        bench.case("several audiences and no azp", &json!({ "aud": ["nuee", "other"] })),
        bench.case("azp of others", &json!({ "azp": "other" })),
        bench.case("azp that is no text", &json!({ "azp": ["nuee"] })),
        bench.case(
            "several audiences and azp of others",
            &json!({ "aud": ["nuee", "other"], "azp": "other" }),
        ),
        bench.case("expired", &json!({ "exp": NOW - 60 })),
        bench.case("no exp", &json!({ "exp": null })),
        bench.case("iat ahead", &json!({ "iat": NOW + 61 })),
        bench.case("no iat", &json!({ "iat": null })),
        bench.case("nbf ahead", &json!({ "nbf": NOW + 61 })),
        bench.case("no sub", &json!({ "sub": null })),
        bench.case("acr weaker than demanded", &json!({ "acr": "eidas1" })),
        bench.case("acr unknown", &json!({ "acr": "eidas1-mfa " })),
        bench.case("acr in another case", &json!({ "acr": "EIDAS1-MFA" })),
        bench.case("no acr", &json!({ "acr": null })),
        bench.case("acr that is a list", &json!({ "acr": ["eidas1-mfa"] })),
        bench.case("amr instead of acr", &json!({ "acr": null, "amr": ["mfa"] })),
        aged("authenticated too long ago", &json!({})),
        aged("not said when", &json!({ "auth_time": null })),
        aged("authenticated in the future", &json!({ "auth_time": NOW + 61 })),
        aged("authenticated at no time", &json!({ "auth_time": "now" })),
        bench.case("too long for the URL of a logout", &json!({ "note": "a".repeat(6_000) })),
    ]
}

/// ID tokens that are signed otherwise than they may be.
fn forged(bench: &Bench) -> Vec<Case> {
    let body = id_claims().to_string();
    let public = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(bench.rsa.public_key()).unwrap();
    let public = public.as_ref().to_vec();
    let shared = |text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), text.as_bytes()).as_ref().to_vec()
    };
    let by_other = |text: &str| bench.rs256(&bench.other, text);
    let edwards = |text: &str| bench.edwards.sign(text.as_bytes()).as_ref().to_vec();
    let by_us = |text: &str| bench.rs256(&bench.rsa, text);
    let good = bench.id_token(&json!({}));
    let mut parts = good.split('.');
    let (head, signature) = (parts.next().unwrap(), parts.next_back().unwrap());
    let changed = encode(with(id_claims(), &json!({ "sub": "f:eve" })));
    vec![
        bench.with_token("alg none", signed(r#"{"alg":"none"}"#, &body, |_| Vec::new())),
        bench.with_token("HS256 with the public key", signed(r#"{"alg":"HS256","kid":"r"}"#, &body, shared)),
        bench.with_token("HS256 with a published secret", {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"a shared secret");
            signed(r#"{"alg":"HS256","kid":"s"}"#, &body, |text| {
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            })
        }),
        bench.with_token("an algorithm of others", signed(r#"{"alg":"EdDSA","kid":"o"}"#, &body, edwards)),
        bench.with_token("a key of others", signed(r#"{"alg":"RS256","kid":"r"}"#, &body, by_other)),
        bench.with_token("an unknown key", signed(r#"{"alg":"RS256","kid":"new"}"#, &body, by_us)),
        bench.with_token(
            "an access token",
            signed(r#"{"alg":"RS256","kid":"r","typ":"at+jwt"}"#, &body, by_us),
        ),
        bench.with_token("a logout token", signed(r#"{"alg":"RS256","typ":"logout+jwt"}"#, &body, by_us)),
        bench.with_token("another body", format!("{head}.{changed}.{signature}")),
        bench.with_token("no signature", format!("{}.", good.rsplit_once('.').unwrap().0)),
        bench.with_token("encrypted", format!("{good}.a.b")),
        bench.with_token("nothing", String::new()),
    ]
}

/// Userinfo that is refused.
fn uninformed(bench: &Bench) -> Vec<Case> {
    let demanding = |what, userinfo: Info| Case {
        party: RelyingParty { userinfo_algorithms: vec![Algorithm::Es256], ..party(bench) },
        ..bench.with_info(what, userinfo)
    };
    let claims = json!({ "iss": ISSUER, "aud": "nuee", "sub": "f:ada" }).to_string();
    let info = |what, body: &str, head: &str| {
        let token = signed(head, body, |text| bench.rs256(&bench.rsa, text));
        bench.with_info(what, ("application/jwt", token))
    };
    vec![
        bench.with_info("of another person", plain(&json!({ "sub": "f:eve" }))),
        bench.with_info("of nobody", plain(&json!({ "sub": null }))),
        bench.with_info("of a list", plain(&json!({ "sub": ["f:ada"] }))),
        bench.with_info("of another person, signed", bench.info_token(&json!({ "sub": "f:eve" }))),
        bench.with_info("for others", bench.info_token(&json!({ "aud": "other" }))),
        bench.with_info("for nobody", bench.info_token(&json!({ "aud": null }))),
        bench.with_info("of another issuer", bench.info_token(&json!({ "iss": "https://example.org" }))),
        bench.with_info("of no issuer", bench.info_token(&json!({ "iss": null }))),
        bench.with_info("expired", bench.info_token(&json!({ "exp": NOW - 60 }))),
        info("an access token", &claims, r#"{"alg":"RS256","kid":"r","typ":"at+jwt"}"#),
        info("alg none", &claims, r#"{"alg":"none"}"#),
        demanding("plain where a signature is demanded", plain(&json!({}))),
        Case { userinfo: None, ..demanding("none where a signature is demanded", plain(&json!({}))) },
        demanding("signed with another algorithm than is demanded", bench.info_token(&json!({}))),
        bench.with_info("a token as JSON", ("application/json", bench.info_token(&json!({})).1)),
        bench.with_info("JSON as a token", ("application/jwt", plain(&json!({})).1)),
        bench.with_info("a page", ("text/html", info_claims().to_string())),
        bench.with_info("no type", ("", info_claims().to_string())),
        bench.with_info("a list", ("application/json", "[]".to_owned())),
        bench.with_info("cut", ("application/json", r#"{"sub":"f:ada""#.to_owned())),
        bench.with_info("sub twice", ("application/json", r#"{"sub":"f:eve","sub":"f:ada"}"#.to_owned())),
        bench.with_info("too long", plain(&json!({ "note": "a".repeat(64 << 10) }))),
    ]
}

#[test]
fn what_is_not_in_order_signs_nobody_in() {
    let bench = Bench::new();
    let refused: Vec<Case> =
        out_of_order(&bench).into_iter().chain(forged(&bench)).chain(uninformed(&bench)).collect();
    for case in &refused {
        assert!(bench.sign_in(case).is_err(), "left in: {}", case.what);
    }
    println!("{} sign-ins are refused", refused.len());
}

#[test]
fn refusals_say_why() {
    let bench = Bench::new();
    let why = |case: Case| bench.sign_in(&case).unwrap_err();
    assert_eq!(why(bench.case("", &json!({ "nonce": "x" }))), SignInRefused::Nonce);
    let said = why(bench.case("", &json!({ "acr": "eidas1" }))).to_string();
    assert!(said.contains("multi-factor") && said.contains("\"eidas1\" (acr)"), "{said}");
    let said = why(bench.case("", &json!({ "exp": NOW - 90 }))).to_string();
    assert_eq!(said, "ID token: the token has expired");
    assert_eq!(why(bench.with_info("", plain(&json!({ "sub": "x" })))), SignInRefused::OtherPerson);
}

#[test]
fn one_factor_is_enough_where_no_more_is_demanded() {
    let bench = Bench::new();
    let one = |acr: &str, multi_factor: &[&str], amr: Value| {
        let mut case = bench.case("", &json!({ "acr": acr, "amr": amr }));
        case.expected = expected(false);
        case.party.multi_factor = multi_factor.iter().map(|text| (*text).to_owned()).collect();
        bench.sign_in(&case).unwrap().is_multi_factor()
    };
    assert!(!one("eidas1", &["eidas1-mfa"], json!(["pwd"])));
    assert!(!one("eidas1", &["eidas1-mfa"], json!(["mfa"])), "the settings say what counts");
    assert!(one("eidas1-mfa", &["eidas1-mfa"], Value::Null));
    assert!(one("0", &[], json!(["pwd", "mfa"])));
    assert!(!one("0", &[], json!("pwd")));
}

#[test]
fn what_cannot_be_used_of_a_profile_is_left_out() {
    let bench = Bench::new();
    let profile = |userinfo: Value, id_token: &Value| {
        let case = Case { userinfo: Some(plain(&userinfo)), ..bench.case("", id_token) };
        bench.sign_in(&case).unwrap().profile().clone()
    };
    let odd = profile(
        json!({ "email": "no address", "given_name": "a\nb", "usual_name": "a".repeat(257), "siret": "1300252650001" }),
        &json!({}),
    );
    assert_eq!(odd, Profile::default());
    let unverified = profile(json!({ "email_verified": "true" }), &json!({}));
    assert!(!unverified.email_verified, "a text is not true");
    let of_token = json!({ "email": "eve@example.org", "email_verified": true, "family_name": "L" });
    let mixed = profile(json!({ "email_verified": null, "usual_name": null }), &of_token);
    assert_eq!((mixed.email.as_deref(), mixed.email_verified), (Some("ada@example.org"), false));
    assert_eq!(mixed.usual_name.as_deref(), Some("L"));
    let token_alone = profile(json!({ "email": null, "email_verified": null }), &of_token);
    assert_eq!((token_alone.email.as_deref(), token_alone.email_verified), (Some("eve@example.org"), true));
}

/// The parameters of a URL, in their order.
fn parameters(url: &str) -> Vec<(String, String)> {
    let (_, query) = url.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[test]
fn a_request_asks_for_a_code_that_is_bound_to_it() {
    let bench = Bench::new();
    let environment = Environment::system();
    let ask = |wishes: &Wishes| {
        party(&bench).ask(
            "https://login.example.org/auth?x=1",
            "https://n.example.org/cb",
            wishes,
            &environment,
        )
    };
    let asked = ask(&Wishes::default()).unwrap();
    let verifier = asked.expected.verifier().unwrap().expose();
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let (state, nonce) = (asked.state.expose(), asked.expected.nonce.expose());
    let pairs = [
        ("x", "1"),
        ("response_type", "code"),
        ("client_id", "nuee"),
        ("redirect_uri", "https://n.example.org/cb"),
        ("scope", "openid email siret"),
        ("state", state),
        ("nonce", nonce),
        ("code_challenge", &*challenge),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(
        parameters(asked.url.expose()),
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    for text in [state, nonce, verifier] {
        assert_eq!(text.len(), 43);
    }
    assert!(state != nonce && nonce != verifier);
    let again = ask(&Wishes::default()).unwrap();
    assert!(again.state.expose() != state && again.expected.nonce.expose() != nonce);
    let max_age = Some(Duration::from_mins(5));
    let wishes = Wishes { multi_factor: true, prompt: Some(Prompt::Login), max_age, ..Wishes::default() };
    let pairs = parameters(ask(&wishes).unwrap().url.expose());
    let claims = r#"{"id_token":{"acr":{"essential":true,"values":["eidas1-mfa","eidas2"]}}}"#;
    for (name, value) in [("claims", claims), ("prompt", "login"), ("max_age", "300")] {
        assert!(pairs.contains(&(name.to_owned(), value.to_owned())), "{name}: {pairs:?}");
    }
    assert!(!format!("{asked:?}").contains(nonce), "secrets stay");
}

#[test]
fn proconnect_is_sent_what_it_takes_and_nothing_else() {
    let bench = Bench::new();
    let ask = |wishes: &Wishes| {
        proconnect(&bench).ask(
            "https://p.example.org/authorize",
            "https://n.example.org/cb",
            wishes,
            &Environment::system(),
        )
    };
    let wishes = Wishes {
        multi_factor: true,
        prompt: Some(Prompt::Nothing),
        login_hint: Some("ada@example.org".to_owned()),
        idp_hint: Some("71144ab3-ee1a-4401-b7b3-79b44f7daeeb".to_owned()),
        max_age: None,
    };
    let asked = ask(&wishes).unwrap();
    let names: Vec<String> = parameters(asked.url.expose()).into_iter().map(|(name, _)| name).collect();
    let taken = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "claims",
        "prompt",
        "login_hint",
        "idp_hint",
    ];
    assert_eq!(names, taken);
    assert!(asked.expected.verifier().is_none());
    let max_age = Wishes { max_age: Some(Duration::from_mins(5)), ..Wishes::default() };
    assert_eq!(ask(&max_age).unwrap_err().to_string(), "ProConnect does not take max_age");
    assert!(ask(&Wishes { prompt: Some(Prompt::Login), ..Wishes::default() }).is_err());
    let long =
        Wishes { login_hint: Some("a".repeat(255)), idp_hint: Some("a\nb".to_owned()), ..Wishes::default() };
    assert!(!ask(&long).unwrap().url.expose().contains("hint"));
}

#[test]
fn the_way_out_names_the_session_and_the_way_back() {
    let (environment, id_token) = (Environment::system(), Secret::new("head.body.signature".to_owned()));
    let leave =
        Leave::new("https://p.example.org/end", &id_token, "https://n.example.org/?bye=1", &environment);
    let pairs = [
        ("id_token_hint", "head.body.signature"),
        ("state", leave.state.expose()),
        ("post_logout_redirect_uri", "https://n.example.org/?bye=1"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(parameters(leave.url.expose()), pairs);
    assert!(leave.state.expose().len() >= 32 && !format!("{leave:?}").contains("signature"));
}

#[test]
fn what_a_browser_brings_back_is_a_code_or_a_reason() {
    let callback = Callback::parse("code=a%2Bb&state=s&iss=https%3A%2F%2Fp.example.org").unwrap();
    assert_eq!((callback.state.expose(), callback.outcome.unwrap().expose()), ("s", "a+b"));
    assert_eq!(callback.issuer.as_deref(), Some("https://p.example.org"));
    let refused = "error=access_denied&error_description=User+aborted%0a%E2%80%AE+%3Cb%3E&state=s";
    let says = Callback::parse(refused).unwrap().outcome.unwrap_err();
    let said = says.to_string();
    assert!(
        said.starts_with("the issuer answers access_denied: the person or the issuer did not agree"),
        "{said}"
    );
    assert!(said.contains("User aborted") && !said.contains(['\n', '\u{202e}']), "{said}");
    let malformed = [
        "",
        "code=a",
        "state=s",
        "state=&code=a",
        "state=s&code=",
        "state=s&state=t&code=a",
        "state=s&code=a&code=b",
        "state=s&code=a&error=x",
        "state=s&code=a&iss=x&iss=y",
        &format!("state=s&code={}", "a".repeat(8 << 10)),
    ];
    for query in malformed {
        assert!(Callback::parse(query).is_err(), "{query}");
    }
    println!("{} answers of browsers are refused", malformed.len());
    let says =
        IssuerSays::read(br#"{"error":"invalid_client","error_description":"client authentication failed"}"#);
    assert_eq!(
        says.unwrap().to_string(),
        "the issuer answers invalid_client: client_id or client_secret_file is not what it has registered (client \
         authentication failed)"
    );
    assert_eq!(IssuerSays::read(b"<html>"), None);
    assert_eq!(IssuerSays::read(br#"{"error":7}"#), None);
}
