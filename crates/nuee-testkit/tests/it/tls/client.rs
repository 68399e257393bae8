//! An authority, and a client that trusts it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, NamedGroup, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// An authority of one test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key for a name, as texts in PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// The authorities in a file.
pub(crate) fn roots_of(file: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    roots
}

/// A connection inside TLS.
pub(crate) struct SecureClient(StreamOwned<ClientConnection, TcpStream>);

impl SecureClient {
    /// Connects, to the end of the handshake; the server must be one that `roots` vouch for.
    pub(crate) fn connect(address: SocketAddr, roots: RootCertStore) -> io::Result<Self> {
        Self::connect_as(address, ServerName::from(address.ip()), roots)
    }

    /// The same, to a server of this name.
    pub(crate) fn connect_as(
        address: SocketAddr,
        name: ServerName<'static>,
        roots: RootCertStore,
    ) -> io::Result<Self> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    /// How keys were agreed on.
    pub(crate) fn group(&self) -> NamedGroup {
        self.0.conn.negotiated_key_exchange_group().unwrap().name()
    }

    /// One request, and all that comes until the server hangs up.
    pub(crate) fn get_to_the_end(&mut self, path: &str) -> io::Result<String> {
        write!(self.0, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        self.0.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// One request without a signature, and the refusal that answers it.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<String> {
        write!(self.0, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let mut answer = String::new();
        let mut byte = [0];
        while !answer.ends_with("</Error>") {
            self.0.read_exact(&mut byte)?;
            answer.push(char::from(byte[0]));
        }
        Ok(answer)
    }
}
