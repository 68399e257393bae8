//! Clients that write the same keys at once, under conditions: all that they were answered must follow from one order
//! of the writes, so that no update is lost.
//!
//! Each request carries two readings of one counter, from before it was sent and from after its answer. What ended
//! before something else began comes before it in that order; of the rest, the conditions tell the order.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use http::Method;
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

const CLIENTS: usize = 8;
/// How often each client counts.
const EACH: usize = 12;
/// Keys that all clients would create.
const CONTESTS: usize = 24;

/// The ways to make an object under a condition on what it replaces.
#[derive(Debug, Clone, Copy)]
enum Way {
    Put,
    Copy,
    Parts,
}

const WAYS: [Way; 3] = [Way::Put, Way::Copy, Way::Parts];

/// From before a request to after its answer.
#[derive(Debug, Clone, Copy)]
struct Span {
    began: u64,
    ended: u64,
}

/// A value that was read, with its entity tag.
#[derive(Debug)]
struct Read {
    span: Span,
    value: usize,
    etag: String,
}

/// An attempt to write `value` in the place of what has the entity tag `named`.
#[derive(Debug)]
struct Write {
    span: Span,
    value: usize,
    named: String,
    /// The entity tag of what was written; nothing if it was refused.
    made: Option<String>,
}

#[derive(Debug, Default)]
struct History {
    clock: AtomicU64,
    reads: Mutex<Vec<Read>>,
    writes: Mutex<Vec<Write>>,
}

impl History {
    fn timed<T>(&self, request: impl FnOnce() -> T) -> (T, Span) {
        let began = self.clock.fetch_add(1, SeqCst);
        let done = request();
        (done, Span { began, ended: self.clock.fetch_add(1, SeqCst) })
    }
}

/// A server with a bucket `/bucket`, which keeps versions or does not.
fn start(keeps_versions: bool) -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    if keeps_versions {
        let document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let put = Draft::put("/bucket", document).query("versioning", "");
        assert_eq!(client.send(put).unwrap().status, 200);
    }
    (runtime, server)
}

/// A write of which all but the last request is made.
fn prepare(client: &mut Client, way: Way, (path, own): (&str, &str), body: &str) -> Draft {
    match way {
        Way::Put => Draft::put(path, body),
        Way::Copy => {
            assert_eq!(client.put(own, body).unwrap().status, 200);
            Draft::put(path, "").header("x-amz-copy-source", own)
        }
        Way::Parts => {
            let begun = client.send(Draft::with_body(Method::POST, path, "").query("uploads", "")).unwrap();
            let id = begun.elements("UploadId").remove(0);
            let part = Draft::put(path, body).query("partNumber", "1").query("uploadId", &id);
            let tag = client.send(part).unwrap().header("etag").unwrap().to_owned();
            let part = format!("<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>");
            let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
            Draft::with_body(Method::POST, path, document).query("uploadId", &id)
        }
    }
}

