//! Signed notes: texts with lines of signatures below, and the keys by which they are checked
//! ([C2SP signed-note](https://c2sp.org/signed-note), [C2SP tlog-cosignature](https://c2sp.org/tlog-cosignature)).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_base::Timestamp;
use nuee_keys::{SIGNATURE_SIZE, SigningKey, VerifyingKey};

use crate::tree::hash;

/// Signatures of a note that are looked at.
const MAX_SIGNATURES: usize = 64;
const DASH: &str = "\u{2014} ";

/// What signatures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// Ed25519 over the text of the note.
    Note,
    /// Ed25519 over the text and the time: a witness's.
    Cosignature,
}

impl SignatureKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A public key and the name of whoever has its other half, as `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: SignatureKind,
    key: VerifyingKey,
}

/// Why a text is no note, no key, or no checkpoint of whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    /// It has another form.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// A key has another form.
    #[error(
        "this is no verifier key: expected a name, an id of eight hexadecimal digits and a key, with + between them"
    )]
    Key,
    /// It is not signed by this key.
    #[error("it is not signed by {0}")]
    Unsigned(String),
    /// A signature by the right key is wrong.
    #[error("the signature of {0} does not fit: the text was changed")]
    Forged(String),
}

impl VerifierKey {
    /// The key of whoever is called `name`: no spaces, and no `+`.
    #[must_use]
    pub fn new(name: String, kind: SignatureKind, key: VerifyingKey) -> Self {
        Self { name, kind, key }
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures are made of.
    #[must_use]
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    fn id(&self) -> u32 {
        let hash = hash(&[self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.key.to_bytes()]);
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()][..], &self.key.to_bytes()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidNote;

    fn from_str(text: &str) -> Result<Self, InvalidNote> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(InvalidNote::Key);
        let (name, id, key) = (part()?, part()?, part()?);
        let bytes = STANDARD.decode(key).map_err(|_| InvalidNote::Key)?;
        let (kind, key) = match bytes.split_first() {
            Some((1, key)) => (SignatureKind::Note, key),
            Some((4, key)) => (SignatureKind::Cosignature, key),
            _ => return Err(InvalidNote::Key),
        };
        let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| InvalidNote::Key)?);
        let read = Self { name: name.to_owned(), kind, key };
        if !is_name(name) || format!("{:08x}", read.id()) != id {
            return Err(InvalidNote::Key);
        }
        Ok(read)
    }
}

/// Whether this can be the name of a key.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

/// A line below a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

impl Signature {
    /// Signs the text of a note, for the first time.
    #[must_use]
    pub fn of_note(text: &str, name: &str, key: &SigningKey) -> Self {
        let id = VerifierKey::new(name.to_owned(), SignatureKind::Note, key.public()).id();
        Self { name: name.to_owned(), id, bytes: key.sign(text.as_bytes()).to_vec() }
    }

    /// Signs the text of a checkpoint that somebody else has made, now.
    #[must_use]
    pub fn of_witness(text: &str, name: &str, key: &SigningKey, now: Timestamp) -> Self {
        let id = VerifierKey::new(name.to_owned(), SignatureKind::Cosignature, key.public()).id();
        let seconds = u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0);
        let signature = key.sign(cosigned(text, seconds).as_bytes());
        Self { name: name.to_owned(), id, bytes: [&seconds.to_be_bytes()[..], &signature].concat() }
    }

    /// Reads a line, without its end.
    pub fn parse(line: &str) -> Result<Self, InvalidNote> {
        let malformed = InvalidNote::Malformed("a line below it is no signature");
        let parts = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' '));
        let (name, encoded) = parts.filter(|(name, _)| is_name(name)).ok_or(malformed.clone())?;
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        let (id, bytes) = bytes.split_first_chunk().filter(|(_, rest)| !rest.is_empty()).ok_or(malformed)?;
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }

    /// Whether it says that it is of this key.
    #[must_use]
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id()
    }

    /// Whether it is this key's, of this text.
    #[must_use]
    pub fn verifies(&self, text: &str, key: &VerifierKey) -> bool {
        self.is_of(key)
            && match key.kind {
                SignatureKind::Note => key.key.verifies(text.as_bytes(), &self.bytes),
                SignatureKind::Cosignature => {
                    self.bytes.split_first_chunk().is_some_and(|(seconds, signature)| {
                        let signed = cosigned(text, u64::from_be_bytes(*seconds));
                        signature.len() == SIGNATURE_SIZE && key.key.verifies(signed.as_bytes(), signature)
                    })
                }
            }
    }

    /// When a witness signed, in seconds since 1970.
    #[must_use]
    pub fn witnessed_at(&self) -> Option<Timestamp> {
        let seconds = u64::from_be_bytes(*self.bytes.first_chunk()?);
        Some(Timestamp::from_micros(i64::try_from(seconds).ok()?.checked_mul(1_000_000)?))
    }
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode([&self.id.to_be_bytes()[..], &self.bytes].concat());
        writeln!(f, "{DASH}{} {encoded}", self.name)
    }
}

/// A text with signatures below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with the end of its last line.
    pub text: String,
    /// The signatures.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// That it is signed by this key; a signature by this key that does not fit is an error whatever else there is.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), InvalidNote> {
        let mut found = self.signatures.iter().filter(|signature| signature.is_of(key)).peekable();
        if found.peek().is_none() {
            return Err(InvalidNote::Unsigned(key.name.clone()));
        }
        if found.all(|signature| signature.verifies(&self.text, key)) {
            Ok(())
        } else {
            Err(InvalidNote::Forged(key.name.clone()))
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = InvalidNote;

    fn from_str(text: &str) -> Result<Self, InvalidNote> {
        if text.contains(|letter: char| letter.is_ascii_control() && letter != '\n') {
            return Err(InvalidNote::Malformed("it has control characters"));
        }
        let border = text.rfind("\n\n").ok_or(InvalidNote::Malformed("it has no empty line"))?;
        let (text, lines) = (&text[..=border], &text[border + 2..]);
        if text == "\n" || !lines.ends_with('\n') {
            return Err(InvalidNote::Malformed("it ends in the middle of a line"));
        }
        let signatures: Vec<_> =
            lines.lines().take(MAX_SIGNATURES + 1).map(Signature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(InvalidNote::Malformed("it has too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

#[cfg(test)]
mod tests {
    use signed_note::{StandardVerifier, VerifierList};

    use super::*;

    /// The example of the implementation in Go, from which the specification was made.
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    fn signing_key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_verified() {
        let (note, key): (Note, VerifierKey) = (NOTE.parse().unwrap(), KEY.parse().unwrap());
        assert_eq!((note.to_string(), key.to_string()), (NOTE.to_owned(), KEY.to_owned()));
        note.verify(&key).unwrap();
        let changed = Note { text: note.text.replace("your", "my"), ..note };
        assert_eq!(changed.verify(&key), Err(InvalidNote::Forged("PeterNeumann".into())));
    }

    #[test]
    fn another_implementation_takes_what_is_signed_here() {
        let (text, key) = ("nuee/example\n7\nAAAA\n", signing_key());
        let verifier = VerifierKey::new("nuee/example".into(), SignatureKind::Note, key.public());
        let note =
            Note { text: text.into(), signatures: vec![Signature::of_note(text, "nuee/example", &key)] };
        let theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&verifier.to_string()).unwrap())]);
        let (verified, unverified) = theirs.verify(&known).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
    }

    #[test]
    fn a_witness_signs_the_text_and_the_time() {
        let (text, key) = ("nuee/example\n7\nAAAA\n", signing_key());
        let verifier = VerifierKey::new("witness/one".into(), SignatureKind::Cosignature, key.public());
        let now = Timestamp::from_micros(1_679_315_147_500_000);
        let signature = Signature::of_witness(text, "witness/one", &key, now);
        assert_eq!(signature.witnessed_at(), Some(Timestamp::from_micros(1_679_315_147_000_000)));
        assert!(signature.verifies(text, &verifier));
        assert!(!signature.verifies("nuee/example\n8\nAAAA\n", &verifier));
        let read = Signature::parse(signature.to_string().trim_end()).unwrap();
        assert_eq!(read, signature);
        let mut later = read;
        later.bytes[7] ^= 1;
        assert!(!later.verifies(text, &verifier));
    }

    #[test]
    fn what_is_no_note_and_no_key_is_refused() {
        for text in ["", "\n\n", "text\n", "text\n\n\u{2014} name", "text\n\n- name AAAAAAA=\n", "t\u{7}\n\n"]
        {
            assert!(text.parse::<Note>().is_err(), "{text:?}");
        }
        let unsigned: Note = "text\n\n\u{2014} other AAAAAAA=\n".parse().unwrap();
        assert!(matches!(unsigned.verify(&KEY.parse().unwrap()), Err(InvalidNote::Unsigned(_))));
        for text in
            ["", "PeterNeumann", &KEY.replace("c74f", "c74e"), &KEY.replace("+ARp", "+ARq"), &KEY[1..]]
        {
            assert!(text.parse::<VerifierKey>().is_err(), "{text:?}");
        }
    }
}
