//! Requests for one object, by an account that the store in memory knows.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
pub(crate) use nuee_testkit::signer::{Draft, EMPTY_SHA256, Signer, date_in, sha256};

pub(crate) const ACCESS_KEY: &str = "TESTACCESSKEY0000001";
pub(crate) const SECRET: &str = "a secret that signs requests";

/// The signer of the account, now.
pub(crate) fn owner() -> Signer {
    Signer::new(ACCESS_KEY, SECRET)
}

/// The signer of the account, so many seconds from now.
pub(crate) fn owner_at(seconds: i64) -> Signer {
    owner().at(seconds)
}

/// Somebody who knows the account's key but not its secret.
pub(crate) fn forger() -> Signer {
    owner().with_wrong_secret()
}

pub(crate) fn put(body: &[u8]) -> Draft {
    Draft::put("/bucket/key", body)
}

pub(crate) fn get() -> Draft {
    Draft::new(Method::GET, "/bucket/key")
}

/// Makes the request that a server would see.
pub(crate) trait Build {
    fn build(&self) -> Request<Full<Bytes>>;
}

impl Build for Draft {
    fn build(&self) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(self.method.clone()).uri(self.target());
        for (name, value) in &self.headers {
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request.body(Full::from(self.body.clone())).unwrap()
    }
}
