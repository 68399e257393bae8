//! The fields of a request, from its query and its form.

use super::Fault;

/// The most fields of a request.
const MAX_FIELDS: usize = 64;

/// Fields, each of which came once.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Those of this query and this form.
    pub(super) fn read(query: Option<&str>, form: &[u8]) -> Result<Self, Fault> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs.chain(form_urlencoded::parse(form)) {
            if fields.len() == MAX_FIELDS {
                return Err(Fault::validation(format!("A request has at most {MAX_FIELDS} fields.")));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(Fault::validation(format!("The field {name} is there several times.")));
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(fields))
    }

    /// The value of a field that is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Fault> {
        let found = self.get(name).filter(|value| !value.is_empty());
        found.ok_or_else(|| Fault::validation(format!("The field {name} is missing.")))
    }

    /// Refuses what is none of these. A field that is not understood may be one that restricts.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Fault> {
        let understood = |name: &str| matches!(name, "Action" | "Version") || names.contains(&name);
        if self.get("Version").is_some_and(|version| version != super::answer::VERSION) {
            return Err(Fault::validation(format!("Version must be {}.", super::answer::VERSION)));
        }
        match self.0.iter().find(|(name, _)| !understood(name)) {
            Some((name, _)) => Err(Fault::validation(format!("The field {name} is not offered."))),
            None => Ok(()),
        }
    }
}
