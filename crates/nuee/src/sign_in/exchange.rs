//! Requests to an issuer on behalf of somebody who signs in: a code for tokens
//! ([OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html#TokenEndpoint), section 3.1.3), and an
//! access token for what the issuer says of them (section 5.3).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{Empty, Full};
use nuee_access::{IssuerSays, PendingSignIn};
use nuee_base::Secret;
use serde::Deserialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Provider, SignInFailed};
use crate::{
    issuer::{Published, USER_AGENT},
    settings::TokenEndpointAuth,
};

/// The longest answer with tokens, and the longest userinfo, in bytes.
const MAX_TOKENS_BYTES: usize = 64 << 10;
const MAX_USERINFO_BYTES: usize = 64 << 10;
/// The longest access token, in bytes.
const MAX_ACCESS_TOKEN_BYTES: usize = 16 << 10;

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id_token: Secret,
    access_token: Secret,
    /// For how long the access token is good, from now.
    expires_in: Option<Duration>,
}

/// What userinfo answers.
pub(super) struct Answer {
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// The token endpoint's answer ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-5.1), section 5.1).
#[derive(Deserialize)]
struct Document {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    id_token: Option<String>,
}

impl Provider {
    /// Exchanges a code.
    pub(super) async fn redeem(
        &self,
        code: &Secret,
        pending: &PendingSignIn,
        published: &Published,
    ) -> Result<Tokens, SignInFailed> {
        let endpoint = self.endpoint(published, "token_endpoint", |it| it.token_endpoint.as_ref())?;
        let request = self.token_request(&endpoint, code, pending);
        let request = request.map_err(|error| self.unavailable(error.to_string()))?;
        let answer = self.client.send_for(request, MAX_TOKENS_BYTES).await;
        let answer = answer.map_err(|error| self.unavailable(format!("{error:#}")))?;
        if answer.status() != StatusCode::OK {
            return Err(match IssuerSays::read(answer.body()) {
                Some(says) if !answer.status().is_server_error() => self.declined(says),
                _ => self.unavailable(format!("{endpoint} answers {}", answer.status())),
            });
        }
        // What it says is a secret, and stays out of errors.
        let document: Document = serde_json::from_slice(answer.body()).map_err(|error| {
            self.unavailable(format!("{endpoint} answers no tokens (line {})", error.line()))
        })?;
        self.read_tokens(document)
    }

    fn read_tokens(&self, document: Document) -> Result<Tokens, SignInFailed> {
        let access_token = Secret::new(document.access_token);
        let id_token = document.id_token.map(Secret::new);
        let fails = |why: &str| Err(self.unavailable(format!("its token endpoint gives {why}")));
        if !document.token_type.eq_ignore_ascii_case("bearer") {
            return fails("an access token of another type than Bearer");
        }
        let length = access_token.expose().len();
        if !(1..=MAX_ACCESS_TOKEN_BYTES).contains(&length)
            || !access_token.expose().bytes().all(|byte| byte.is_ascii_graphic())
        {
            return fails("an access token that cannot be sent");
        }
        if document.expires_in == Some(0) {
            return fails("an access token that has expired");
        }
        let Some(id_token) = id_token else {
            return fails("no ID token: is `openid` among the scopes there?");
        };
        Ok(Tokens { id_token, access_token, expires_in: document.expires_in.map(Duration::from_secs) })
    }

    fn token_request(
        &self,
        endpoint: &str,
        code: &Secret,
        pending: &PendingSignIn,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose())
            .append_pair("redirect_uri", &pending.redirect_uri);
        if let Some(verifier) = pending.expected.verifier() {
            form.append_pair("code_verifier", verifier.expose());
        }
        let mut request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        let (id, secret) = (&self.party.client_id, self.secret.expose());
        match self.auth {
            TokenEndpointAuth::ClientSecretPost => {
                form.append_pair("client_id", id).append_pair("client_secret", secret);
            }
            TokenEndpointAuth::ClientSecretBasic => {
                // Both are encoded as in a form first (RFC 6749, section 2.3.1).
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret)));
                request =
                    request.header(header::AUTHORIZATION, sensitive("Basic ", &STANDARD.encode(&*pair))?);
            }
        }
        request.body(Full::new(form.finish().into()))
    }

    /// What the issuer says of somebody, if it has an address for that. The access token is not used past its time.
    pub(super) async fn userinfo(
        &self,
        tokens: &Tokens,
        published: &Published,
    ) -> Result<Option<Answer>, SignInFailed> {
        if published.configuration.as_ref().is_none_or(|it| it.userinfo_endpoint.is_none()) {
            return Ok(None);
        }
        let endpoint = self.endpoint(published, "userinfo_endpoint", |it| it.userinfo_endpoint.as_ref())?;
        let token = sensitive("Bearer ", tokens.access_token.expose());
        let request = token.and_then(|token| {
            Request::get(&endpoint)
                .header(header::AUTHORIZATION, token)
                .header(header::ACCEPT, "application/jwt, application/json")
                .header(header::USER_AGENT, USER_AGENT)
                .body(Empty::<Bytes>::new())
        });
        let request = request.map_err(|error| self.unavailable(error.to_string()))?;
        let sent = self.client.send_for(request, MAX_USERINFO_BYTES);
        let sent = timeout(tokens.expires_in.unwrap_or(super::PATIENCE), sent).await;
        let late = |_| self.unavailable("the access token expired before userinfo was answered");
        let answer = sent.map_err(late)?.map_err(|error| self.unavailable(format!("{error:#}")))?;
        if answer.status() != StatusCode::OK {
            return Err(self.unavailable(format!("{endpoint} answers {}", answer.status())));
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        Ok(Some(Answer { content_type, body: answer.into_body() }))
    }
}

/// A header that is a credential, and stays out of logs.
fn sensitive(scheme: &str, credential: &str) -> Result<HeaderValue, http::Error> {
    let text = Zeroizing::new(format!("{scheme}{credential}"));
    let mut value = HeaderValue::from_str(&text)?;
    value.set_sensitive(true);
    Ok(value)
}
