//! What was done in an organisation.

use std::io::{self, Write};

use axum::{
    Json,
    body::Body,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use nuee_access::Action;
use nuee_journal::{Filter, ListedLeaf};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::{Caller, Visitor},
    failure::{Answer, ProblemDocument},
    member::instant,
    page::{Page, PageQuery},
    place::{OrganisationPath, Path},
};

/// Pieces of an export that wait for whoever reads it.
const WAITING_PIECES: usize = 8;
/// The size of a piece, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its number.
    pub(crate) id: i64,
    /// When (RFC 3339).
    pub(crate) at: String,
    /// By whom; none if what it said was erased.
    pub(crate) by: Option<String>,
    /// What.
    pub(crate) action: Option<String>,
    /// On which resource.
    pub(crate) on: Option<String>,
    /// On which object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Whether what it said was erased, its time being over.
    pub(crate) erased: bool,
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalQuery {
    /// What was done; a `*` at the end stands for anything.
    #[param(example = "nuee:*")]
    action: Option<String>,
    /// Who did it.
    by: Option<String>,
    /// On which resource.
    on: Option<String>,
    /// From when on (RFC 3339).
    since: Option<String>,
    /// Before when (RFC 3339).
    until: Option<String>,
    /// The most items: 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<String>,
}

/// Which time an export is of.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// From when on (RFC 3339).
    since: Option<String>,
    /// Before when (RFC 3339).
    until: Option<String>,
}

fn show(listed: ListedLeaf) -> EventView {
    let (id, at) = (listed.id, listed.at.to_string());
    match listed.leaf {
        None => EventView { id, at, by: None, action: None, on: None, key: None, detail: None, erased: true },
        Some(leaf) => EventView {
            id,
            at,
            by: Some(leaf.by),
            action: Some(leaf.action),
            on: Some(leaf.on),
            key: leaf.key.map(|key| key.as_str().to_owned()),
            detail: leaf.detail,
            erased: false,
        },
    }
}

/// By what an export is verified.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JournalKeyView {
    /// A verifier key, as C2SP signed-note has it.
    key: String,
}

/// By what the journal's checkpoints, and so its exports, are verified: it is no secret.
#[utoipa::path(
    get, path = "/journal/key", operation_id = "getJournalKey", tag = "journal", security(()),
    responses((status = 200, description = "The platform's public key", body = JournalKeyView))
)]
pub(crate) async fn key(visitor: Visitor) -> Answer<Json<JournalKeyView>> {
    Ok(Json(JournalKeyView { key: visitor.parts.tenancy.journal_key()?.to_string() }))
}

/// What was done in an organisation, the last first.
#[utoipa::path(
    get, path = "/organisations/{organisation}/journal", operation_id = "listEvents", tag = "journal",
    params(("organisation" = String, Path, description = "Its name"), JournalQuery),
    responses((status = 200, description = "The last first", body = Page<EventView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    query: Result<Query<JournalQuery>, QueryRejection>,
) -> Answer<Json<Page<EventView>>> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::ReadJournal, place)?;
    let JournalQuery { action, by, on, since, until, limit, after } = query?.0;
    let page = PageQuery { limit, after };
    let limit = page.limit()?;
    let (since, until) = (instant(since.as_deref())?, instant(until.as_deref())?);
    let filter = Filter { action, by, on, since, until, before: page.after()? };
    let tenancy = &caller.parts.tenancy;
    let found = tenancy.list_journal(&caller.context, &permit, (filter, limit as usize + 1)).await?;
    Page::new(found, limit, |listed| listed.id, show).map(Json)
}

/// What was done in an organisation, to be kept and verified elsewhere by `nuee journal verify`.
#[utoipa::path(
    get, path = "/organisations/{organisation}/journal/export", operation_id = "exportJournal", tag = "journal",
    params(("organisation" = String, Path, description = "Its name"), ExportQuery),
    responses(
        (status = 200, description = "An export, with proofs", content_type = "application/octet-stream"),
        (status = 403, body = ProblemDocument),
    )
)]
pub(crate) async fn export(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Answer<Response> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::ReadJournal, place)?;
    let ExportQuery { since, until } = query?.0;
    let range = [instant(since.as_deref())?, instant(until.as_deref())?];
    let tenancy = caller.parts.tenancy.clone();
    tenancy.begin_export(&caller.context, &permit).await?;
    let (pieces, read) = mpsc::channel(WAITING_PIECES);
    let failed = pieces.clone();
    tokio::spawn(async move {
        let out = io::BufWriter::with_capacity(PIECE_BYTES, Pieces(pieces));
        if let Err(error) = tenancy.export_journal(&permit, range, Vec::new(), out).await {
            tracing::error!(error = &error as &dyn std::error::Error, "an export of the journal was cut");
            // Whoever reads sees that it was cut, and takes no part for the whole.
            let _ = failed.send(Err(io::Error::other("the export was cut"))).await;
        }
    });
    let body = stream::unfold(read, |mut read| async { read.recv().await.map(|piece| (piece, read)) });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"journal.nuee\""),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Gives what is written on, in pieces; waits where nobody reads.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
