//! Passwords of people who have an account here: which may be chosen, what is kept of them, and how they are checked.
//!
//! What is kept is an argon2id digest ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)) as a
//! [PHC string](https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md), which says with which parameters
//! it was made: 19 MiB of memory, two passes, one lane, the least that
//! [OWASP](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html) asks for. Digests with less
//! are still checked, and [`PasswordHash::needs_rehash`] says that they are to be made anew while the password is there.
//!
//! Which may be chosen follows [NIST SP 800-63B](https://pages.nist.gov/800-63-4/sp800-63b.html), section 3.1.1.2: length
//! counts, not the kinds of characters; what everybody tries first is refused.
//!
//! Promised: [`check_password`] takes as long for somebody who is not known as for somebody who is; a password and its
//! digest never show in `Debug`.
//!
//! [`PasswordHash::of`] and [`check_password`] block for some ten milliseconds and take 19 MiB each: they belong on a thread
//! for what blocks, and the caller bounds how many run at once, or a crowd of sign-ins takes the memory of the machine.
//! Deliberately absent here: how often somebody may try, which is [`Attempts`](crate::Attempts).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc};
use nuee_base::{Environment, ErrorKind, Secret};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The fewest characters of a password.
const MIN_CHARACTERS: usize = 12;
/// The most bytes of a password.
const MAX_BYTES: usize = 128;
/// Memory of a digest, in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes of that memory.
const LANES: u32 = 1;
/// The most memory, passes and lanes of a digest that is still checked: one that was put in the place of ours must not take
/// the machine.
const MOST: (u32, u32, u32) = (256 * 1024, 16, 8);
/// Bytes of salt, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;
/// The longest PHC string, in bytes.
const MAX_PHC_BYTES: usize = 256;

/// What passwords are often, or are begun with, among those that are long enough; in lower case.
const COMMON: [&str; 26] = [
    "motdepasse",
    "password",
    "passw0rd",
    "azertyuiop",
    "qwertyuiop",
    "qwertzuiop",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "administrat",
    "bienvenue",
    "changeme",
    "changezmoi",
    "iloveyou",
    "jetaime",
    "letmein",
    "welcome",
    "doudou",
    "soleil",
    "loulou",
    "chouchou",
    "football",
    "marseille",
    "republique",
    "123456789",
    "987654321",
    "012345678",
];

/// A digest of a password, as it is kept.
#[derive(Clone)]
pub struct PasswordHash {
    text: String,
    parsed: phc::PasswordHash,
}

/// Why a password cannot be chosen. Fit for whoever chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPassword {
    /// It is too short.
    #[error(
        "the password has fewer than {MIN_CHARACTERS} characters: some words in a row are easy to keep in mind"
    )]
    Short,
    /// It is too long.
    #[error("the password has more than {MAX_BYTES} bytes")]
    Long,
    /// Everybody tries it first.
    #[error("the password is among the commonest, or little more than one of them: choose another")]
    Common,
    /// It is one character, or one row of characters, over and over.
    #[error("the password repeats itself: choose another")]
    Repetitive,
    /// It says who has chosen it, or for what.
    #[error("the password contains {0}: choose another")]
    Contains(&'static str),
}

impl UnfitPassword {
    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Why a text is no digest of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kept digest of a password cannot be used: {0}")]
pub struct UnusableHash(String);

impl PasswordHash {
    /// The digest of a password, with a new salt. Blocks.
    pub fn of(password: &Secret, environment: &Environment) -> Result<Self, UnusableHash> {
        let mut salt = [0; SALT_BYTES];
        environment.fill_random(&mut salt);
        let parsed: Result<phc::PasswordHash, _> =
            usual()?.hash_password_with_salt(normalised(password).as_bytes(), &salt);
        let parsed = parsed.map_err(|error| UnusableHash(error.to_string()))?;
        Ok(Self { text: parsed.to_string(), parsed })
    }

    /// A digest that was kept.
    pub fn parse(text: &str) -> Result<Self, UnusableHash> {
        if text.len() > MAX_PHC_BYTES {
            return Err(UnusableHash(format!("it has more than {MAX_PHC_BYTES} bytes")));
        }
        let parsed = phc::PasswordHash::new(text).map_err(|error| UnusableHash(error.to_string()))?;
        let params = Params::try_from(&parsed).map_err(|error| UnusableHash(error.to_string()))?;
        if parsed.algorithm != Algorithm::Argon2id.ident() || parsed.version != Some(Version::V0x13.into()) {
            return Err(UnusableHash("it is not one of argon2id, version 19".to_owned()));
        }
        if params.m_cost() > MOST.0 || params.t_cost() > MOST.1 || params.p_cost() > MOST.2 {
            return Err(UnusableHash("it asks for more memory, passes or lanes than are given".to_owned()));
        }
        let salt = parsed.salt.as_ref().map_or(0, |salt| salt.len());
        if salt < SALT_BYTES || parsed.hash.as_ref().map_or(0, |hash| hash.len()) < Params::DEFAULT_OUTPUT_LEN
        {
            return Err(UnusableHash("its salt or its digest is too short".to_owned()));
        }
        Ok(Self { text: text.to_owned(), parsed })
    }

