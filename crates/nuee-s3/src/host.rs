//! Which bucket a `Host` header names: path style and virtual-host style.
//!
//! A *domain* is a name under which this surface is reached. For the domain `s3.localhost`: the host `s3.localhost:9000`
//! names no bucket, so the first segment of the path does (path style); `photos.s3.localhost:9000` names the bucket
//! `photos` (virtual-host style). Ports are not looked at, and letters are compared without regard to case.
//!
//! A host under none of the domains is path style: an address, `localhost`, or whatever name the operator's network
//! gives this machine. An IP address never has buckets before it, since no client makes such names.

use std::{fmt, sync::Arc};

use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// The domains of this surface. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hosts(Arc<[String]>);

/// A text is not a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDomain(String);

impl fmt::Display for InvalidDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a domain: expected a name such as s3.example.org, without a port", self.0)
    }
}

impl std::error::Error for InvalidDomain {}

impl Hosts {
    /// The domain that needs no configuration.
    pub const LOCAL: &'static str = "s3.localhost";

    /// [`Self::LOCAL`] and these.
    pub fn new<'a>(domains: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidDomain> {
        let mut all = vec![Self::LOCAL.to_owned()];
        for domain in domains {
            if !is_domain(domain) {
                return Err(InvalidDomain(domain.to_owned()));
            }
            all.push(domain.to_ascii_lowercase());
        }
        // The longest first, so that of `example.org` and `s3.example.org` the nearer one decides.
        all.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
        Ok(Self(all.into()))
    }

    /// The bucket that this `Host` header names, if it is under one of the domains. The name is as it was written, and
    /// may be no valid name of a bucket.
    #[must_use]
    pub fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let name = without_port(host);
        let under = |domain: &&String| {
            let start = name.len().checked_sub(domain.len())?;
            // `get` because a name that is not ASCII may have no boundary there.
            name.get(start..)?.eq_ignore_ascii_case(domain).then_some(start)
        };
        let start = self.0.iter().filter_map(|domain| under(&domain)).find(|start| {
            // `mys3.localhost` merely ends like `s3.localhost`.
            *start == 0 || name.as_bytes()[start - 1] == b'.'
        })?;
        (start > 0).then(|| &name[..start - 1])
    }
}

impl Hosts {
    /// The name of the bucket that a request names, by its host or by its path.
    pub(crate) fn bucket_of(&self, host: &str, path: &str) -> Option<String> {
        if let Some(bucket) = self.bucket(host) {
            return Some(bucket.to_ascii_lowercase());
        }
        // Names of buckets have no character that needs encoding, but a slash may have been.
        let path = percent_encoding::percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
        let end = path.find('/').unwrap_or(path.len());
        Some(path[..end].to_owned()).filter(|name| !name.is_empty())
    }
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let virtual_host = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            // Names of hosts have no case.
            Some(bucket) => virtual_host.with_bucket(bucket.to_ascii_lowercase()),
            None => virtual_host,
        })
    }
}

fn without_port(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.split('.').all(label) && !numeric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_before_a_domain_only() {
        let hosts = Hosts::new(["example.org", "S3.Example.org"]).unwrap();
        let cases = [
            ("s3.localhost", None),
            ("s3.localhost:9000", None),
            ("S3.LOCALHOST.", None),
            ("photos.s3.localhost", Some("photos")),
            ("photos.s3.localhost:9000", Some("photos")),
            ("a.b.S3.localhost", Some("a.b")),
            ("mys3.localhost", None),
            (".s3.localhost", Some("")),
            ("photos.s3.example.org", Some("photos")),
            ("s3.example.org", None),
            ("other.example.org:443", Some("other")),
            ("example.org", None),
            ("localhost:9000", None),
            ("127.0.0.1:9000", None),
            ("photos.127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("photos.elsewhere.net", None),
            ("é.s3.localhost", Some("é")),
            ("és3.localhost", None),
            ("", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(hosts.bucket(host), bucket, "{host}");
        }
    }

    #[test]
    fn a_bucket_is_named_by_the_host_or_by_the_path() {
        let hosts = Hosts::new([]).unwrap();
        for (host, path, bucket) in [
            ("localhost:9000", "/photos/a/b", Some("photos")),
            ("localhost:9000", "/photos", Some("photos")),
            ("localhost:9000", "/photos%2Fa", Some("photos")),
            ("localhost:9000", "/", None),
            ("localhost:9000", "*", None),
            ("localhost:9000", "/%ff", None),
            ("Photos.s3.localhost", "/a", Some("photos")),
        ] {
            assert_eq!(hosts.bucket_of(host, path).as_deref(), bucket, "{host}{path}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for bad in ["", "a..b", ".a", "a.", "exa_mple.org", "s3.example.org:9000", "127.0.0.1", "a/b"] {
            assert!(Hosts::new([bad]).is_err(), "{bad}");
        }
    }
}
