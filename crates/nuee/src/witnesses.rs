//! The witnesses of this platform's journal: each is sent every new checkpoint, and its signature is kept.
//!
//! A witness that is not there is asked again later; one that refuses has another history than the journal, which the log
//! and `nuee journal witnesses` tell until it signs again.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use nuee_journal::{Journal, SignatureKind, VerifierKey};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{Settings, http_client::HttpClient};

/// How soon witnesses are sent what is new.
const POLL: Duration = Duration::from_secs(2);
/// Attempts with what a witness says that it knows.
const ATTEMPTS: usize = 3;

/// All witnesses of a platform. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Witnesses(Arc<Vec<Witness>>);

/// One of them.
pub(crate) struct Witness {
    url: Uri,
    key: VerifierKey,
    client: HttpClient,
}

impl Witnesses {
    /// Those of the settings.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let open = |text: &String| {
            let (url, key) = parse(text)?;
            Ok(Witness { url, key, client: HttpClient::new(settings.journal.witness_ca_bundle.as_deref())? })
        };
        let all: Result<Vec<_>> = settings.journal.witnesses.iter().map(open).collect();
        Ok(Self(Arc::new(all.context("journal.witnesses")?)))
    }

    /// Their keys.
    pub(crate) fn keys(&self) -> Vec<VerifierKey> {
        self.0.iter().map(|witness| witness.key.clone()).collect()
    }

    /// Their URLs and keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Uri, &VerifierKey)> {
        self.0.iter().map(|witness| (&witness.url, &witness.key))
    }

    /// Sends each of them the last checkpoint, unless it has signed that already.
    pub(crate) async fn submit(&self, journal: &Journal) -> Result<()> {
        for witness in self.0.iter() {
            if let Err(error) = witness.submit(journal).await {
                let known = journal.witnessed(&witness.key)?;
                let problem = format!("{error:#}");
                if known.problem.as_ref() != Some(&problem) {
                    tracing::error!(
                        witness = witness.key.name(),
                        problem,
                        "a witness has not signed the journal"
                    );
                    journal.keep_problem(&witness.key, problem).await?;
                }
            }
        }
        Ok(())
    }

    /// Does so until `stop`.
    pub(crate) async fn follow_until(self, journal: Journal, stop: CancellationToken) {
        if self.0.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let submitted = select! {
                () = stop.cancelled() => return,
                submitted = self.submit(&journal) => submitted,
            };
            if let Err(error) = submitted {
                tracing::error!("witnesses are not asked: {error:#}");
            }
            select! {
                () = stop.cancelled() => return,
                () = sleep(POLL) => {}
            }
        }
    }
}

/// Reads `URL KEY`.
pub(crate) fn parse(text: &str) -> Result<(Uri, VerifierKey)> {
    let (url, key) = text.split_once(' ').context("a witness is given as its URL, a space, and its key")?;
    let url: Uri = url.trim_end_matches('/').parse().with_context(|| format!("the URL {url:?}"))?;
    ensure!(matches!(url.scheme_str(), Some("http" | "https")), "{url} is not a URL of http or https");
    let key: VerifierKey = key.trim().parse()?;
    ensure!(key.kind() == SignatureKind::Cosignature, "the key of {} is not that of a witness", key.name());
    Ok((url, key))
}

impl Witness {
    async fn submit(&self, journal: &Journal) -> Result<()> {
        let known = journal.witnessed(&self.key)?;
        let mut old = known.size();
        if known.problem.is_none() && journal.checkpoint()?.is_none_or(|last| last.checkpoint.size == old) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let submission = journal.submission(old)?;
            let submission = submission.with_context(|| {
                format!(
                    "the witness has signed {old} leaves, and the journal has fewer: it was cut, or put back"
                )
            })?;
            let (status, text) = self.send(submission.to_string()).await?;
            match status {
                StatusCode::OK => return Ok(journal.keep_cosignature(&self.key, &submission, &text).await?),
                StatusCode::CONFLICT => {
                    let size =
                        text.trim().parse().with_context(|| format!("the witness answers {status}"))?;
                    ensure!(
                        size != old,
                        "the witness has signed another journal of {old} leaves: history was rewritten"
                    );
                    old = size;
                }
                StatusCode::UNPROCESSABLE_ENTITY => {
                    bail!("the journal does not continue what the witness has signed: history was rewritten")
                }
                _ => bail!("the witness answers {status}: {}", text.trim()),
            }
        }
        bail!("the witness knows another checkpoint each time that it is asked")
    }

    async fn send(&self, text: String) -> Result<(StatusCode, String)> {
        let request = Request::post(format!("{}/add-checkpoint", self.url.to_string().trim_end_matches('/')))
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(header::USER_AGENT, concat!("nuee/", env!("CARGO_PKG_VERSION")));
        let response = self.client.send(request.body(Full::new(bytes::Bytes::from(text)))?).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        Ok((response.status(), text))
    }
}