    /// As it is kept: a PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was made with less than what is usual now: make it anew when the password was there and right.
    #[must_use]
    pub fn needs_rehash(&self) -> bool {
        Params::try_from(&self.parsed).map_or(true, |params| {
            params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES || params.p_cost() < LANES
        })
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Whether somebody who says so has this password; `kept` is none if there is no such person, or one without a password.
/// Then a digest is made all the same, so that nobody learns from the time who is known. Blocks.
#[must_use]
pub fn check_password(password: &Secret, kept: Option<&PasswordHash>) -> bool {
    // A password that cannot be right for anybody tells nothing of anybody.
    if password.expose().len() > MAX_BYTES {
        return false;
    }
    let password = normalised(password);
    let Ok(argon2) = usual() else { return false };
    if let Some(kept) = kept {
        return argon2.verify_password(password.as_bytes(), &kept.parsed).is_ok();
    }
    let made: Result<phc::PasswordHash, _> =
        argon2.hash_password_with_salt(password.as_bytes(), &[0; SALT_BYTES]);
    std::hint::black_box(made.is_ok());
    false
}

/// Whether somebody with this login may choose this password.
pub fn check_choice(password: &Secret, login: &str) -> Result<(), UnfitPassword> {
    let text = normalised(password);
    if password.expose().len() > MAX_BYTES || text.len() > MAX_BYTES {
        return Err(UnfitPassword::Long);
    }
    if text.chars().count() < MIN_CHARACTERS {
        return Err(UnfitPassword::Short);
    }
    let lower = Zeroizing::new(text.to_lowercase());
    if lower.contains("nuee") || lower.contains("nuée") {
        return Err(UnfitPassword::Contains("the name of this service"));
    }
    let login = login.to_lowercase();
    let name = login.split_once('@').map_or(&*login, |(name, _)| name);
    if name.chars().count() >= 3 && lower.contains(name) {
        return Err(UnfitPassword::Contains("the login"));
    }
    if repeats(&lower) {
        return Err(UnfitPassword::Repetitive);
    }
    if is_common(&lower) {
        return Err(UnfitPassword::Common);
    }
    Ok(())
}

/// Whether it is something common, and at most six characters more.
fn is_common(lower: &str) -> bool {
    let mut rest = Zeroizing::new(lower.to_owned());
    for common in COMMON {
        *rest = rest.replace(common, "");
    }
    rest.len() < lower.len() && rest.chars().count() <= 6
}

/// Whether it is a row of at most four characters over and over, or of characters that follow each other.
fn repeats(lower: &str) -> bool {
    let characters = Zeroizing::new(lower.chars().collect::<Vec<_>>());
    let again = |row: usize| characters.iter().zip(&characters[row..]).all(|(one, other)| one == other);
    let step = |by: i64| {
        characters.windows(2).all(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])) == by)
    };
    (1..=4).any(again) || step(1) || step(-1)
}

/// The same characters are the same bytes, however a keyboard makes them (SP 800-63B, section 3.1.1.2).
fn normalised(password: &Secret) -> Zeroizing<String> {
    // Room for all of it, so that no copy stays behind where it grew.
    let mut text = Zeroizing::new(String::with_capacity((MAX_BYTES + 1) * 4));
    text.extend(password.expose().nfkc().take(MAX_BYTES + 1));
    text
}

