//! Certificates by ACME, from Pebble: the authority that the makers of Let's Encrypt give to those who test clients.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use nuee::TlsMode;
use nuee_base::{Clock, Environment, SystemClock, SystemRandom, Timestamp};
use nuee_testkit::TestServer;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;

use super::client::{Authority, SecureClient};

const DOMAINS: [&str; 2] = ["s3.nuee.test", "store.nuee.test"];

/// What Pebble's certificates are good for, in seconds.
const VALIDITY_SECONDS: i64 = 30 * 86_400;

/// Where Pebble is, or will be.
struct Place {
    directory: TempDir,
    https: Authority,
    /// Of the authority, of its management, of the names that it looks up, and of their management.
    ports: [u16; 4],
}

/// An authority at work, and the names that it looks up. Killed when dropped.
struct Pebble(Vec<Child>);

/// Ports that nobody uses. Somebody could take one before it is used here: then the test fails, and says so.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), https: Authority::new(), ports: free_ports() }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.ports[0])
    }

    /// Starts Pebble, which asks domains at `port`, and finds all of them on this machine.
    fn start(&self, port: u16) -> Pebble {
        let [authority, management, names, names_management] = self.ports;
        let path = |name: &str| self.directory.path().join(name);
        let (certificate, key) = self.https.issue("127.0.0.1");
        fs::write(path("certificate.pem"), certificate).unwrap();
        fs::write(path("key.pem"), key).unwrap();
        let settings = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{authority}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": path("certificate.pem"),
            "privateKey": path("key.pem"),
            "httpPort": 1,
            "tlsPort": port,
            "certificateValidityPeriod": VALIDITY_SECONDS,
        }});
        fs::write(path("pebble.json"), settings.to_string()).unwrap();
        let mut resolver = Command::new("pebble-challtestsrv");
        resolver.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", ""]);
        resolver.args(["-tlsalpn01", "", "-dns01", &format!("127.0.0.1:{names}")]);
        resolver.args(["-management", &format!("127.0.0.1:{names_management}")]);
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(path("pebble.json")).args(["-dnsserver", &format!("127.0.0.1:{names}")]);
        // It waits some seconds before it asks, and turns one request in twenty away, to try how patient clients are.
        // This server asks again after a minute, for which no test waits.
        pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        let log = File::create(path("log")).unwrap();
        let begun = [resolver, pebble].map(|mut command| {
            let output = command.stdout(log.try_clone().unwrap()).stderr(Stdio::null()).spawn();
            output.expect("Pebble is installed by `cargo xtask test`, from Debian's package `pebble`")
        });
        let mut running = Pebble(begun.into());
        for port in self.ports {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                running.assert_alive();
                std::thread::yield_now();
            }
        }
        running
    }

    /// The root of the certificates that it issues, which it makes anew at each start.
    fn roots(&self) -> RootCertStore {
        let management = SocketAddr::from(([127, 0, 0, 1], self.ports[1]));
        let mut client = SecureClient::connect(management, self.https.roots()).unwrap();
        let answer = client.get_to_the_end("/roots/0").unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(body.as_bytes()).unwrap()).unwrap();
        roots
    }
}

impl Pebble {
    fn assert_alive(&mut self) {
        for child in &mut self.0 {
            assert!(child.try_wait().unwrap().is_none(), "Pebble ended by itself");
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The machine's clock, moved.
#[derive(Clone, Default)]
struct Moved(Arc<AtomicI64>);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        let moved_micros = self.0.load(Ordering::Relaxed) * 1_000_000;
        Timestamp::from_micros(SystemClock.now().as_micros() + moved_micros)
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}

async fn server(place: &Place, port: u16, clock: &Moved) -> TestServer {
    let bundle = place.directory.path().join("ca.pem");
    fs::write(&bundle, place.https.pem()).unwrap();
    let environment = Environment::new(clock.clone(), SystemRandom::default());
    TestServer::start_with(environment, |settings| {
        settings.server.listen.set_port(port);
        settings.tls.mode = TlsMode::Acme;
        settings.tls.acme_directory = place.url();
        settings.tls.acme_domains = DOMAINS.map(str::to_owned).into();
        settings.tls.acme_contacts = vec!["mailto:operations@nuee.test".to_owned()];
        settings.tls.acme_ca_bundle = Some(bundle);
    })
    .await
    .unwrap()
}

fn visit(server: &TestServer, domain: &'static str, roots: &RootCertStore) -> io::Result<SecureClient> {
    let name = ServerName::try_from(domain).unwrap();
    SecureClient::connect_as(server.addresses().s3, name, roots.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_issues_a_certificate_that_outlives_a_restart_and_is_renewed() {
    let (place, [port], clock) = (Place::new(), free_ports(), Moved::default());
    let server = server(&place, port, &clock).await;
    let said = format!("{:#}", server.refresh_certificate().await.unwrap_err());
    assert!(said.contains("cannot connect"), "{said}");
    assert!(visit(&server, DOMAINS[0], &place.https.roots()).is_err(), "there is no certificate");

    let pebble = place.start(port);
    let roots = place.roots();
    assert!(server.refresh_certificate().await.unwrap());
    for domain in DOMAINS {
        let mut client = visit(&server, domain, &roots).unwrap();
        assert!(client.get("/").unwrap().starts_with("HTTP/1.1 403 "));
    }
    assert!(!server.refresh_certificate().await.unwrap(), "it is not time for another");
    let kept = server.data_directory().join("tls/acme");
    for name in ["account.json", "key.pem"] {
        let mode = fs::metadata(kept.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let file = |name: &str| fs::read(kept.join(name)).unwrap();
    let before = ["certificate.pem", "key.pem", "account.json"].map(file);

    let server = server.restart().await.unwrap();
    assert!(visit(&server, DOMAINS[0], &roots).is_ok(), "it was kept");
    clock.0.store(VALIDITY_SECONDS * 2 / 3 + 3_600, Ordering::Relaxed);
    assert!(server.refresh_certificate().await.unwrap());
    assert!(visit(&server, DOMAINS[1], &roots).is_ok());
    let after = ["certificate.pem", "key.pem", "account.json"].map(file);
    assert!(before[0] != after[0] && before[1] != after[1], "there is a new one");
    assert_eq!(before[2], after[2], "the account is the same");

    // An authority that has forgotten the account gets another.
    drop(pebble);
    let _pebble = place.start(port);
    clock.0.store(VALIDITY_SECONDS * 2, Ordering::Relaxed);
    assert!(server.refresh_certificate().await.is_err());
    assert!(server.refresh_certificate().await.unwrap());
    assert!(visit(&server, DOMAINS[0], &place.roots()).is_ok());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_convinced_is_quoted() {
    let (place, [port, elsewhere], clock) = (Place::new(), free_ports(), Moved::default());
    let server = server(&place, port, &clock).await;
    let _pebble = place.start(elsewhere);
    let said = format!("{:#}", server.refresh_certificate().await.unwrap_err());
    assert!(said.contains("not convinced") && said.contains("s3.nuee.test: "), "{said}");
    server.stop().await.unwrap();
}
