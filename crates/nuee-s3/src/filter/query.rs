//! The query of a request, decoded once.

use std::borrow::Cow;

/// The parameters of a query, in order. They are read by the same library as in `s3s`, so that both see the same.
pub(super) struct Query<'r>(Vec<(Cow<'r, str>, Cow<'r, str>)>);

impl<'r> Query<'r> {
    pub(super) fn parse(query: Option<&'r str>) -> Self {
        Self(query.map(|query| form_urlencoded::parse(query.as_bytes()).collect()).unwrap_or_default())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// The value of a parameter, its name in any case; the second one says whether there are several.
    pub(super) fn get(&self, name: &str) -> (Option<&str>, bool) {
        let mut found =
            self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        (found.next(), found.next().is_some())
    }
}