fn usual() -> Result<Argon2<'static>, UnusableHash> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| UnusableHash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use nuee_base::{Random, SystemClock};

    use super::*;

    /// Not random, so that a digest can be told in advance.
    struct Fixed;

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x5a);
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let environment = Environment::system();
        let kept = PasswordHash::of(&secret("trois petits chats"), &environment).unwrap();
        let again = PasswordHash::of(&secret("trois petits chats"), &environment).unwrap();
        assert_ne!(kept.as_str(), again.as_str(), "each has a salt of its own");
        let kept = PasswordHash::parse(kept.as_str()).unwrap();
        assert!(check_password(&secret("trois petits chats"), Some(&kept)));
        for other in ["", "trois petits chat", "trois petits chats ", "Trois petits chats", &"a".repeat(129)]
        {
            assert!(!check_password(&secret(other), Some(&kept)), "{other:?}");
        }
        assert!(!check_password(&secret("trois petits chats"), None), "nobody is nobody, whatever they say");
        assert!(!kept.needs_rehash());
        assert_eq!(format!("{kept:?}"), "PasswordHash(…)");
    }

    #[test]
    fn what_is_kept_says_how_it_was_made() {
        let environment = Environment::new(SystemClock, Fixed);
        let kept = PasswordHash::of(&secret("trois petits chats"), &environment).unwrap();
        let salt = "WlpaWlpaWlpaWlpaWlpaWg";
        let head = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$");
        assert!(kept.as_str().starts_with(&head), "{}", kept.as_str());
        assert_eq!(kept.as_str().len(), head.len() + 43, "32 bytes in base64");
    }

    /// Of the reference implementation's tests (`test.c` of P-H-C/phc-winner-argon2).
    #[test]
    fn digests_with_less_are_checked_and_to_be_renewed() {
        let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$";
        let params = Params::new(256, 2, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let made: phc::PasswordHash =
            argon2.hash_password_with_salt(b"trois petits chats", b"somesaltsomesalt").unwrap();
        assert!(made.to_string().starts_with(text), "{made}");
        let kept = PasswordHash::parse(&made.to_string()).unwrap();
        assert!(kept.needs_rehash());
        assert!(check_password(&secret("trois petits chats"), Some(&kept)));
        assert!(!check_password(&secret("trois petits chiens"), Some(&kept)));
    }

    #[test]
    fn what_was_put_in_the_place_of_a_digest_is_refused() {
        let (salt, hash) = ("c29tZXNhbHRzb21lc2FsdA", "A".repeat(43));
        let good = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}");
        assert!(PasswordHash::parse(&good).is_ok());
        for text in [
            String::new(),
            "trois petits chats".to_owned(),
            good.replace("argon2id", "argon2i"),
            good.replace("argon2id", "argon2d"),
            good.replace("argon2id", "scrypt"),
            good.replace("v=19", "v=16"),
            good.replace("$v=19", ""),
            good.replace("m=19456", "m=4194304"),
            good.replace("t=2", "t=1000000"),
            good.replace("p=1", "p=64"),
            good.replace(salt, "c29tZXNhbHQ"),
            good.replace(&hash, "AAAAAA"),
            good.replace(&format!("${hash}"), ""),
            format!("{good}$more"),
            format!("{good}{}", "A".repeat(300)),
        ] {
            assert!(PasswordHash::parse(&text).is_err(), "{text}");
        }
    }

    /// A keyboard makes é as one character, another as two.
    #[test]
    fn the_same_characters_are_the_same_password() {
        let kept =
            PasswordHash::of(&secret("l'\u{e9}t\u{e9} \u{e0} la mer"), &Environment::system()).unwrap();
        assert!(check_password(&secret("l'e\u{301}te\u{301} a\u{300} la mer"), Some(&kept)));
        assert!(!check_password(&secret("l'ete a la mer"), Some(&kept)));
    }

    #[test]
    fn length_counts_and_not_the_kinds_of_characters() {
        for text in [
            "trois petits chats",
            "zzyx wvut srqp",
            "éléphant rose",
            "password du dimanche matin",
            "12 rue des Lilas, 59000",
            &"un mot de plus, ".repeat(8),
        ] {
            assert_eq!(check_choice(&secret(text), "ada@example.org"), Ok(()), "{text}");
        }
        let refused = |text: &str| check_choice(&secret(text), "ada.lovelace@example.org").unwrap_err();
        assert_eq!(refused(""), UnfitPassword::Short);
        assert_eq!(refused("onze lettre"), UnfitPassword::Short);
        assert_eq!(refused("éléphant ro"), UnfitPassword::Short, "characters, not bytes");
        assert_eq!(refused(&"un mot de plus ".repeat(9)), UnfitPassword::Long);
        for text in ["motdepasse2026", "Password1234!"] {
            assert_eq!(refused(text), UnfitPassword::Common, "{text}");
        }
        for text in ["azertyuiop12", "BienvenueBienvenue", "1234567890123", "MotDePasse123456789"] {
            let said = refused(text);
            assert!(matches!(said, UnfitPassword::Common | UnfitPassword::Repetitive), "{text}: {said}");
        }
        for text in ["aaaaaaaaaaaa", "abcabcabcabc", "abcdefghijklmn", "zyxwvutsrqponml", "1212121212121"] {
            assert_eq!(refused(text), UnfitPassword::Repetitive, "{text}");
        }
        for text in ["ada.lovelace 1815", "je suis Ada.Lovelace", "ma Nuée à moi", "my-nuee-2026"] {
            assert!(matches!(refused(text), UnfitPassword::Contains(_)), "{text}");
        }
    }

    #[test]
    fn a_login_of_two_letters_forbids_no_words() {
        assert_eq!(check_choice(&secret("trois petits chats"), "it"), Ok(()));
        assert_eq!(check_choice(&secret("chats de toto"), "toto"), Err(UnfitPassword::Contains("the login")));
    }
}
