//! Creations that can be asked for twice and are made once: the `Idempotency-Key` header.
//!
//! Answers are kept for the principal who asks. Where nobody shows a credential there is none, and the header is refused:
//! whoever sends it would believe that it can ask again.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use nuee_base::{OrganisationId, Principal};
use nuee_tenancy::{Asked, KeptAnswer};
use sha2::{Digest, Sha256};

use crate::{
    caller::Caller,
    failure::{Answer, Failure},
    router::{MAX_BODY_BYTES, Parts},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What tells that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The longest answer that is kept: creations answer with a few hundred bytes.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// Where nobody shows a credential: the header has no meaning there.
const OPEN: [&str; 4] = [
    "/api/v1/invitations/acceptances",
    "/api/v1/issuers/exchanges",
    "/api/v1/password-resets",
    "/api/v1/sign-ins",
];

/// Answers a request, once for each key.
pub(crate) async fn once(State(parts): State<Arc<Parts>>, request: Request, next: Next) -> Response {
    if *request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    answer(&parts, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(parts: &Arc<Parts>, request: Request, next: Next) -> Answer<Response> {
    if OPEN.contains(&request.uri().path()) {
        let detail = "`Idempotency-Key` has no meaning here, where no credential says who asks: send the request without it";
        return Err(Failure::invalid(detail));
    }
    let key = key_of(&request)?;
    let (mut head, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut head, parts).await?;
    let organisation = organisation_of(caller.context.principal())?;
    let too_large =
        |_| Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid", "the body is too large, or was cut");
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(too_large)?;
    let mut digest = Sha256::new();
    for part in [head.uri.path().as_bytes(), head.uri.query().unwrap_or_default().as_bytes(), &body[..]] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let asked = (key.as_str(), <[u8; 32]>::from(digest.finalize()));
    match parts.tenancy.begin_answer(&caller.context, organisation, asked).await? {
        Asked::First => {}
        Asked::Answered(kept) => return Ok(replay(kept)),
        Asked::UnderWay => {
            let detail = "the first request with this Idempotency-Key is being answered, or was cut: look whether it was made";
            return Err(Failure::new(StatusCode::CONFLICT, "conflict", detail));
        }
        Asked::Another => {
            return Err(Failure::invalid("this Idempotency-Key was used for another request: use a new one"));
        }
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER_BYTES).await.unwrap_or_default();
    // What went wrong here, or is a matter of the moment, can be asked for anew.
    let is_final = !head.status.is_server_error() && head.status != StatusCode::TOO_MANY_REQUESTS;
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kept = KeptAnswer {
        status: head.status.as_u16(),
        content_type: content_type.unwrap_or("application/json").to_owned(),
        body: body.to_vec(),
    };
    parts.tenancy.finish_answer(&caller.context, organisation, asked, is_final.then_some(kept)).await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

fn key_of(request: &Request) -> Answer<String> {
    let mut values = request.headers().get_all(KEY).iter();
    let key = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_BYTES || values.next().is_some() {
        return Err(Failure::invalid(format!(
            "`Idempotency-Key` is one text of 1 to {MAX_KEY_BYTES} characters"
        )));
    }
    Ok(key.to_owned())
}

fn organisation_of(principal: &Principal) -> Answer<OrganisationId> {
    match principal {
        Principal::User { organisation, .. } | Principal::ServiceAccount { organisation, .. } => {
            Ok(*organisation)
        }
        Principal::OperatorAccount { .. } => Ok(OrganisationId::PLATFORM),
        _ => Err(Failure::unauthenticated("sign in first")),
    }
}

fn replay(kept: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&kept.content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_header_is_refused_wherever_no_credential_is_shown() {
        let document = serde_json::to_value(crate::document(nuee_tenancy::Realm::Organisations)).unwrap();
        let is_open = |item: &Value| item["post"]["security"] == json!([{}]);
        let paths = document["paths"].as_object().unwrap().iter();
        let open: Vec<_> = paths.filter(|(_, item)| is_open(item)).map(|(path, _)| path.as_str()).collect();
        assert_eq!(open, OPEN);
    }
}
