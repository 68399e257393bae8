//! Issuers in processes of their own, the sign-ins of a server, and a browser that fills in forms.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use http::Method;
use nuee::{
    Settings, SignInBegun, SignInDone, SignInFailed, SignInIssuerSettings, SignInKind, SignInStart, SignIns,
};
use nuee_access::Wishes;
use nuee_base::Zone;
use nuee_base::{Clock, Environment, SystemClock, SystemRandom, Timestamp};
use nuee_testkit::{Answer, Client, signer::Draft};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::clients::session::{bare_command, clients_directory};

/// Where browsers come back to. Nobody listens there: the tests take what a browser would bring.
pub(super) const CALLBACK: &str = "http://127.0.0.1:9/sign-in/callback";
/// What issuers gave the server, as it stands in a file.
pub(super) const CLIENT_SECRET: &str = "a secret of the tests: with & and +\n";

/// How long a script may take to start.
const PATIENCE: Duration = Duration::from_mins(2);

/// A script of the tests, in a process of its own, which says in a line where it is.
pub(super) struct Script {
    child: Child,
    pub(super) told: String,
}

impl Script {
    pub(super) fn start(name: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sign_in").join(name);
        let mut command = bare_command("node", &std::env::temp_dir());
        command.env("NODE_PATH", clients_directory().join("npm/node_modules"));
        command.arg(script).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (said, heard) = mpsc::channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut told = String::new();
            let read = out.read_line(&mut told).map(|_| told);
            // Whoever waited may be gone.
            let _ = said.send(read);
        });
        let told = heard.recv_timeout(PATIENCE).map(Result::unwrap).unwrap_or_default();
        let script = Self { child, told: told.trim().to_owned() };
        assert!(!script.told.is_empty(), "{name} did not start within {PATIENCE:?}: does `node` run it?");
        script
    }

    /// Says a line to it.
    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A clock that is set forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead(Arc<AtomicU64>);

impl Ahead {
    pub(super) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_secs(), SeqCst);
    }

    fn by(&self) -> Duration {
        Duration::from_secs(self.0.load(SeqCst))
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(self.by())
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + self.by()
    }
}

/// The sign-ins of a server with these issuers.
pub(super) struct Bench {
    runtime: Runtime,
    pub(super) sign_ins: SignIns,
    pub(super) clock: Ahead,
    _directory: TempDir,
}

impl Bench {
    /// Issuers are given by name, from the file of their secret on.
    pub(super) fn start(issuers: impl FnOnce(PathBuf) -> Vec<(String, SignInIssuerSettings)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, CLIENT_SECRET).unwrap();
        let mut settings = Settings::default();
        settings.sign_in.issuers = issuers(secret).into_iter().collect::<BTreeMap<_, _>>();
        let clock = Ahead::default();
        let environment = Environment::new(clock.clone(), SystemRandom::default());
        let sign_ins = SignIns::open(&settings, &environment).unwrap();
        Self { runtime: Runtime::new().unwrap(), sign_ins, clock, _directory: directory }
    }

    /// With one issuer, `state`, of which this is the URL.
    pub(super) fn with_one(
        kind: SignInKind,
        url: &str,
        adapt: impl FnOnce(&mut SignInIssuerSettings),
    ) -> Self {
        Self::start(|secret| {
            let mut settings = SignInIssuerSettings::new(kind, url, "nuee", secret);
            adapt(&mut settings);
            vec![("state".to_owned(), settings)]
        })
    }

    pub(super) fn begin(&self, issuer: &str, wishes: Wishes) -> Result<SignInBegun, SignInFailed> {
        self.begin_as(start(issuer, wishes))
    }

    pub(super) fn begin_as(&self, start: SignInStart<'_>) -> Result<SignInBegun, SignInFailed> {
        self.runtime.block_on(self.sign_ins.begin(start))
    }

    pub(super) fn finish(&self, begun: &SignInBegun, query: &str) -> Result<SignInDone, SignInFailed> {
        self.runtime.block_on(self.sign_ins.finish(query, &begun.browser))
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

pub(super) fn start(issuer: &str, wishes: Wishes) -> SignInStart<'_> {
    SignInStart {
        issuer,
        zone: Zone::Local,
        client: IpAddr::from([127, 0, 0, 1]),
        redirect_uri: CALLBACK,
        return_to: "/projects".parse().unwrap(),
        wishes,
        browser: None,
    }
}

