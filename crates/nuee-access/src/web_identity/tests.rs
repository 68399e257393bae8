//! Tokens that are refused, and the few that are not.

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

pub(crate) const ISSUER: &str = "https://login.example.org/realms/lab";
pub(crate) const NOW: i64 = 1_800_000_000;

/// An issuer with a key of each kind.
pub(crate) struct Bench {
    pub(crate) rsa: RsaKeyPair,
    pub(crate) other: RsaKeyPair,
    pub(crate) ecdsa: EcdsaKeyPair,
    pub(crate) edwards: Ed25519KeyPair,
    pub(crate) random: SystemRandom,
    pub(crate) issuer: Issuer,
    pub(crate) keys: KeySet,
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn signed(head: &str, body: &str, sign: impl Fn(&str) -> Vec<u8>) -> String {
    let text = format!("{}.{}", encode(head), encode(body));
    let signature = sign(&text);
    format!("{text}.{}", encode(signature))
}

impl Bench {
    pub(crate) fn new() -> Self {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let edwards = Ed25519KeyPair::generate().unwrap();
        let public = rsa.public_key();
        let point = ecdsa.public_key().as_ref();
        let keys = json!({ "keys": [
            { "kty": "RSA", "kid": "r", "use": "sig", "n": encode(public.modulus().big_endian_without_leading_zero()),
              "e": encode(public.exponent().big_endian_without_leading_zero()) },
            { "kty": "EC", "kid": "e", "crv": "P-256", "alg": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
            { "kty": "OKP", "kid": "o", "crv": "Ed25519", "x": encode(edwards.public_key()) },
            { "kty": "oct", "kid": "s", "k": encode("a shared secret") },
            { "kty": "RSA", "kid": "x", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": 7 },
        ]});
        Self {
            other: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            keys: KeySet::parse(keys.to_string().as_bytes()).unwrap(),
            rsa,
            ecdsa,
            edwards,
            random: SystemRandom::new(),
            issuer: Issuer {
                name: "lab".parse().unwrap(),
                url: ISSUER.to_owned(),
                audiences: vec!["nuee".to_owned()],
                algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            },
        }
    }

    pub(crate) fn rs256(&self, key: &RsaKeyPair, text: &str) -> Vec<u8> {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &self.random, text.as_bytes(), &mut signature).unwrap();
        signature
    }

    /// A token with the usual header and this body.
    pub(crate) fn token(&self, body: &str) -> String {
        signed(r#"{"alg":"RS256","kid":"r"}"#, body, |text| self.rs256(&self.rsa, text))
    }

    /// A token with this header and the usual body.
    fn headed(&self, head: &str) -> String {
        signed(head, &claims().to_string(), |text| self.rs256(&self.rsa, text))
    }

    fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        self.issuer.verify(&Token::parse(token)?, &self.keys, Timestamp::from_micros(NOW * 1_000_000))
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "f:ada", "aud": ["nuee", "other"], "exp": NOW + 300, "iat": NOW,
            "preferred_username": "ada", "groups": ["researchers", "staff"], "email_verified": true,
            "realm_access": { "roles": ["admin"] } })
}

/// The usual claims with one replaced, or without it.
fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims.to_string()
}

