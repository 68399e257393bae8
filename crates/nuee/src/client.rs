//! The command line as a client of a server: signed in as somebody, by the management API.
//!
//! Who is signed in is kept in a file for its owner alone; its token is renewed on the way when it is old. What members ask
//! takes the same [`Request`](crate::Request)s as what operators ask, as far as the API has it (`requests.rs`).

mod identity;
mod login;
mod requests;

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use nuee_base::{Environment, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(crate) use login::Login;
pub(crate) use requests::{query, text};

use crate::http_client::HttpClient;

/// What stands in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The longest answer that is held in memory, in bytes.
const ANSWER_BYTES: usize = 16 << 20;
/// What the API is called where it has no name of its own.
const LOCAL_NAME: &str = "console.localhost";

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client of the management API.
pub(crate) struct Client {
    http: HttpClient,
    login: Login,
    /// Where the login is kept, so that a new token is kept too.
    file: Option<PathBuf>,
}

/// A refusal by the API.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Refused {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// What programs look at.
    pub(crate) code: String,
    detail: String,
}

impl Refused {
    /// Nobody is signed in who could ask.
    pub(crate) fn nobody() -> Self {
        let detail = "nobody is signed in: `nuee login` first".to_owned();
        Self { status: StatusCode::UNAUTHORIZED, code: "not-signed-in".to_owned(), detail }
    }
}

/// A segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

impl Client {
    /// A client of the server at this URL, that shows nothing.
    pub(crate) fn of(url: &str, ca_bundle: Option<PathBuf>) -> Result<Self> {
        let parsed: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
        ensure!(parsed.host().is_some(), "{url:?} names no host: write it as https://console.example.org");
        let url = url.trim_end_matches('/').to_owned();
        let http = HttpClient::new(ca_bundle.as_deref())?;
        Ok(Self { http, login: Login { url, ca_bundle, ..Login::default() }, file: None })
    }

    /// A client that is signed in as the login of this file, renewed if it is old.
    pub(crate) async fn signed_in(file: PathBuf, login: Login) -> Result<Self> {
        let http = HttpClient::new(login.ca_bundle.as_deref())?;
        let mut client = Self { http, login, file: Some(file) };
        let now = Environment::system().now().to_string();
        // Instants are written so that the earlier is the smaller text.
        ensure!(client.login.expires_at > now, "the sign-in has ended: `nuee login` again");
        if client.login.renew_at <= now {
            client.renew().await?;
        }
        Ok(client)
    }

    async fn renew(&mut self) -> Result<()> {
        let file = self.file.clone().context("nobody is signed in")?;
        // Another command may renew at this moment: whoever has the lock looks first whether that is done.
        let _lock = login::lock(&file)?;
        let kept = Login::read(&file)?.context("nobody is signed in any more")?;
        if kept.token != self.login.token {
            self.login = kept;
            return Ok(());
        }
        let renewed = self.call(Method::POST, "/sign-ins/current/renewals", None).await?;
        self.take_token(&renewed)
    }

    /// Takes and keeps a token that the server has given.
    pub(crate) fn take_token(&mut self, given: &Value) -> Result<()> {
        let text = |name: &str| given[name].as_str().map(str::to_owned);
        let missing = || anyhow!("the server's answer has no token: is it a server of Nuée?");
        self.login.token = text("token").ok_or_else(missing)?;
        self.login.renew_at = text("renew_at").ok_or_else(missing)?;
        self.login.expires_at = text("expires_at").ok_or_else(missing)?;
        match &self.file {
            Some(file) => self.login.write(file),
            None => Ok(()),
        }
    }

    /// Keeps who is signed in, in this file; of no organisation, an operator.
    pub(crate) fn keep(
        &mut self,
        file: PathBuf,
        (email, organisation): (String, Option<String>),
    ) -> Result<()> {
        self.login.email = email;
        self.login.operator = organisation.is_none();
        self.login.organisation = organisation.unwrap_or_default();
        self.login.write(&file)?;
        self.file = Some(file);
        Ok(())
    }

