//! HTTPS to an authority: a connection for each request, as ACME makes few of them.
//!
//! The authority is trusted if the system's authorities vouch for it, or those of a bundle. Responses have a limit, and
//! requests a time. There are no proxies and no redirections.

use std::{future::Future, path::Path, pin::Pin, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
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
const PORT: u16 = 443;

/// A client of HTTPS. Cheap to clone.
#[derive(Clone)]
pub(super) struct Https(TlsConnector);

impl Https {
    /// A client that trusts the authorities in `bundle`, or those of the system.
    pub(super) fn new(bundle: Option<&Path>) -> Result<Self> {
        let roots = match bundle {
            Some(file) => {
                bundled(file).with_context(|| format!("cannot use tls.acme_ca_bundle {}", file.display()))?
            }
            None => installed()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn exchange(self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>> {
        let (host, port) = place(request.uri())?;
        let name = ServerName::try_from(host.clone()).with_context(|| format!("{host:?} is no host"))?;
        let stream = TcpStream::connect((&*host, port)).await;
        let stream = stream.with_context(|| format!("cannot connect to {host}:{port}"))?;
        let stream =
            self.0.connect(name, stream).await.with_context(|| format!("cannot trust {host}:{port}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the request: whatever happens, both halves of the connection are dropped then.
        tokio::spawn(connection);
        let (head, body) = sender.send_request(relative(request)?).await?.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES).collect().await.map_err(|error| anyhow!(error))?;
        Ok(Response::from_parts(head, Full::new(body.to_bytes())))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let exchange = timeout(REQUEST_TIMEOUT, self.clone().exchange(request));
        Box::pin(async move {
            let answer = exchange.await.context("the authority does not answer").flatten();
            answer.map(BytesResponse::from).map_err(|error| Error::Other(error.into()))
        })
    }
}

/// Host and port of a URL, which must be one of HTTPS.
fn place(uri: &Uri) -> Result<(String, u16)> {
    if uri.scheme_str() != Some("https") {
        bail!("{uri} is not a URL of https");
    }
    let host = uri.host().with_context(|| format!("{uri} names no host"))?;
    Ok((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(PORT)))
}

/// The request as it is sent to the host that its URL names; the connection ends with its response.
fn relative(mut request: Request<BodyWrapper<Bytes>>) -> Result<Request<BodyWrapper<Bytes>>> {
    let authority = request.uri().authority().context("a URL names a host")?.to_string();
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).parse()?;
    *request.uri_mut() = target;
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(&authority)?);
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

fn installed() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        bail!(
            "this system knows no authorities: install them (`ca-certificates`), or name some in tls.acme_ca_bundle"
        );
    }
    Ok(roots)
}
