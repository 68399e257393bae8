//! One client: takes the next number, sends the request, checks the answer, notes how long it took.
//!
//! An answer that is wrong in any way counts as an error, never as an operation, and costs the connection. A load
//! of which many requests fail is stopped: its figures would mean nothing.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::connection::{Connection, Head};
use super::content::Random;
use super::signer::{Request, Signer, encode};
use super::{Operation, Shared};

/// Errors of one client after which the whole load stops.
const ERRORS_BEFORE_STOP: u64 = 100;

/// Errors that are kept word for word.
const ERRORS_KEPT: usize = 3;

/// What one client did.
#[derive(Default)]
pub(super) struct Tally {
    /// Microseconds of each operation that succeeded.
    pub(super) latencies: Vec<u32>,
    pub(super) bytes: u64,
    pub(super) keys_listed: u64,
    pub(super) errors: u64,
    pub(super) first_errors: Vec<String>,
}

/// One client.
pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    connection: Option<Connection>,
    signer: Signer,
    random: Random,
    head: Vec<u8>,
    tally: Tally,
}

impl<'a> Worker<'a> {
    /// The number decides which objects this client reads.
    pub(super) fn new(shared: &'a Shared<'a>, number: u64, connection: Connection) -> Result<Self> {
        let seed = shared.plan.seed ^ ((number + 1) << 40);
        Ok(Self {
            shared,
            connection: Some(connection),
            signer: Signer::new(shared.target)?,
            random: Random::new(seed),
            head: Vec::with_capacity(256 << 10),
            tally: Tally::default(),
        })
    }

    /// Works until time or count is up.
    pub(super) fn run(mut self) -> Result<Tally> {
        let plan = self.shared.plan;
        let last = if plan.operation == Operation::Delete && plan.keys > 0 {
            plan.count.min(plan.keys)
        } else {
            plan.count
        };
        while self.goes_on() {
            let number = self.shared.begun.fetch_add(1, Relaxed);
            if number >= last {
                break;
            }
            let result = match plan.operation {
                Operation::Put => self.timed(|worker| worker.put(plan.first + number)),
                Operation::Get => self.timed(Self::get),
                Operation::Head => self.timed(Self::head),
                Operation::Delete => self.timed(|worker| worker.delete(plan.first + number)),
                Operation::List => self.walk(),
                Operation::MakeBucket => bail!("making a bucket is no load"),
            };
            if let Err(error) = result {
                self.note(&error);
            }
        }
        Ok(self.tally)
    }

    fn goes_on(&self) -> bool {
        !self.shared.stop.load(Relaxed) && Instant::now() < self.shared.until
    }

