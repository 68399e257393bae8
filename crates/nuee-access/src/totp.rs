//! The second factor of people who have an account here: codes of an application on their telephone, and codes on paper for
//! when it is lost.
//!
//! Codes are those of [RFC 6238](https://www.rfc-editor.org/rfc/rfc6238) as every application makes them: HMAC with SHA-1
//! over steps of 30 seconds, six digits. SHA-1 is sound in this use ([RFC 4226](https://www.rfc-editor.org/rfc/rfc4226),
//! appendix B), and applications pass over other choices in silence. A code of the step before or after is taken too, for
//! telephones whose clock is off.
//!
//! Promised: a code is good once ([RFC 6238, section 5.2](https://www.rfc-editor.org/rfc/rfc6238#section-5.2)): the caller
//! keeps the step that [`TotpSecret::check`] gives, in the transaction of the sign-in, and neither that step nor one before
//! it is taken again. Secrets and codes never show in `Debug`, and are wiped.
//!
//! Deliberately absent: how often somebody may try, without which six digits are soon guessed: see
//! [`Attempts`](crate::Attempts); and the sealing of secrets, which is the caller's.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use data_encoding::BASE32_NOPAD;
use nuee_base::{Environment, Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a secret, as many as its HMAC has (RFC 4226, section 4, R6).
const SECRET_BYTES: usize = 20;
/// Seconds of a step.
const STEP_SECONDS: i64 = 30;
/// Steps before and after the present one whose codes are taken.
const TOLERANCE: i64 = 1;
/// Codes have six digits.
const CODES: u32 = 1_000_000;
/// What never needs to be encoded in a URI (RFC 3986, section 2.3) stays as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Recovery codes that somebody has.
const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, so that nobody finds one by its digest.
const RECOVERY_BYTES: usize = 10;

/// What an application and this server share to make codes.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl TotpSecret {
    /// A new one.
    #[must_use]
    pub fn generate(environment: &Environment) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        environment.fill_random(&mut *bytes);
        Self(bytes)
    }

    /// One that was kept.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; SECRET_BYTES]) -> Self {
        let kept = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        kept
    }

    /// As it is kept, sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// As people type it: 32 characters of [base32](https://www.rfc-editor.org/rfc/rfc4648#section-6).
    #[must_use]
    pub fn to_base32(&self) -> Secret {
        Secret::new(BASE32_NOPAD.encode(&*self.0))
    }

    /// As applications read it, from a picture: a
    /// [key URI](https://github.com/google/google-authenticator/wiki/Key-Uri-Format). `service` and `login` are what they
    /// show.
    #[must_use]
    pub fn to_uri(&self, service: &str, login: &str) -> Secret {
        // A colon stands between the two.
        let escape = |text: &str| utf8_percent_encode(&text.replace(':', " "), UNRESERVED).to_string();
        let (service, login) = (escape(service), escape(login));
        let secret = self.to_base32();
        Secret::new(format!(
            "otpauth://totp/{service}:{login}?secret={}&issuer={service}&algorithm=SHA1&digits=6&period={STEP_SECONDS}",
            secret.expose()
        ))
    }

    /// The step of which this is the code, if it is one that is taken now: to be kept, and given as `last_step` the next
    /// time. Spaces in the code are passed over.
    #[must_use]
    pub fn check(&self, code: &Secret, now: Timestamp, last_step: Option<i64>) -> Option<i64> {
        let code =
            Zeroizing::new(code.expose().bytes().filter(|byte| *byte != b' ').take(7).collect::<Vec<_>>());
        let present = now.as_micros().div_euclid(STEP_SECONDS * 1_000_000);
        let mut found = None;
        // All are compared, so that the time says nothing of which it was.
        for step in present - TOLERANCE..=present + TOLERANCE {
            let wanted = Zeroizing::new(format!("{:06}", self.code(step)));
            let is_equal = constant_time::verify_slices_are_equal(&code, wanted.as_bytes()).is_ok();
            if is_equal && last_step.is_none_or(|last| last < step) {
                found = Some(step);
            }
        }
        found
    }

    /// What the device shows at an instant.
    #[must_use]
    pub fn code_at(&self, now: Timestamp) -> Secret {
        let step = now.as_micros().div_euclid(STEP_SECONDS * 1_000_000);
        Secret::new(format!("{:06}", self.code(step)))
    }

    /// The code of a step, as a number (RFC 4226, section 5.3).
    fn code(&self, step: i64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = tag.last().map_or(0, |byte| usize::from(byte & 0x0f));
        let word = tag[offset..].iter().take(4).fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        (word & 0x7fff_ffff) % CODES
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// What is kept of codes on paper, each of which stands once for a code of the application
/// ([SP 800-63B](https://pages.nist.gov/800-63-4/sp800-63b.html), section 3.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveryCodes(Vec<[u8; 32]>);

impl RecoveryCodes {
    /// Ten new codes, to be shown once, such as `MZXW-6YTB-OI4G-K3DP`; and what is kept of them.
    #[must_use]
    pub fn generate(environment: &Environment) -> (Vec<Secret>, Self) {
        let codes: Vec<Secret> = (0..RECOVERY_CODES).map(|_| recovery_code(environment)).collect();
        let kept = codes.iter().map(|code| digest_of(&significant(code))).collect();
        (codes, Self(kept))
    }

    /// Those that were kept.
    #[must_use]
    pub fn from_digests(mut digests: Vec<[u8; 32]>) -> Self {
        digests.truncate(RECOVERY_CODES);
        Self(digests)
    }

    /// As they are kept: a SHA-256 digest each.
    #[must_use]
    pub fn digests(&self) -> &[[u8; 32]] {
        &self.0
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Those that are left when this one is used, or none if it is not among them. Hyphens, spaces, case, and digits that
    /// look like letters do not matter.
    #[must_use]
    pub fn without(&self, code: &Secret) -> Option<Self> {
        let wanted = digest_of(&significant(code));
        let is_other = |digest: &&[u8; 32]| constant_time::verify_slices_are_equal(*digest, &wanted).is_err();
        let left: Vec<_> = self.0.iter().filter(is_other).copied().collect();
        (left.len() < self.0.len()).then_some(Self(left))
    }
}

fn recovery_code(environment: &Environment) -> Secret {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    environment.fill_random(&mut *bytes);
    let text = Zeroizing::new(BASE32_NOPAD.encode(&*bytes));
    let mut shown = String::with_capacity(text.len() + 3);
    for (number, character) in text.chars().enumerate() {
        if number > 0 && number % 4 == 0 {
            shown.push('-');
        }
        shown.push(character);
    }
    Secret::new(shown)
}

/// What matters of a code that somebody typed: its characters of base32, which has no 0, 1 and 8.
fn significant(code: &Secret) -> Zeroizing<String> {
    let characters = code.expose().chars().filter(|character| !matches!(character, '-' | ' ')).take(17);
    let letter = |character: char| match character.to_ascii_uppercase() {
        '0' => 'O',
        '1' => 'I',
        '8' => 'B',
        other => other,
    };
    let mut text = Zeroizing::new(String::with_capacity(17 * 4));
    text.extend(characters.map(letter));
    text
}

fn digest_of(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// That of the RFCs' examples.
    fn example() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    /// RFC 4226, appendix D; RFC 6238, appendix B, of whose eight digits the last six.
    #[test]
    fn codes_are_those_of_the_rfcs() {
        let of_counters =
            [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (step, code) in (0..).zip(of_counters) {
            assert_eq!(example().code(step), code, "step {step}");
        }
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(example().check(&secret(code), at(seconds), None), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_for_a_step_before_and_after_its_own() {
        let code = secret("050 471");
        let step = 1_111_111_111 / 30;
        let begins = step * 30;
        for seconds in [begins - 30, begins - 1, begins, begins + 29, begins + 30, begins + 59] {
            assert_eq!(example().check(&code, at(seconds), None), Some(step), "{}", seconds - begins);
        }
        for seconds in [begins - 31, begins + 60, begins + 90, 0, -1, i64::MIN / 2_000_000] {
            assert_eq!(example().check(&code, at(seconds), None), None, "{}", seconds - begins);
        }
    }

    #[test]
    fn a_code_is_good_once() {
        let (now, step) = (at(1_111_111_111), 1_111_111_111 / 30);
        let codes = [step - 1, step, step + 1].map(|step| secret(&format!("{:06}", example().code(step))));
        assert_eq!(example().check(&codes[1], now, Some(step - 1)), Some(step));
        assert_eq!(example().check(&codes[1], now, Some(step)), None, "the same again");
        assert_eq!(example().check(&codes[0], now, Some(step)), None, "one before it");
        assert_eq!(example().check(&codes[2], now, Some(step)), Some(step + 1));
        for code in &codes {
            assert_eq!(example().check(code, now, Some(step + 1)), None);
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for code in
            ["", "05047", "0504710", "50471", "05047a", "+50471", "０５０４７１", "050471\n", "050472"]
        {
            assert_eq!(example().check(&secret(code), at(1_111_111_111), None), None, "{code:?}");
        }
        let other = TotpSecret::from_bytes(*b"12345678901234567891");
        assert_eq!(other.check(&secret("050471"), at(1_111_111_111), None), None);
    }

    #[test]
    fn an_application_reads_the_secret_from_a_picture() {
        assert_eq!(example().to_base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            example().to_uri("Nuée", "ada:lovelace@example.org").expose(),
            "otpauth://totp/Nu%C3%A9e:ada%20lovelace%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Nu%C3%A9e&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", example()), "TotpSecret(…)");
        let environment = Environment::system();
        let (one, other) = (TotpSecret::generate(&environment), TotpSecret::generate(&environment));
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn a_recovery_code_is_good_once() {
        let (codes, kept) = RecoveryCodes::generate(&Environment::system());
        let different: BTreeSet<_> = codes.iter().map(|code| code.expose().to_owned()).collect();
        assert_eq!((different.len(), kept.left()), (10, 10));
        let kept = RecoveryCodes::from_digests(kept.digests().to_vec());
        let left = kept.without(&codes[3]).unwrap();
        assert_eq!(left.left(), 9);
        assert_eq!(left.without(&codes[3]), None);
        let typed = codes[4].expose().to_lowercase().replace('-', " ").replace('o', "0").replace('i', "1");
        let left = left.without(&secret(&typed)).unwrap();
        assert_eq!(left.without(&codes[4]), None);
        let none = codes.iter().fold(kept, |kept, code| kept.without(code).unwrap());
        assert_eq!(none.left(), 0);
        for code in ["", "----", "AAAA-AAAA-AAAA-AAAA", codes[0].expose()] {
            assert_eq!(none.without(&secret(code)), None);
        }
    }

    #[test]
    fn a_recovery_code_has_four_groups_and_no_more_is_looked_at() {
        let (codes, kept) = RecoveryCodes::generate(&Environment::system());
        let code = codes[0].expose();
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
        for other in [&code[..18], &format!("{code}A"), &format!("A{code}")] {
            assert_eq!(kept.without(&secret(other)), None, "{other}");
        }
    }
}
