//! Sessions of a project: who acts in an assumable role now.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use http::StatusCode;
use nuee_access::Action;
use nuee_base::SessionId;
use nuee_tenancy::Session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::{Page, PageQuery},
    place::{Path, ProjectPath},
};

/// A session that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Its id.
    id: String,
    /// The name of its role.
    role: String,
    /// Who began it: `issuer/NAME` or `service-account/ID`.
    parent: String,
    /// Who that is there.
    subject: String,
    /// What it is called.
    name: String,
    /// The public half of its access key.
    access_key_id: String,
    /// When it began (RFC 3339).
    created_at: String,
    /// When it ends (RFC 3339).
    expires_at: String,
}

/// A session in a path.
#[derive(Deserialize)]
pub(crate) struct SessionPath {
    organisation: String,
    project: String,
    session: String,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            role: session.role.to_string(),
            parent: session.parent,
            subject: session.subject,
            name: session.name,
            access_key_id: session.access_key.to_string(),
            created_at: session.created_at.to_string(),
            expires_at: session.expires_at.to_string(),
        }
    }
}

/// The sessions of a project that go on.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/sessions", operation_id = "listSessions",
    tag = "sessions",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        PageQuery,
    ),
    responses((status = 200, description = "Oldest first", body = Page<SessionView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Json<Page<SessionView>>> {
    let permit = caller.permit(Action::ListSessions, caller.project(&path)?)?;
    let page = query?.0;
    let limit = page.limit()?;
    let after = match page.after::<String>()? {
        Some(id) => id.parse().map_err(|_| Failure::invalid("`after` is no cursor of this list"))?,
        None => SessionId::from_bytes([0; 16]),
    };
    let tenancy = &caller.parts.tenancy;
    let found = tenancy.list_sessions(&caller.context, &permit, after, limit as usize + 1)?;
    Page::new(found, limit, |session| session.id.to_string(), SessionView::from).map(Json)
}

/// End a session: its temporary key stops to work at once.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/sessions/{session}",
    operation_id = "revokeSession", tag = "sessions",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("session" = String, Path, description = "Its id"),
    ),
    responses((status = 204, description = "Ended"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn revoke(caller: Caller, Path(path): Path<SessionPath>) -> Answer<StatusCode> {
    let SessionPath { organisation, project, session } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::RevokeSession, place)?;
    let unknown = |_| Failure::not_found(format!("there is no session {session:?} in this project"));
    let id: SessionId = session.parse().map_err(unknown)?;
    caller.parts.tenancy.revoke_session(&caller.context, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