#[test]
fn tokens_that_are_in_order_make_somebody_known() {
    let bench = Bench::new();
    let body = claims().to_string();
    let es256 = |text: &str| bench.ecdsa.sign(&bench.random, text.as_bytes()).unwrap().as_ref().to_vec();
    let accepted = [
        bench.token(&body),
        bench.headed(r#"{"alg":"RS256","kid":"r","typ":"at+jwt"}"#),
        bench.headed(r#"{"alg":"RS256"}"#),
        signed(r#"{"alg":"ES256","kid":"e","typ":"JWT"}"#, &body, es256),
        bench.token(&with("aud", json!("nuee"))),
        bench.token(&with("azp", json!("nuee")).replace(r#""aud":["nuee","other"]"#, r#""aud":"account""#)),
        bench.token(&with("exp", json!(NOW - 30))),
        bench.token(&with("exp", json!(1_800_000_100.5))),
        bench.token(&with("nbf", json!(NOW + 30))),
    ];
    for token in accepted {
        let identity = bench.verify(&token).unwrap();
        assert_eq!((identity.subject(), identity.issuer().as_str()), ("f:ada", "lab"));
    }
}

/// Tokens that are no tokens.
fn malformed(bench: &Bench) -> Vec<(&'static str, String)> {
    let body = claims().to_string();
    let good = bench.token(&body);
    let (text, signature) = good.rsplit_once('.').unwrap();
    let flipped = format!(
        "{text}.{}",
        encode(URL_SAFE_NO_PAD.decode(signature).unwrap().iter().map(|b| b ^ 1).collect::<Vec<_>>())
    );
    vec![
        ("nothing", String::new()),
        ("two parts", text.to_owned()),
        ("four parts", format!("{good}.")),
        ("five parts, as when encrypted", format!("{good}.a.b")),
        ("no signature", format!("{text}.")),
        ("a changed signature", flipped),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("padding", format!("{good}==")),
        ("white space", format!(" {good}")),
        (
            "another body under the signature",
            format!("{}.{}.{signature}", text.split('.').next().unwrap(), encode(with("sub", json!("eve")))),
        ),
        ("crit", bench.headed(r#"{"alg":"RS256","kid":"r","crit":["exp"]}"#)),
        ("b64", bench.headed(r#"{"alg":"RS256","kid":"r","b64":false}"#)),
        ("zip", bench.headed(r#"{"alg":"RS256","kid":"r","zip":"DEF"}"#)),
        ("typ of a logout", bench.headed(r#"{"alg":"RS256","kid":"r","typ":"logout+jwt"}"#)),
        ("alg twice", bench.headed(r#"{"alg":"RS256","alg":"RS256","kid":"r"}"#)),
        ("a header that is a list", bench.headed("[]")),
        ("a body that is a text", bench.token("\"text\"")),
        ("a body that is no JSON", bench.token("{")),
        ("sub twice", bench.token(&body.replacen('{', r#"{"sub":"eve","#, 1))),
    ]
}

/// Tokens that are signed otherwise than they may be.
fn forged(bench: &Bench) -> Vec<(&'static str, String)> {
    let body = claims().to_string();
    let shared = |key: Vec<u8>| {
        move |text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes()).as_ref().to_vec()
        }
    };
    let public = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(bench.rsa.public_key()).unwrap();
    let pss = |text: &str| {
        let mut signature = vec![0; bench.rsa.public_modulus_len()];
        bench.rsa.sign(&RSA_PSS_SHA256, &bench.random, text.as_bytes(), &mut signature).unwrap();
        signature
    };
    let es256 = |text: &str| bench.ecdsa.sign(&bench.random, text.as_bytes()).unwrap().as_ref().to_vec();
    let by_other = |text: &str| bench.rs256(&bench.other, text);
    let jwk = json!({ "alg": "RS256", "jwk": { "kty": "RSA", "e": "AQAB",
        "n": encode(bench.other.public_key().modulus().big_endian_without_leading_zero()) } });
    vec![
        ("alg none", signed(r#"{"alg":"none"}"#, &body, |_| Vec::new())),
        ("alg None", signed(r#"{"alg":"None"}"#, &body, |_| Vec::new())),
        ("alg absent", bench.headed(r#"{"kid":"r"}"#)),
        ("alg no text", bench.headed(r#"{"alg":["RS256"]}"#)),
        (
            "alg HS256 with the public key as the secret",
            signed(r#"{"alg":"HS256","kid":"r"}"#, &body, shared(public.as_ref().to_vec())),
        ),
        (
            "alg HS256 with the published secret",
            signed(r#"{"alg":"HS256","kid":"s"}"#, &body, shared(b"a shared secret".to_vec())),
        ),
        ("alg PS256, which the settings do not have", signed(r#"{"alg":"PS256","kid":"r"}"#, &body, pss)),
        (
            "alg EdDSA, which the settings do not have",
            signed(r#"{"alg":"EdDSA","kid":"o"}"#, &body, |text| {
                bench.edwards.sign(text.as_bytes()).as_ref().to_vec()
            }),
        ),
        ("alg RS256 with a signature of PS256", signed(r#"{"alg":"RS256","kid":"r"}"#, &body, pss)),
        ("alg RS256 with the id of a key of another kind", bench.headed(r#"{"alg":"RS256","kid":"e"}"#)),
        (
            "alg ES256 with the id of a key of another kind",
            signed(r#"{"alg":"ES256","kid":"r"}"#, &body, es256),
        ),
        ("an unknown key", bench.headed(r#"{"alg":"RS256","kid":"unknown"}"#)),
        ("a key for encryption", bench.headed(r#"{"alg":"RS256","kid":"x"}"#)),
        ("a key of somebody else", signed(r#"{"alg":"RS256","kid":"r"}"#, &body, by_other)),
        ("a key that comes along", signed(&jwk.to_string(), &body, by_other)),
    ]
}

/// Tokens that are signed well, and say what is refused.
fn out_of_order(bench: &Bench) -> Vec<(&'static str, String)> {
    vec![
        ("iss of somebody else", bench.token(&with("iss", json!("https://login.example.org/realms/other")))),
        ("iss with a slash more", bench.token(&with("iss", json!(format!("{ISSUER}/"))))),
        ("iss absent", bench.token(&with("iss", Value::Null))),
        ("iss a list", bench.token(&with("iss", json!([ISSUER])))),
        ("aud of others", bench.token(&with("aud", json!(["other"])))),
        ("aud absent", bench.token(&with("aud", Value::Null))),
        ("aud with what is no text", bench.token(&with("aud", json!(["nuee", 7])))),
        ("aud in another case", bench.token(&with("aud", json!("NUEE")))),
        ("exp long ago", bench.token(&with("exp", json!(NOW - 61)))),
        ("exp absent", bench.token(&with("exp", Value::Null))),
        ("exp a text", bench.token(&with("exp", json!("1900000000")))),
        ("exp without bounds", bench.token(&with("exp", json!(1e300)))),
        ("nbf ahead", bench.token(&with("nbf", json!(NOW + 61)))),
        ("iat ahead", bench.token(&with("iat", json!(NOW + 61)))),
        ("sub absent", bench.token(&with("sub", Value::Null))),
        ("sub empty", bench.token(&with("sub", json!("")))),
        ("sub of 256 bytes", bench.token(&with("sub", json!("a".repeat(256))))),
        ("sub with a line break", bench.token(&with("sub", json!("a\nb")))),
        ("more than 20,000 bytes", bench.token(&with("note", json!("a".repeat(15_000))))),
    ]
}

#[test]
fn tokens_that_are_not_in_order_are_refused() {
    let bench = Bench::new();
    let refused = [malformed(&bench), forged(&bench), out_of_order(&bench)].concat();
    for (what, token) in &refused {
        assert!(bench.verify(token).is_err(), "{what}: {token}");
    }
    println!("{} tokens are refused", refused.len());
    assert_eq!(bench.verify(&bench.token(&with("exp", json!(NOW - 61)))).unwrap_err(), InvalidToken::Expired);
}

#[test]
fn what_a_role_asks_of_claims_holds_or_not() {
    let bench = Bench::new();
    let identity = bench.verify(&bench.token(&claims().to_string())).unwrap();
    let holds = |text: &str| text.parse::<ClaimCondition>().unwrap().holds(identity.claims());
    for text in [
        "preferred_username=ada",
        "preferred_username=eve|ada",
        "groups contains staff",
        "realm_access.roles contains admin",
        "email_verified=true",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in [
        "preferred_username=Ada",
        "preferred_username contains ada",
        "groups=researchers",
        "groups contains admin",
        "realm_access.roles contains root",
        "realm_access=admin",
        "absent=x",
        "email_verified=false",
    ] {
        assert!(!holds(text), "{text}");
    }
    for text in ["", "groups", "=x", "a=", "a=b|", "a contains "] {
        assert!(text.parse::<ClaimCondition>().is_err(), "{text}");
    }
}

/// A name that reached beyond its place would open the bucket of somebody else.
#[test]
fn only_harmless_values_stand_in_policies() {
    let bench = Bench::new();
    let policy = r#"{"Resource": "arn:aws:s3:::user-${jwt:preferred_username}/*"}"#;
    let filled = |name: Value| {
        let identity = bench.verify(&bench.token(&with("preferred_username", name))).unwrap();
        identity.claims().fill_in(policy)
    };
    assert_eq!(filled(json!("ada")).unwrap(), r#"{"Resource": "arn:aws:s3:::user-ada/*"}"#);
    for name in ["*", "a*", "a?", "a/b", "", "a\"b", "${aws:userid}", "a b", "é", &"a".repeat(129)] {
        assert!(filled(json!(name)).is_err(), "{name:?}");
    }
    for value in [json!(["ada"]), json!(7), json!(true), Value::Null] {
        assert!(filled(value.clone()).is_err(), "{value}");
    }
}
