//! Which sites may script a bucket's content in their visitors' browsers
//! ([the Fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol), in [S3's
//! form](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html)).
//!
//! The first rule that matches a request says what its answer tells the browser. This opens nothing: it is no leave.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The most rules of a bucket, as at S3.
const MAX_RULES: usize = 100;
/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1_024;
/// The methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRule {
    /// Its name, which nothing hangs on.
    pub id: Option<String>,
    /// Origins, with at most one `*` each.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// Headers that a request may have, with at most one `*` each.
    pub headers: Vec<String>,
    /// Headers of answers that scripts may read.
    pub exposed: Vec<String>,
    /// For how long a browser may remember it, in seconds.
    pub max_age_seconds: Option<u32>,
}

/// The rules of a bucket, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRules(Vec<CorsRule>);

impl CorsRules {
    /// Rules that can be meant; an error says which one cannot.
    pub fn new(rules: Vec<CorsRule>) -> Result<Self, Error> {
        if rules.is_empty() || rules.len() > MAX_RULES {
            return Err(Error::Invalid(format!("a CORS configuration has 1 to {MAX_RULES} rules")));
        }
        for rule in &rules {
            check(rule)?;
        }
        Ok(Self(rules))
    }

    /// All of them.
    #[must_use]
    pub fn rules(&self) -> &[CorsRule] {
        &self.0
    }

    /// The rule for a request of this origin, method, and headers; `headers` are those that a preflight asks for.
    #[must_use]
    pub fn find(&self, origin: &str, method: &str, headers: &[&str]) -> Option<&CorsRule> {
        self.0.iter().find(|rule| {
            rule.methods.iter().any(|allowed| allowed == method)
                && rule.origins.iter().any(|pattern| matches(pattern, origin, false))
                && headers
                    .iter()
                    .all(|header| rule.headers.iter().any(|pattern| matches(pattern, header, true)))
        })
    }
}

fn check(rule: &CorsRule) -> Result<(), Error> {
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(Error::Invalid("a CORS rule has an AllowedOrigin and an AllowedMethod at least".into()));
    }
    for method in &rule.methods {
        if !METHODS.contains(&method.as_str()) {
            let known = METHODS.join(", ");
            let message = format!("{method:?} is no method of a CORS rule: {known} are");
            return Err(Error::Invalid(message));
        }
    }
    for pattern in rule.origins.iter().chain(&rule.headers) {
        if pattern.len() > MAX_PATTERN_BYTES || pattern.matches('*').count() > 1 {
            let message = format!("{pattern:?} has more than one wildcard, or is too long");
            return Err(Error::Invalid(message));
        }
    }
    let printable = |text: &String| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match rule.exposed.iter().chain(&rule.origins).chain(&rule.headers).find(|text| !printable(text)) {
        Some(other) => Err(Error::Invalid(format!("{other:?} has characters that no header has"))),
        None if rule.exposed.iter().any(|name| name.contains('*')) => {
            Err(Error::Invalid("an ExposeHeader is the whole name of a header".into()))
        }
        None => Ok(()),
    }
}

/// Whether a text fits a pattern with at most one `*`.
fn matches(pattern: &str, text: &str, any_case: bool) -> bool {
    let same =
        |one: &[u8], other: &[u8]| if any_case { one.eq_ignore_ascii_case(other) } else { one == other };
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return same(pattern, text) };
    let (start, end) = (&pattern[..star], &pattern[star + 1..]);
    text.len() >= start.len() + end.len()
        && same(start, &text[..start.len()])
        && same(end, &text[text.len() - end.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        CorsRule {
            origins: own(origins),
            methods: own(methods),
            headers: own(headers),
            ..CorsRule::default()
        }
    }

    #[test]
    fn the_first_rule_that_matches_is_found() {
        let rules = CorsRules::new(vec![
            rule(&["https://data.example.org"], &["PUT"], &["x-amz-*", "Content-Type"]),
            rule(&["https://*.example.org", "null"], &["GET", "HEAD"], &[]),
            rule(&["*"], &["GET"], &["*"]),
        ])
        .unwrap();
        let found = |origin, method, headers: &[&str]| {
            let found = rules.find(origin, method, headers)?;
            rules.rules().iter().position(|rule| rule == found)
        };
        assert_eq!(found("https://data.example.org", "PUT", &["X-Amz-Date", "content-type"]), Some(0));
        assert_eq!(found("https://data.example.org", "PUT", &["authorization"]), None);
        assert_eq!(found("https://data.example.org", "GET", &[]), Some(1));
        assert_eq!(found("https://DATA.example.org", "HEAD", &[]), Some(1));
        assert_eq!(found("https://.example.orgs", "HEAD", &[]), None);
        assert_eq!(found("null", "HEAD", &[]), Some(1));
        assert_eq!(found("http://elsewhere", "GET", &["a", "b"]), Some(2));
        assert_eq!(found("http://elsewhere", "DELETE", &[]), None);
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        for bad in [
            rule(&[], &["GET"], &[]),
            rule(&["*"], &[], &[]),
            rule(&["*"], &["PATCH"], &[]),
            rule(&["*"], &["get"], &[]),
            rule(&["http://*.*"], &["GET"], &[]),
            rule(&["*"], &["GET"], &["x-*-*"]),
            rule(&["h\u{e9}"], &["GET"], &[]),
            rule(&["a\r\nb: c"], &["GET"], &[]),
        ] {
            assert!(CorsRules::new(vec![bad.clone()]).is_err(), "{bad:?}");
        }
        assert!(CorsRules::new(Vec::new()).is_err());
        assert!(CorsRules::new(vec![rule(&["*"], &["GET"], &[]); 101]).is_err());
    }
}