    /// Asks something of the API; gives the answer, which is null if it is empty.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        self.call_with(method, path, (body, None)).await
    }

    /// The same, of something that is made once, however often it is asked for.
    pub(crate) async fn create(&self, path: &str, body: Value) -> Result<Value> {
        let mut random = [0; 18];
        Environment::system().fill_random(&mut random);
        self.call_with(Method::POST, path, (Some(body), Some(STANDARD.encode(random)))).await
    }

    async fn call_with(
        &self,
        method: Method,
        path: &str,
        (body, once): (Option<Value>, Option<String>),
    ) -> Result<Value> {
        let mut request = self.request(method, path)?;
        if let Some(key) = once {
            request.headers_mut().insert("idempotency-key", HeaderValue::from_str(&key)?);
        }
        let text = match body {
            Some(value) => {
                request
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                value.to_string()
            }
            None => String::new(),
        };
        let body = Full::from(text).map_err(|never| match never {}).boxed_unsync();
        let response = self.open(request.map(|()| body)).await?;
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let bytes = bytes.map_err(|error| anyhow!(error))?.to_bytes();
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    }

    /// Sends bytes; gives the answer.
    pub(crate) async fn send<S>(&self, path: &str, (stream, size): (S, u64)) -> Result<Value>
    where
        S: Stream<Item = std::io::Result<Frame<Bytes>>> + Send + 'static,
    {
        let mut request = self.request(Method::PUT, path)?;
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        let response = self.open(request.map(|()| StreamBody::new(stream).boxed_unsync())).await?;
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        Ok(serde_json::from_slice(&bytes.map_err(|error| anyhow!(error))?.to_bytes())?)
    }

    /// Asks for bytes.
    pub(crate) async fn receive(&self, path: &str) -> Result<Response<Incoming>> {
        let request = self.request(Method::GET, path)?;
        self.open(request.map(|()| Full::default().map_err(|never| match never {}).boxed_unsync())).await
    }

    /// A URL of the API for somebody's browser.
    pub(crate) fn shown_url(&self, path: &str) -> Result<String> {
        let url = format!("{}/api/v1{path}", self.login.url);
        let uri: Uri = url.parse()?;
        let (scheme, rest) = (uri.scheme_str().unwrap_or("http"), uri.path_and_query());
        Ok(match (local_name(&uri), rest) {
            (Some(name), Some(rest)) => format!("{scheme}://{name}{rest}"),
            _ => url,
        })
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<()>> {
        let uri: Uri = format!("{}/api/v1{path}", self.login.url).parse()?;
        let mut request = Request::builder().method(method).uri(uri.clone()).body(())?;
        if let Some(name) = local_name(&uri) {
            request.headers_mut().insert(header::HOST, HeaderValue::from_str(&name)?);
        }
        if !self.login.token.is_empty() {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", self.login.token))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn open(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        let response = self.http.open(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let bytes = bytes.map_err(|error| anyhow!(error))?.to_bytes();
        let Ok(problem) = serde_json::from_slice::<Value>(&bytes) else {
            bail!("{} answers {status}: is it a server of Nuée?", self.login.url)
        };
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        let detail = text("detail").or_else(|| text("title")).unwrap_or_else(|| status.to_string());
        Err(Refused { status, code: text("code").unwrap_or_default(), detail }.into())
    }
}

/// What the API is called at a URL that names an address, or this machine.
fn local_name(uri: &Uri) -> Option<String> {
    let host = uri.host()?;
    let is_address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    (is_address || host == "localhost").then(|| format!("{LOCAL_NAME}{port}"))
}

/// What somebody is asked for; not shown while it is typed if it is a secret.
pub(crate) fn ask_secret(prompt: &str) -> Result<Secret> {
    Ok(Secret::new(rpassword::prompt_password(prompt).context("nobody can be asked here")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_the_api_by_its_name() {
        for (url, name) in [
            ("http://127.0.0.1:9000/", Some("console.localhost:9000")),
            ("http://[::1]:9000/", Some("console.localhost:9000")),
            ("http://localhost/", Some("console.localhost")),
            ("https://console.example.org/", None),
        ] {
            assert_eq!(local_name(&url.parse().unwrap()).as_deref(), name, "{url}");
        }
    }

    #[test]
    fn a_segment_is_one_whatever_it_holds() {
        assert_eq!(segment("a/b ?é"), "a%2Fb%20%3F%C3%A9");
    }
}
