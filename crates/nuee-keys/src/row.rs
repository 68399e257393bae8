//! Codes of rows: an HMAC under a key of the organisation, so that whoever can write to the database can neither make
//! a row nor move one.

use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::Error;

const FORM: u8 = 1;

/// The key that codes an organisation's rows.
pub struct RowMacKey(hmac::Key);

impl RowMacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, key))
    }
}

/// The fields of a row, in a form in which no two rows are alike: each with its type and length.
///
/// ```
/// # use nuee_keys::RowBuilder;
/// let fields = RowBuilder::new("versions").integer(7).bytes(b"key");
/// ```
pub struct RowBuilder(Vec<u8>);

impl RowBuilder {
    /// A row of this table, with no fields yet.
    #[must_use]
    pub fn new(table: &'static str) -> Self {
        let mut fields = Vec::with_capacity(512);
        fields.push(FORM);
        Self(fields).bytes(table.as_bytes())
    }

    /// A field of bytes.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.push(b'b');
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// A field of bytes that may be absent, which is not the same as empty.
    #[must_use]
    pub fn optional_bytes(mut self, field: Option<&[u8]>) -> Self {
        if let Some(field) = field {
            return self.bytes(field);
        }
        self.0.push(b'n');
        self
    }

    /// A field that is a number.
    #[must_use]
    pub fn integer(mut self, field: i64) -> Self {
        self.0.push(b'i');
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// The row's code: HMAC-SHA-256.
    #[must_use]
    pub fn mac(&self, key: &RowMacKey) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&key.0, &self.0).as_ref());
        mac
    }

    /// That `mac` is the row's code; compared in constant time.
    pub fn verify(&self, key: &RowMacKey, mac: &[u8; 32]) -> Result<(), Error> {
        hmac::verify(&key.0, &self.0, mac).map_err(|_| Error::Tampered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_covers_the_table_the_fields_and_their_borders() {
        let (key, other) = (RowMacKey::new(&[1; 32]), RowMacKey::new(&[2; 32]));
        let row = || RowBuilder::new("t").bytes(b"ab").bytes(b"c").integer(5);
        let mac = row().mac(&key);
        assert!(row().verify(&key, &mac).is_ok());
        assert!(row().verify(&other, &mac).is_err());
        for different in [
            RowBuilder::new("u").bytes(b"ab").bytes(b"c").integer(5),
            RowBuilder::new("t").bytes(b"a").bytes(b"bc").integer(5),
            RowBuilder::new("t").bytes(b"ab").bytes(b"c").integer(6),
            RowBuilder::new("t").bytes(b"ab").bytes(b"c"),
            RowBuilder::new("t").bytes(b"ab").bytes(b"c").bytes(&5_i64.to_be_bytes()),
        ] {
            assert!(different.verify(&key, &mac).is_err());
        }
    }

    #[test]
    fn an_absent_field_is_neither_an_empty_one_nor_none_at_all() {
        let (key, row) = (RowMacKey::new(&[1; 32]), || RowBuilder::new("t").bytes(b"ab"));
        let absent = row().optional_bytes(None).integer(5).mac(&key);
        assert_ne!(absent, row().optional_bytes(Some(b"")).integer(5).mac(&key));
        assert_ne!(absent, row().integer(5).mac(&key));
        assert_ne!(absent, row().integer(5).optional_bytes(None).mac(&key));
        assert_eq!(row().optional_bytes(Some(b"c")).mac(&key), row().bytes(b"c").mac(&key));
    }
}
