//! Requests to others: a connection for each, as this program makes few of them.
//!
//! Who is reached by HTTPS is trusted if the system's authorities vouch for it, or those of a bundle. Responses have a
//! limit, and requests a time. There are no proxies and no redirections.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri, header,
    uri::{PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Limited};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest response, in bytes; chains of certificates are the longest.
const RESPONSE_BYTES: usize = 1 << 20;

/// A client of HTTP and HTTPS. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HttpClient(TlsConnector);

impl HttpClient {
    /// A client that trusts the authorities in `bundle`, or those of the system.
    pub(crate) fn new(bundle: Option<&Path>) -> Result<Self> {
        let roots = match bundle {
            Some(file) => bundled(file).with_context(|| format!("cannot use {}", file.display()))?,
            None => installed(),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Sends a request to the host that its URL names; gives the whole response.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Result<Response<Bytes>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        self.send_for(request, RESPONSE_BYTES).await
    }

    /// The same, for a response whose body has at most so many bytes.
    pub(crate) async fn send_for<B>(&self, request: Request<B>, most_bytes: usize) -> Result<Response<Bytes>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let place = request.uri().to_string();
        let exchanged = timeout(REQUEST_TIMEOUT, self.exchange(request, most_bytes)).await;
        exchanged.with_context(|| format!("{place} does not answer"))?
    }

    async fn exchange<B>(&self, request: Request<B>, most_bytes: usize) -> Result<Response<Bytes>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (head, body) = self.open(request).await?.into_parts();
        let body = Limited::new(body, most_bytes).collect().await.map_err(|error| anyhow!(error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Sends a request to the host that its URL names; gives the response as it comes, however long it is and takes.
    pub(crate) async fn open<B>(&self, request: Request<B>) -> Result<Response<Incoming>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let Place { host, port, is_secure } = Place::of(request.uri())?;
        let stream = TcpStream::connect((&*host, port)).await;
        let stream = stream.with_context(|| format!("cannot connect to {host}:{port}"))?;
        let mut sender = if is_secure {
            let name = ServerName::try_from(host.clone()).with_context(|| format!("{host:?} is no host"))?;
            let stream = self.0.connect(name, stream).await;
            begin(stream.with_context(|| format!("cannot trust {host}:{port}"))?).await?
        } else {
            begin(stream).await?
        };
        Ok(sender.send_request(relative(request)?).await?)
    }
}

async fn begin<B, S>(stream: S) -> Result<SendRequest<B>>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    TokioIo<S>: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the request: whatever happens, both halves of the connection are dropped then.
    tokio::spawn(connection);
    Ok(sender)
}

/// Where a URL leads.
struct Place {
    host: String,
    port: u16,
    is_secure: bool,
}

impl Place {
    fn of(uri: &Uri) -> Result<Self> {
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        if !is_secure && uri.scheme() != Some(&Scheme::HTTP) {
            bail!("{uri} is not a URL of http or https");
        }
        let host = uri.host().with_context(|| format!("{uri} names no host"))?;
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, is_secure })
    }
}

/// The request as it is sent to the host that its URL names; the connection ends with its response.
fn relative<B>(mut request: Request<B>) -> Result<Request<B>> {
    let authority = request.uri().authority().context("a URL names a host")?.to_string();
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).parse()?;
    *request.uri_mut() = target;
    // Whoever reaches a host by another name than its own says which it means.
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, HeaderValue::from_str(&authority)?);
    }
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

fn bundled(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        bail!("it holds no certificate in PEM");
    }
    Ok(roots)
}

/// The authorities of this system; where it knows none (Debian's package is `ca-certificates`), nobody is trusted.
fn installed() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!("this system knows no authorities: install them, or name a bundle in the settings");
    }
    roots
}