    fn timed<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let value = operation(self)?;
        self.tally.latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        Ok(value)
    }

    fn note(&mut self, error: &anyhow::Error) {
        self.connection = None;
        self.tally.errors += 1;
        if self.tally.first_errors.len() < ERRORS_KEPT {
            self.tally.first_errors.push(format!("{error:#}"));
        }
        if self.tally.errors >= ERRORS_BEFORE_STOP {
            self.shared.stop.store(true, Relaxed);
        }
    }

    fn put(&mut self, number: u64) -> Result<()> {
        let shared = self.shared;
        let body = shared.content.body(number);
        let (mut connection, head) = self.exchange("PUT", &self.path(number), "", body)?;
        expect(&mut connection, &head, &[200])?;
        connection.receive_text(&head)?;
        self.keep(connection, &head);
        self.tally.bytes += body.len() as u64;
        Ok(())
    }

    fn get(&mut self) -> Result<()> {
        let number = self.random.below(self.shared.plan.keys);
        let path = self.path(number);
        let (mut connection, head) = self.exchange("GET", &path, "", b"")?;
        expect(&mut connection, &head, &[200])?;
        let wanted = self.shared.content.body(number);
        let mut at = 0;
        connection.receive_body(&head, |piece| {
            let same = wanted.get(at..at + piece.len()).is_some_and(|expected| expected == piece);
            ensure!(same, "WRONG BYTES in {path}, from byte {at} on");
            at += piece.len();
            Ok(())
        })?;
        ensure!(at == wanted.len(), "WRONG LENGTH of {path}: {at} bytes, not {}", wanted.len());
        self.keep(connection, &head);
        self.tally.bytes += at as u64;
        Ok(())
    }

    fn head(&mut self) -> Result<()> {
        let number = self.random.below(self.shared.plan.keys);
        let path = self.path(number);
        let (connection, head) = self.exchange("HEAD", &path, "", b"")?;
        ensure!(head.status == 200, "HEAD {path} answered {}", head.status);
        let size = self.shared.plan.size as u64;
        ensure!(head.length == Some(size), "WRONG LENGTH of {path}: {:?}, not {size}", head.length);
        self.keep(connection, &head);
        Ok(())
    }

    fn delete(&mut self, number: u64) -> Result<()> {
        let (mut connection, head) = self.exchange("DELETE", &self.path(number), "", b"")?;
        expect(&mut connection, &head, &[204, 200])?;
        connection.receive_text(&head)?;
        self.keep(connection, &head);
        Ok(())
    }

    /// Lists the whole prefix; each page is an operation. Keys must ascend, and all must be there.
    fn walk(&mut self) -> Result<()> {
        let keys = self.shared.plan.keys;
        let (mut token, mut last, mut seen) = (None, String::new(), 0);
        loop {
            let page = self.timed(|worker| worker.page(token.as_deref()))?;
            for key in keys_of(&page) {
                ensure!(key > last.as_str(), "WRONG ORDER: {key} after {last}");
                key.clone_into(&mut last);
                seen += 1;
                self.tally.keys_listed += 1;
            }
            token = next_token(&page);
            if token.is_none() {
                ensure!(keys == 0 || seen == keys, "WRONG LIST: {seen} keys, not {keys}");
                return Ok(());
            }
            if !self.goes_on() {
                return Ok(());
            }
        }
    }

    fn page(&mut self, token: Option<&str>) -> Result<String> {
        let plan = self.shared.plan;
        // The canonical query is sorted by name.
        let continued =
            token.map_or_else(String::new, |token| format!("continuation-token={}&", encode(token, false)));
        let prefix = encode(&plan.prefix, false);
        let query = format!("{continued}list-type=2&max-keys={}&prefix={prefix}", plan.page);
        let path = format!("/{}", self.shared.target.bucket);
        let (mut connection, head) = self.exchange("GET", &path, &query, b"")?;
        expect(&mut connection, &head, &[200])?;
        let page = connection.receive_text(&head)?;
        self.keep(connection, &head);
        self.tally.bytes += page.len() as u64;
        Ok(page)
    }

    fn path(&self, number: u64) -> String {
        let (bucket, prefix) = (&self.shared.target.bucket, encode(&self.shared.plan.prefix, true));
        if self.shared.plan.scattered {
            // The first number of each stream differs from that of every other stream.
            format!("/{bucket}/{prefix}{:016x}", Random::new(number).next())
        } else {
            format!("/{bucket}/{prefix}{number:08}")
        }
    }

    /// Sends a request and reads the head of its answer. The connection comes back with [`Self::keep`] only when
    /// the answer was read to its end; on any error it is dropped with what is left in it.
    fn exchange(
        &mut self,
        method: &'static str,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> Result<(Connection, Head)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.shared.target.host()?)?,
        };
        let signed_payload = self.shared.plan.signed_payload;
        let request = Request { method, path, query, body, signed_payload, copy_source: None };
        self.signer.write_head(&request, &mut self.head)?;
        connection.send(&mut self.head, body).with_context(|| format!("{method} {path}"))?;
        let head = connection.receive_head().with_context(|| format!("{method} {path}"))?;
        Ok((connection, head))
    }

    fn keep(&mut self, connection: Connection, head: &Head) {
        self.connection = (!head.closing).then_some(connection);
    }
}

fn expect(connection: &mut Connection, head: &Head, statuses: &[u16]) -> Result<()> {
    if !statuses.contains(&head.status) {
        let text = connection.receive_text(head).unwrap_or_default();
        bail!("answered {}: {}", head.status, text.chars().take(300).collect::<String>());
    }
    Ok(())
}

/// The text of each `<Key>`; our own keys need no unescaping.
fn keys_of(page: &str) -> impl Iterator<Item = &str> {
    page.split("<Key>").skip(1).filter_map(|rest| rest.split_once('<')).map(|(key, _)| key)
}

fn next_token(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("<NextContinuationToken>")?;
    let (token, _) = rest.split_once('<')?;
    let plain =
        token.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(plain.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let page = "<R><Contents><Key>a/1</Key></Contents><Contents><Key>a/2</Key></Contents>\
            <NextContinuationToken>x&amp;y=</NextContinuationToken></R>";
        assert_eq!(keys_of(page).collect::<Vec<_>>(), ["a/1", "a/2"]);
        assert_eq!(next_token(page).as_deref(), Some("x&y="));
        assert_eq!(next_token("<R></R>"), None);
    }
}