/// The entity tag of what was written, or nothing if the condition did not hold; nothing else is to happen.
fn outcome(answer: &Answer) -> Option<String> {
    if (answer.status, &*answer.code()) == (412, "PreconditionFailed") {
        return None;
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    let inside = || answer.elements("ETag").remove(0).replace("&quot;", "\"");
    Some(answer.header("etag").map_or_else(inside, str::to_owned))
}

/// Reads the counter, and writes the next number in its place if it is still there; gives whether it was.
fn count(client: &mut Client, history: &History, (own, way): (&str, Way)) -> bool {
    let (answer, span) = history.timed(|| client.get("/bucket/counter").unwrap());
    let value: usize = answer.text().parse().unwrap();
    let named = answer.header("etag").unwrap().to_owned();
    history.reads.lock().unwrap().push(Read { span, value, etag: named.clone() });
    let draft = prepare(client, way, ("/bucket/counter", own), &(value + 1).to_string());
    let draft = draft.header("if-match", &named);
    let (answer, span) = history.timed(|| client.send(draft).unwrap());
    let made = outcome(&answer);
    let is_made = made.is_some();
    history.writes.lock().unwrap().push(Write { span, value: value + 1, named, made });
    is_made
}

/// That an order of the writes explains all that was answered, from the first entity tag on.
fn check(history: History, first: &str) {
    let (reads, writes) = (history.reads.into_inner().unwrap(), history.writes.into_inner().unwrap());
    let (mut made, refused): (Vec<_>, Vec<_>) = writes.into_iter().partition(|write| write.made.is_some());
    made.sort_by_key(|write| write.value);
    println!("{} reads, {} writes, {} refusals", reads.len(), made.len(), refused.len());
    assert!(!refused.is_empty(), "nobody met anybody");
    let tag_of = |value: usize| match value {
        0 => first,
        value => made[value - 1].made.as_deref().unwrap(),
    };
    for (place, write) in made.iter().enumerate() {
        assert_eq!(write.value, place + 1, "an update was lost, or is there twice: {write:?}");
        assert_eq!(write.named, tag_of(place), "it replaced what was not there: {write:?}");
        // Since each names the one before, it is enough to look at neighbours.
        let before = place.checked_sub(1).map(|place| &made[place]);
        assert!(before.is_none_or(|before| before.span.began < write.span.ended), "{before:?}, {write:?}");
    }
    for write in &refused {
        let winner = made.get(write.value - 1).unwrap_or_else(|| panic!("nothing explains {write:?}"));
        assert_eq!(winner.named, write.named, "{winner:?} does not explain {write:?}");
        assert!(winner.span.began < write.span.ended, "{winner:?} came after {write:?}");
    }
    for read in &reads {
        assert_eq!(read.etag, tag_of(read.value), "{read:?}");
        let is_there = read.value == 0 || made[read.value - 1].span.began < read.span.ended;
        assert!(is_there, "it was read before it was written: {read:?}");
        let is_stale = made.get(read.value).is_some_and(|next| next.span.ended < read.span.began);
        assert!(!is_stale, "it was read after it was replaced: {read:?}");
    }
}

fn count_together(keeps_versions: bool) {
    let (_runtime, server) = start(keeps_versions);
    let mut client = server.client(Place::Schools);
    let first = client.put("/bucket/counter", "0").unwrap().header("etag").unwrap().to_owned();
    let (history, all_there) = (History::default(), Barrier::new(CLIENTS));
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (mut client, history, all_there) = (server.client(Place::Schools), &history, &all_there);
            scope.spawn(move || {
                let own = format!("/bucket/source-{number}");
                all_there.wait();
                let (mut left, mut attempt) = (EACH, number);
                while left > 0 {
                    left -= usize::from(count(&mut client, history, (&own, WAYS[attempt % 3])));
                    attempt += 1;
                }
            });
        }
    });
    check(history, &first);
    assert_eq!(client.get("/bucket/counter").unwrap().text(), (CLIENTS * EACH).to_string());
    if keeps_versions {
        let list = Draft::new(Method::GET, "/bucket").query("versions", "").query("prefix", "counter");
        let versions = client.send(list).unwrap().elements("VersionId");
        assert_eq!(versions.len(), CLIENTS * EACH + 1, "each write left its version");
    }
}

#[test]
fn no_update_is_lost_where_all_replace_what_they_read() {
    count_together(false);
}

#[test]
fn no_update_is_lost_where_versions_are_kept() {
    count_together(true);
}

/// Sends a request of each client at the same time.
fn race(clients: &mut [Client], drafts: Vec<Draft>) -> Vec<Answer> {
    let all_there = &Barrier::new(clients.len());
    thread::scope(|scope| {
        let send = |(client, draft): (_, Draft)| {
            let client: &mut Client = client;
            scope.spawn(move || {
                all_there.wait();
                client.send(draft).unwrap()
            })
        };
        let sent: Vec<_> = clients.iter_mut().zip(drafts).map(send).collect();
        sent.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// Who of those that were answered had their way; the others must have been refused in these words.
fn winner(answers: &[Answer], refusal: (u16, &str)) -> usize {
    let won: Vec<_> = (0..answers.len()).filter(|place| answers[*place].code().is_empty()).collect();
    let told: Vec<_> = answers.iter().map(|answer| (answer.status, answer.code())).collect();
    assert_eq!(won.len(), 1, "{told:?}");
    let mut others = (0..answers.len()).filter(|place| !won.contains(place));
    assert!(others.all(|place| (told[place].0, &*told[place].1) == refusal), "{told:?}");
    won[0]
}

#[test]
fn of_those_who_would_create_a_key_one_does_and_of_those_who_would_delete_it_one_does() {
    let (_runtime, server) = start(false);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.client(Place::Schools)).collect();
    for contest in 0..CONTESTS {
        let path = format!("/bucket/contest-{contest}");
        let create = |(number, client): (usize, &mut Client)| {
            let (way, own) = (WAYS[(number + contest) % 3], format!("/bucket/source-{number}"));
            let draft = prepare(client, way, (&path, &own), &format!("of {number}"));
            draft.header("if-none-match", "*")
        };
        let drafts = clients.iter_mut().enumerate().map(create).collect();
        let answers = race(&mut clients, drafts);
        let creator = winner(&answers, (412, "PreconditionFailed"));
        let kept = clients[0].get(&path).unwrap();
        assert_eq!(kept.text(), format!("of {creator}"));
        assert_eq!(outcome(&answers[creator]).as_deref(), kept.header("etag"));
        let delete = Draft::new(Method::DELETE, &path).header("if-match", kept.header("etag").unwrap());
        // Who comes late finds nothing any more.
        winner(&race(&mut clients, vec![delete; CLIENTS]), (404, "NoSuchKey"));
        assert_eq!(clients[0].get(&path).unwrap().code(), "NoSuchKey");
    }
}
