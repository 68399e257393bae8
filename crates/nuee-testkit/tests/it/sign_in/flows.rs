//! People who sign in at a real provider, in the manner of an ordinary one and in that of ProConnect.

use std::time::Duration;

use nuee::{SignInFailed, SignInKind, SignInStart, TokenEndpointAuth};
use nuee_access::{Prompt, SignInRefused, Wishes};
use nuee_base::Secret;
use nuee_base::Zone;

use super::bench::{Bench, Browser, CALLBACK, Script, parameter, start};

fn openid() -> (Script, Bench) {
    let provider = Script::start("provider.js", &["openid", CALLBACK]);
    let bench = Bench::with_one(SignInKind::OpenId, &provider.told, |settings| {
        settings.token_endpoint_auth = TokenEndpointAuth::ClientSecretBasic;
    });
    (provider, bench)
}

fn proconnect() -> (Script, Bench) {
    let provider = Script::start("provider.js", &["proconnect", CALLBACK]);
    let bench = Bench::with_one(SignInKind::ProConnect, &provider.told, |_| {});
    (provider, bench)
}

fn multi_factor() -> Wishes {
    Wishes { multi_factor: true, ..Wishes::default() }
}

#[test]
fn somebody_signs_in_at_an_ordinary_issuer() {
    let (_provider, bench) = openid();
    let begun = bench.begin("state", Wishes::default()).unwrap();
    assert_eq!(parameter(begun.url.expose(), "scope").unwrap(), "openid email profile");
    assert_eq!(parameter(begun.url.expose(), "code_challenge_method").unwrap(), "S256");
    let query = Browser::default().sign_in(begun.url.expose(), "login=ada");
    let done = bench.finish(&begun, &query).unwrap();
    assert_eq!(done.return_to.as_str(), "/projects");
    let (who, profile) = (&done.signed_in, done.signed_in.profile());
    assert_eq!((who.issuer().as_str(), who.subject(), who.is_multi_factor()), ("state", "id-of-ada", false));
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("ada@example.org"), true));
    assert_eq!(
        (profile.given_name.as_deref(), profile.usual_name.as_deref()),
        (Some("ada"), Some("Lovelace"))
    );
    assert_eq!(profile.siret, None, "it was not asked for");
    let again = bench.finish(&begun, &query).unwrap_err();
    assert!(matches!(again, SignInFailed::Unknown(_)), "a state is good once: {again}");
}

#[test]
fn somebody_signs_in_in_proconnect_s_manner() {
    let (provider, bench) = proconnect();
    let wishes = Wishes { login_hint: Some("ada@example.org".to_owned()), ..multi_factor() };
    let begun = bench.begin("state", wishes).unwrap();
    for name in ["state", "nonce"] {
        assert!(parameter(begun.url.expose(), name).unwrap().len() >= 32, "{name}");
    }
    let claims = r#"{"id_token":{"acr":{"essential":true,"values":["eidas1-mfa","eidas2","eidas3"]}}}"#;
    assert_eq!(parameter(begun.url.expose(), "claims").unwrap(), claims);
    assert_eq!(parameter(begun.url.expose(), "code_challenge"), None);
    let mut browser = Browser::default();
    let query = browser.sign_in(begun.url.expose(), "login=ada&acr=eidas1-mfa");
    let done = bench.finish(&begun, &query).unwrap();
    let (who, profile) = (&done.signed_in, done.signed_in.profile());
    assert_eq!((who.acr(), who.is_multi_factor()), (Some("eidas1-mfa"), true));
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("ada@example.org"), false));
    assert_eq!(profile.usual_name.as_deref(), Some("Lovelace"));
    assert_eq!(profile.siret.as_deref(), Some("13002526500013"));

    let back = CALLBACK.replace("/callback", "/signed-out");
    let leave = bench.sign_ins.leave(who.issuer().as_str(), who.id_token(), &back);
    let leave = bench.block_on(leave).unwrap().unwrap();
    let place = browser.sign_out(leave.url.expose(), &provider.told);
    assert_eq!(place, format!("{back}?state={}", leave.state.expose()));

    // Nobody is signed in there any longer.
    let silent = bench.begin("state", Wishes { prompt: Some(Prompt::Nothing), ..Wishes::default() }).unwrap();
    let query = browser.sign_in(silent.url.expose(), "");
    let said = bench.finish(&silent, &query).unwrap_err().to_string();
    assert!(said.contains("login_required: nobody is signed in there"), "{said}");
}

/// The issuer says what the form says; what counts is what is checked here.
#[test]
fn one_factor_is_not_enough_where_two_are_demanded() {
    let (_provider, bench) = proconnect();
    let attempt = |wishes: Wishes, acr: &str| {
        let begun = bench.begin("state", wishes).unwrap();
        // What is demanded does not reach the issuer: it says how somebody signed in, whatever that was.
        let (head, _) = begun.url.expose().split_once("&claims=").unwrap_or((begun.url.expose(), ""));
        let url = format!("{head}&claims=%7B%22id_token%22%3A%7B%22acr%22%3Anull%7D%7D");
        let query = Browser::default().sign_in(&url, &format!("login=ada&acr={acr}"));
        bench.finish(&begun, &query).map(|done| done.signed_in)
    };
    let refused = attempt(multi_factor(), "eidas1").unwrap_err();
    assert!(matches!(&refused, SignInFailed::Refused(_, SignInRefused::OneFactor(_))), "{refused}");
    assert!(refused.to_string().contains("\"eidas1\" (acr)"), "{refused}");
    assert!(attempt(multi_factor(), "eidas2").unwrap().is_multi_factor());
    assert!(!attempt(Wishes::default(), "eidas1").unwrap().is_multi_factor());
}

