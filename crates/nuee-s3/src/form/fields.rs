//! The fields of a form that come before its file.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Refusal;

/// The most bytes of all fields before the file, names included, as at S3.
pub(super) const MAX_FIELDS_BYTES: usize = 20 << 10;
/// The most fields.
const MAX_FIELDS: usize = 100;

/// Fields by name, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    values: BTreeMap<String, String>,
    bytes: usize,
}

impl Fields {
    /// Takes one more. Each comes once.
    pub(super) fn insert(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        self.bytes += name.len() + value.len();
        if self.bytes > MAX_FIELDS_BYTES || self.values.len() == MAX_FIELDS {
            return Err(Refusal::pre_data_too_long(format!(
                "The fields before the file have more than {MAX_FIELDS_BYTES} bytes, or are more than {MAX_FIELDS}."
            )));
        }
        match self.values.insert(name.to_ascii_lowercase(), value) {
            None => Ok(()),
            Some(_) => Err(Refusal::malformed_form(format!("The field {name} is there several times."))),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    /// The names, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A field that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        let missing =
            || Refusal::malformed_form(format!("The form needs the field {name}, before its file."));
        self.get(name).map(String::as_str).ok_or_else(missing)
    }

    /// Puts the name of the file where fields ask for it.
    pub(super) fn expand(&mut self, file_name: &str) {
        // Some browsers send the whole path.
        let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        for value in self.values.values_mut() {
            if value.contains("${filename}") {
                *value = value.replace("${filename}", name);
            }
        }
    }

    /// The fields that mean what a header of their name means to a PUT.
    pub(super) fn headers(&self) -> Result<HeaderMap, Refusal> {
        const PLAIN: [&str; 7] = [
            "cache-control",
            "content-type",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-md5",
            "expires",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in &self.values {
            let header = match name.as_str() {
                "acl" => "x-amz-acl",
                name if PLAIN.contains(&name) => name,
                "x-amz-content-sha256" | "x-amz-decoded-content-length" | "x-amz-trailer" => {
                    return Err(Refusal::not_implemented(format!(
                        "The field {name} is not offered in forms."
                    )));
                }
                name if name.starts_with("x-amz-") && !super::signature::is_field(name) => name,
                _ => continue,
            };
            let pair = HeaderName::from_bytes(header.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let (header, value) = pair.ok_or_else(|| {
                Refusal::invalid_argument(format!("The field {name} is no header with a value."))
            })?;
            headers.insert(header, value);
        }
        Ok(headers)
    }
}