/// A parameter of a URL.
pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    let mut bytes = Vec::new();
    let mut rest = pair.as_bytes();
    while let [first, others @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        (rest, bytes) = match first {
            b'%' => (&others[2..], [bytes, vec![hex(&others[..2])]].concat()),
            b'+' => (others, [bytes, vec![b' ']].concat()),
            plain => (others, [bytes, vec![*plain]].concat()),
        };
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// Keeps cookies, and follows where issuers lead.
#[derive(Default)]
pub(super) struct Browser(BTreeMap<String, String>);

impl Browser {
    /// Goes where a sign-in begins, fills in the form, and gives the query with which it comes back.
    pub(super) fn sign_in(&mut self, url: &str, form: &str) -> String {
        self.sign_in_for(url, form, CALLBACK)
    }

    /// The same, of a server to which browsers come back at `callback`.
    pub(super) fn sign_in_for(&mut self, url: &str, form: &str, callback: &str) -> String {
        let mut answer = self.ask(Method::GET, url, "");
        for _ in 0..5 {
            let place = answer.header("location").unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
            if let Some(query) = place.strip_prefix(callback) {
                return query.trim_start_matches('?').to_owned();
            }
            let place = if place.starts_with('/') { format!("{}{place}", origin(url)) } else { place };
            let is_form = place.contains("/interaction/");
            answer = self.ask(if is_form { Method::POST } else { Method::GET }, &place, form);
        }
        panic!("{url} leads nowhere");
    }

    /// Goes where a link leads, however often it is sent on, and fills in the form where somebody signs in; gives what it
    /// finds in the end.
    pub(super) fn visit(&mut self, url: &str, form: &str) -> Answer {
        let mut place = url.to_owned();
        for _ in 0..10 {
            let method = if place.contains("/interaction/") { Method::POST } else { Method::GET };
            let answer = self.ask(method, &place, form);
            let Some(next) = answer.header("location") else { return answer };
            place = if next.starts_with('/') { format!("{}{next}", origin(&place)) } else { next.to_owned() };
        }
        panic!("{url} leads nowhere");
    }

    /// Goes where a session at a provider ends, agrees, and gives where the browser is sent then.
    pub(super) fn sign_out(&mut self, url: &str, provider: &str) -> String {
        let page = self.ask(Method::GET, url, "");
        assert_eq!(page.status, 200, "{}", page.text());
        // The provider asks whether somebody really wants to leave, in a form of its own.
        let text = page.text();
        let (_, rest) = text.split_once("name=\"xsrf\" value=\"").unwrap();
        let form = format!("logout=yes&xsrf={}", rest.split('"').next().unwrap());
        let left = self.ask(Method::POST, &format!("{provider}/session/end/confirm"), &form);
        left.header("location").unwrap_or_else(|| panic!("{}", left.text())).to_owned()
    }

    pub(super) fn ask(&mut self, method: Method, url: &str, form: &str) -> Answer {
        let authority = origin(url).strip_prefix("http://").unwrap();
        let target = &url[origin(url).len()..];
        let body = if method == Method::POST { form } else { "" };
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let draft = Draft::with_body(method, target, body)
            .set("host", authority)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &cookies.join("; "));
        // Names below localhost are this machine.
        let address = authority.replace("console.localhost", "127.0.0.1").parse().unwrap();
        let answer = Client::new(address, "", "").send_as_it_is(&draft).unwrap();
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
            self.0.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

fn origin(url: &str) -> &str {
    let host = url.strip_prefix("http://").unwrap();
    &url[..url.len() - host.len() + host.find('/').unwrap_or(host.len())]
}
