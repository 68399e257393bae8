//! Problem documents: how surfaces other than S3 say what went wrong (RFC 9457).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value};

/// What went wrong with a request, for a program and for its user.
///
/// Everything in it is shown to the client: what an operator alone should know goes to the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    /// A URI that names the kind of problem; `about:blank` when the status says it all.
    kind: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<String>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem that its status explains.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            kind: Cow::Borrowed("about:blank"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Unknown problem")),
            detail: None,
            members: Map::new(),
        }
    }

    /// The same, of a kind of its own: `kind` is its URI, `title` says it in a few words that never vary.
    #[must_use]
    pub fn with_kind(
        mut self,
        kind: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.kind = kind.into();
        self.title = title.into();
        self
    }

    /// The same, saying what was wrong this time and what to do.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same, with a member of its own; the members that RFC 9457 defines cannot be replaced.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The problem as a response that no cache keeps.
    #[must_use]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let status = self.status;
        let mut document = self.members;
        document.insert("type".to_owned(), self.kind.into());
        document.insert("title".to_owned(), self.title.into());
        document.insert("status".to_owned(), status.as_u16().into());
        if let Some(detail) = self.detail {
            document.insert("detail".to_owned(), detail.into());
        }
        let mut response = Response::new(Full::from(Value::Object(document).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_problem_is_a_document_of_rfc_9457() {
        let problem = Problem::new(StatusCode::CONFLICT)
            .with_kind("https://example.test/problems/name-taken", "The name is taken")
            .with_detail("`a` exists; choose another name")
            .with_member("name", "a")
            .with_member("status", 200);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            document,
            json!({
                "type": "https://example.test/problems/name-taken",
                "title": "The name is taken",
                "status": 409,
                "detail": "`a` exists; choose another name",
                "name": "a",
            })
        );
    }
}
