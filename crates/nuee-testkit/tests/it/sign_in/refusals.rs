//! Issuers that do not answer as they should sign nobody in, and are told apart.

use std::collections::BTreeMap;

use nuee::{SignInFailed, SignInIssuerSettings, SignInKind};
use nuee_access::Wishes;
use serde::Deserialize;

use super::bench::{Bench, Script, parameter};

/// What hostile.js tells.
#[derive(Deserialize)]
struct Told {
    url: String,
    good: Vec<String>,
    /// By name, words of the error.
    refused: BTreeMap<String, String>,
}

fn issuers(told: &Told) -> Bench {
    Bench::start(|secret| {
        let all = told.good.iter().chain(told.refused.keys());
        let settings = all.map(|name| {
            let url = format!("{}/{name}", told.url);
            let mut settings =
                SignInIssuerSettings::new(SignInKind::ProConnect, &url, "nuee", secret.clone());
            if name.starts_with("signed-") {
                settings.userinfo_algorithms = vec!["RS256".to_owned()];
            }
            (name.clone(), settings)
        });
        settings.collect()
    })
}

/// Signs in at an issuer; gives the subject.
fn sign_in(bench: &Bench, issuer: &str) -> Result<String, SignInFailed> {
    let multi_factor = issuer.starts_with("mfa-");
    let begun = bench.begin(issuer, Wishes { multi_factor, ..Wishes::default() })?;
    let [nonce, state] = ["nonce", "state"].map(|name| parameter(begun.url.expose(), name).unwrap());
    let own = begun.url.expose().split("/auth?").next().unwrap();
    let done = bench.finish(&begun, &format!("code={nonce}&state={state}&iss={own}"))?;
    Ok(done.signed_in.subject().to_owned())
}

#[test]
fn issuers_that_do_not_answer_as_they_should_sign_nobody_in() {
    let script = Script::start("hostile.js", &[]);
    let told: Told = serde_json::from_str(&script.told).unwrap();
    let bench = issuers(&told);
    for issuer in &told.good {
        let signed_in = sign_in(&bench, issuer).map_err(|error| format!("{issuer}: {error:?}"));
        assert_eq!(signed_in.as_deref(), Ok("ada"));
    }
    let mut wrong = Vec::new();
    for (issuer, words) in &told.refused {
        match sign_in(&bench, issuer) {
            Ok(_) => wrong.push(format!("{issuer} is let in")),
            Err(error) => {
                // What is for the log is not displayed.
                let said = format!("{error} {error:?}");
                if !said.contains(words.as_str()) {
                    wrong.push(format!("{issuer}: {said}, without {words:?}"));
                }
            }
        }
    }
    println!("{} issuers sign nobody in", told.refused.len());
    assert!(wrong.is_empty() && told.refused.len() >= 40, "{}", wrong.join("\n"));
}
