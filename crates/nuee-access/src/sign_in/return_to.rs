//! Where somebody goes after a sign-in: a page of this server, or a command line that waits on the same machine. Anything
//! else would make of this server a way to lead people elsewhere
//! ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700#section-4.11), section 4.11).

use std::{fmt, str::FromStr};

/// The longest, in bytes.
const MAX_BYTES: usize = 2_048;
/// Addresses of this machine, as [RFC 8252](https://www.rfc-editor.org/rfc/rfc8252#section-7.3) writes them; `localhost`
/// could be looked up elsewhere.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1:", "http://[::1]:"];

/// A place to return to: `/…` on this server, or `http://127.0.0.1:PORT/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no place to return to: expected a path such as /projects, or http://127.0.0.1:PORT/ for a program"
)]
pub struct InvalidReturn(String);

impl ReturnTo {
    /// The path or the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a program on the machine of whoever signs in.
    #[must_use]
    pub fn is_program(&self) -> bool {
        !self.0.starts_with('/')
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Browsers read `//`, `/\` and what has a tab or a line break in between as the name of another host.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    text.starts_with('/') && !text.starts_with("//") && text.bytes().all(plain)
}

fn is_loopback(text: &str) -> bool {
    let Some(rest) = LOOPBACK.iter().find_map(|address| text.strip_prefix(address)) else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (port, path) = rest.split_at(digits);
    port.parse::<u16>().is_ok_and(|port| port > 0)
        && (path.is_empty() || is_path(path))
        && !path.contains('#')
}

impl FromStr for ReturnTo {
    type Err = InvalidReturn;

    fn from_str(text: &str) -> Result<Self, InvalidReturn> {
        let is_ours = text.len() <= MAX_BYTES && (is_path(text) || is_loopback(text));
        if is_ours { Ok(Self(text.to_owned())) } else { Err(InvalidReturn(text.chars().take(80).collect())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_ours_are_returned_to() {
        for text in [
            "/",
            "/projects/lab?tab=members#top",
            "/a//b",
            "/?next=https://example.org",
            "http://127.0.0.1:40123/callback?x=1",
            "http://127.0.0.1:1",
            "http://[::1]:40123/",
        ] {
            assert_eq!(text.parse::<ReturnTo>().unwrap().as_str(), text);
        }
        assert!("http://127.0.0.1:1".parse::<ReturnTo>().unwrap().is_program());
        let refused = [
            "",
            "projects",
            "//example.org",
            "///example.org",
            "/\\example.org",
            "\\/example.org",
            "/\texample.org",
            "/\n/example.org",
            " /",
            "/a b",
            "/é",
            "/\u{202e}",
            "https://example.org/",
            "http://example.org:80/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://127.0.0.1/",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:80@example.org/",
            "http://127.0.0.1:80.example.org/",
            "http://127.0.0.1:80//example.org",
            "http://127.0.0.1:80/#x",
            "http://127.0.0.1.example.org:80/",
            "http://127.0.0.2:80/",
            "http://localhost:80/",
            "http://[::1]:80\\@example.org/",
            "HTTP://127.0.0.1:80/",
            "https://127.0.0.1:80/",
            &"/".repeat(2_049),
            &format!("/{}", "a".repeat(2_048)),
        ];
        for text in refused {
            assert!(text.parse::<ReturnTo>().is_err(), "{text:?}");
        }
        println!("{} places are refused", refused.len());
    }
}