#[test]
fn somebody_who_does_not_agree_is_told_so() {
    let (_provider, bench) = proconnect();
    let begun = bench.begin("state", Wishes::default()).unwrap();
    let query = Browser::default().sign_in(begun.url.expose(), "login=");
    let said = bench.finish(&begun, &query).unwrap_err().to_string();
    assert!(said.contains("access_denied") && said.contains("nobody agreed"), "{said}");
}

/// What a browser brings back instead of `query`, in which the issuer calls itself `iss`.
type Change = fn(query: &str, iss: &str) -> String;

/// None of these ends a sign-in that has begun well, and it cannot be ended afterwards.
#[test]
fn a_sign_in_ends_in_its_own_browser_with_its_own_answer() {
    let (provider, bench) = openid();
    let iss = provider.told.replace(':', "%3A").replace('/', "%2F");
    let attempt = |change: Change, same_browser: bool, wait: Duration| {
        let begun = bench.begin("state", Wishes::default()).unwrap();
        let query = Browser::default().sign_in(begun.url.expose(), "login=ada");
        bench.clock.pass(wait);
        let mut shown = begun.clone();
        if !same_browser {
            shown.browser = Secret::new("c".repeat(43));
        }
        let result = bench.finish(&shown, &change(&query, &iss));
        (result.map(|done| done.signed_in.subject().to_owned()), bench.finish(&begun, &query))
    };
    let now = Duration::ZERO;
    let same: Change = |query, _| query.to_owned();
    assert_eq!(attempt(same, true, now).0.unwrap(), "id-of-ada");
    let changes: [(&str, Change, bool, Duration); 6] = [
        ("another browser", same, false, now),
        ("after ten minutes", same, true, Duration::from_mins(10)),
        ("another issuer", |query, iss| query.replace(iss, "https%3A%2F%2Fexample.org"), true, now),
        ("no issuer", |query, _| query.split("&iss=").next().unwrap().to_owned(), true, now),
        ("another code", |query, _| query.replace("code=", "code=x"), true, now),
        ("an error", |query, _| format!("error=access_denied&{}", query.replace("code=", "c=")), true, now),
    ];
    for (what, change, same_browser, wait) in changes {
        let (result, later) = attempt(change, same_browser, wait);
        assert!(result.is_err(), "{what}");
        assert!(matches!(later, Err(SignInFailed::Unknown(_))), "{what}: the sign-in is still there");
    }
    println!("{} ways to end a sign-in are refused", changes.len());
}

#[test]
fn a_code_of_somebody_else_does_not_fit() {
    let (_provider, bench) = openid();
    let [eve, ada] = [0, 1].map(|_| bench.begin("state", Wishes::default()).unwrap());
    let of_eve = Browser::default().sign_in(eve.url.expose(), "login=eve");
    let of_ada = Browser::default().sign_in(ada.url.expose(), "login=ada");
    let code = |query: &str| parameter(&format!("?{query}"), "code").unwrap();
    let mixed = of_ada.replace(&code(&of_ada), &code(&of_eve));
    let said = bench.finish(&ada, &mixed).unwrap_err().to_string();
    assert!(said.contains("invalid_grant"), "PKCE binds the code: {said}");
}

#[test]
fn an_issuer_of_a_zone_is_offered_there_alone() {
    let provider = Script::start("provider.js", &["proconnect", CALLBACK]);
    let bench = Bench::with_one(SignInKind::ProConnect, &provider.told, |settings| {
        settings.zone = Some("rie".to_owned());
    });
    let titles = |zone| bench.sign_ins.choices(zone).into_iter().map(|it| it.title).collect::<Vec<_>>();
    assert_eq!(titles(Zone::Rie), ["ProConnect"]);
    assert_eq!(titles(Zone::Internet), [""; 0]);
    for (zone, is_offered) in [(Zone::Rie, true), (Zone::Internet, false), (Zone::Local, false)] {
        let begun = bench.begin_as(SignInStart { zone, ..start("state", Wishes::default()) });
        assert_eq!(begun.is_ok(), is_offered, "{zone}");
    }
    assert!(matches!(bench.begin("other", Wishes::default()), Err(SignInFailed::NotOffered)));
}

#[test]
fn two_pages_of_a_browser_sign_in_at_once() {
    let (_provider, bench) = openid();
    let first = bench.begin("state", Wishes::default()).unwrap();
    let browser = Some(first.browser.clone());
    let second = bench.begin_as(SignInStart { browser, ..start("state", Wishes::default()) }).unwrap();
    assert_eq!(second.browser.expose(), first.browser.expose());
    let mut person = Browser::default();
    for begun in [&second, &first] {
        let query = person.sign_in(begun.url.expose(), "login=ada");
        assert_eq!(bench.finish(&second, &query).unwrap().signed_in.subject(), "id-of-ada");
    }
}

#[test]
fn an_issuer_that_is_away_signs_nobody_in_and_is_not_to_blame_on_them() {
    let (provider, bench) = openid();
    let begun = bench.begin("state", Wishes::default()).unwrap();
    let query = Browser::default().sign_in(begun.url.expose(), "login=ada");
    drop(provider);
    let failed = bench.finish(&begun, &query).unwrap_err();
    assert!(matches!(failed, SignInFailed::Unavailable(..)), "{failed}");
    assert_eq!(failed.kind(), nuee_base::ErrorKind::Unavailable);
    assert!(!failed.to_string().contains("127.0.0.1"), "addresses stay in the log: {failed}");
}
