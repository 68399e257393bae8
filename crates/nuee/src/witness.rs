//! `nuee witness`: signs checkpoints of journals, on a machine that is not theirs.
//!
//! A witness keeps a directory with its key and, for each journal that it is told of, the last checkpoint that it has
//! signed. It signs one only if that continues the last one, and has the new one on disk before it answers: two that
//! contradict each other are never signed, whatever happens in between. It speaks
//! [C2SP tlog-witness](https://c2sp.org/tlog-witness) over HTTP, and keeps nothing of what the journals say.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, Permissions},
    io::{ErrorKind, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use nuee_base::{Environment, Zone};
use nuee_journal::{Checkpoint, Refusal, Signature, SignatureKind, Submission, VerifierKey, is_name};
use nuee_keys::SigningKey;
use nuee_web::{Handler, Limits, Listener, ListenerOptions, Metrics, RequestBody, TrustedProxies};
use tokio::{
    sync::Mutex,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

const KEY_FILE: &str = "witness.key";
const KEY_TITLE: &str = "nuee witness key, form 1";
/// The longest request: a proof and a checkpoint are shorter.
const REQUEST_BYTES: usize = 64 << 10;

/// What a witness is started with.
#[derive(Debug, Clone)]
pub struct WitnessOptions {
    /// Its name, which stands before its signatures.
    pub name: String,
    /// The directory of its key and of what it has signed.
    pub directory: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The journals whose checkpoints it signs.
    pub journals: Vec<VerifierKey>,
    /// Where time and randomness come from.
    pub environment: Environment,
}

/// A running witness.
pub struct Witness {
    address: SocketAddr,
    key: VerifierKey,
    shutdown: CancellationToken,
    listener: JoinHandle<nuee_web::Drained>,
}

impl Witness {
    /// Starts; makes a key where there is none.
    pub async fn start(options: WitnessOptions) -> Result<Self> {
        let WitnessOptions { name, directory, listen, journals, environment } = options;
        ensure!(is_name(&name), "the name {name:?} has spaces or a plus sign, or is empty");
        ensure!(!journals.is_empty(), "no journal is named whose checkpoints it would sign");
        let (path, random) = (directory.clone(), environment.clone());
        let signing = spawn_blocking(move || open_key(&path, &random)).await??;
        let key = VerifierKey::new(name.clone(), SignatureKind::Cosignature, signing.public());
        let zone = if listen.ip().is_loopback() { Zone::Local } else { Zone::Internet };
        let (limits, metrics) = (Limits::default(), Metrics::new()?);
        let options = ListenerOptions {
            name: "witness".to_owned(),
            surface: "witness",
            zone,
            device: None,
            proxies: TrustedProxies::default(),
            tls: None,
            limits,
            setting: "--listen".to_owned(),
            metrics,
        };
        let listener = Listener::bind(listen, options)?;
        let address = listener.local_address();
        let journals = journals.into_iter().map(|key| (key.name().to_owned(), key)).collect();
        let clock = environment.clone();
        let book = Mutex::new(Book { directory, name, signing });
        let service = Arc::new(Service { book: Arc::new(book), journals, environment });
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let listener = tokio::spawn(async move { listener.serve(service, &clock, stop).await });
        Ok(Self { address, key, shutdown, listener })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By what its signatures are checked.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Finishes what it answers, and stops.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        self.listener.await?;
        Ok(())
    }
}

/// What a witness has signed, and with what. Locked from the look at the last checkpoint until the next one is kept.
struct Book {
    directory: PathBuf,
    name: String,
    signing: SigningKey,
}

struct Service {
    book: Arc<Mutex<Book>>,
    journals: HashMap<String, VerifierKey>,
    environment: Environment,
}

impl Handler for Service {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<RequestBody>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/add-checkpoint" {
            return answer(StatusCode::NOT_FOUND, "there is /add-checkpoint\n".into());
        }
        if request.method() != Method::POST {
            return answer(StatusCode::METHOD_NOT_ALLOWED, "checkpoints are sent by POST\n".into());
        }
        let Ok(body) = Limited::new(request.into_body(), REQUEST_BYTES).collect().await else {
            return answer(StatusCode::BAD_REQUEST, "the request is too long, or cut\n".into());
        };
        match self.witness(&body.to_bytes()).await {
            Ok(Ok(signature)) => answer(StatusCode::OK, signature.to_string()),
            Ok(Err(refusal)) => refused(&refusal),
            Err(error) => {
                tracing::error!("a checkpoint is not signed: {error:#}");
                answer(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed\n".into())
            }
        }
    }
}

impl Service {
    async fn witness(&self, body: &[u8]) -> Result<Result<Signature, Refusal>> {
        let parsed = std::str::from_utf8(body).map_err(|error| Refusal::Wrong(error.to_string()));
        let parsed = parsed.and_then(|text| {
            let submission: Submission = text.parse()?;
            let origin = submission.origin()?;
            let key = self.journals.get(&origin).cloned();
            Ok((submission, key.ok_or(Refusal::Unknown(origin))?))
        });
        let (submission, key) = match parsed {
            Ok(parsed) => parsed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = self.environment.now();
        let book = Arc::clone(&self.book).lock_owned().await;
        spawn_blocking(move || {
            let known = book.known(key.name())?;
            let checkpoint = match submission.check(&key, known.as_ref()) {
                Ok(checkpoint) => checkpoint,
                Err(refusal) => return Ok(Err(refusal)),
            };
            book.keep(&checkpoint)?;
            Ok(Ok(Signature::of_witness(&submission.note.text, &book.name, &book.signing, now)))
        })
        .await?
    }
}

fn answer(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    tracing::warn!(status = refusal.status(), "a checkpoint is refused: {refusal}");
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let Refusal::Conflict(size) = refusal else { return answer(status, format!("{refusal}\n")) };
    let mut response = answer(status, format!("{size}\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/x.tlog.size"));
    response
}

impl Book {
    /// The file of a journal: named after the hash of its name, which strangers choose.
    fn file(&self, origin: &str) -> PathBuf {
        self.directory.join(format!("{}.checkpoint", Checkpoint::file_stem(origin)))
    }

    /// The last checkpoint of a journal that was signed.
    fn known(&self, origin: &str) -> Result<Option<Checkpoint>> {
        let file = self.file(origin);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", file.display()))?,
        };
        let known: Checkpoint = text.parse().with_context(|| format!("in {}", file.display()))?;
        ensure!(known.origin == origin, "{} is of {}", file.display(), known.origin);
        Ok(Some(known))
    }

    fn keep(&self, checkpoint: &Checkpoint) -> Result<()> {
        write_durably(&self.file(&checkpoint.origin), checkpoint.to_string().as_bytes())
    }
}

/// The key of a witness; made where there is none.
fn open_key(directory: &Path, environment: &Environment) -> Result<SigningKey> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let file = directory.join(KEY_FILE);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut seed = [0; 32];
            environment.fill_random(&mut seed);
            let text = format!("{KEY_TITLE}\n{}\n", hex::encode(seed));
            write_durably(&file, text.as_bytes())?;
            text
        }
        text => text.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let others = fs::metadata(&file)?.mode() & 0o077;
    ensure!(
        others == 0,
        "{0} can be read by other users of this machine: run `chmod go= {0}`",
        file.display()
    );
    let mut seed = [0; 32];
    let read = text.strip_prefix(KEY_TITLE).map(|rest| hex::decode_to_slice(rest.trim(), &mut seed));
    ensure!(read.is_some_and(|read| read.is_ok()), "{} is not the key of a witness", file.display());
    Ok(SigningKey::from_seed(&seed)?)
}

/// Writes a file that survives a power cut, whole or as it was, and that only its owner may read.
fn write_durably(file: &Path, content: &[u8]) -> Result<()> {
    let written = || {
        let temporary = file.with_extension("new");
        let mut new = File::create(&temporary)?;
        new.set_permissions(Permissions::from_mode(0o600))?;
        new.write_all(content)?;
        new.sync_all()?;
        fs::rename(&temporary, file)?;
        File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}
