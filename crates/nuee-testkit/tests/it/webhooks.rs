//! What happens in buckets is told to receivers: signed, in order, and at least once.

mod receiver;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use http::Method;
use nuee::WebhookSettings;
use nuee_testkit::{Answer, Client, Place, TestServer, form::Form, signer::Draft};
use serde_json::json;
use tokio::runtime::Runtime;

use receiver::{Message, Receiver, secret};

const EVERYTHING: &str = "<NotificationConfiguration><TopicConfiguration><Id>all</Id><Topic>arn:aws:sns:::portal</Topic>\
    <Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectTagging:*</Event>\
    </TopicConfiguration></NotificationConfiguration>";
const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";

struct Bench {
    runtime: Runtime,
    server: TestServer,
    client: Client,
    receiver: Receiver,
}

impl Bench {
    /// A server that knows a receiver as `portal`, for the schools alone.
    fn start(answer: impl Fn(&Message) -> u16 + Send + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let receiver = Receiver::start(answer);
        let server = runtime.block_on(async {
            let server = TestServer::start().await.unwrap();
            let secret_file = server.key_directory().with_file_name("portal.secret");
            fs::write(&secret_file, secret()).unwrap();
            let webhook = WebhookSettings {
                url: receiver.url(),
                secret_file,
                projects: vec!["education/schools".to_owned()],
                ca_bundle: None,
            };
            let restarted = server.restart_with(|settings| {
                settings.webhooks.insert("portal".to_owned(), webhook);
            });
            restarted.await.unwrap()
        });
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        Self { runtime, server, client, receiver }
    }

    fn configure(&mut self, document: &str) -> Answer {
        self.client.send(Draft::put("/bucket", document).query("notification", "")).unwrap()
    }

    /// Has everything told, and takes the first message, which says so.
    fn tell_everything(&mut self) {
        assert_eq!(self.configure(EVERYTHING).status, 200);
        assert_eq!(self.receiver.next_taken().event(), "s3:TestEvent");
    }

    fn put(&mut self, path: &str, body: &str) -> Answer {
        let answer = self.client.put(path, body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// The next messages, sorted by key and sequencer: those of different keys have no order.
    fn take(&self, count: usize) -> Vec<Message> {
        let mut messages: Vec<_> = (0..count).map(|_| self.receiver.next_taken()).collect();
        messages.sort_by_key(|message| (message.key(), message.object("sequencer").to_string()));
        messages
    }
}

#[test]
fn each_change_of_an_object_is_told_as_what_it_was() {
    let mut bench = Bench::start(|_| 200);
    bench.tell_everything();
    let before = bench.put("/bucket/un%20d%C3%A9but", "content").header("etag").unwrap().to_owned();
    bench
        .client
        .send(Draft::put("/bucket/b", "").header("x-amz-copy-source", "/bucket/un%20d%C3%A9but"))
        .unwrap();
    bench.client.put_parts("/bucket/c", &[b"part"]).unwrap();
    let form = Form::new("/bucket", "d", "form").signed(&bench.client.signer());
    assert_eq!(bench.client.send_as_it_is(&form).unwrap().status, 204);
    bench.client.send(Draft::put("/bucket/e", "").header("x-amz-tagging", "a=b")).unwrap();
    bench.client.send(Draft::put("/bucket/e", TAGS).query("tagging", "")).unwrap();
    bench.client.send(Draft::new(Method::DELETE, "/bucket/e").query("tagging", "")).unwrap();
    bench.client.delete("/bucket/e").unwrap();
    bench.client.delete("/bucket/absent").unwrap();
    let told = bench.take(8);
    let events: Vec<_> = told.iter().map(|message| (message.key(), message.event().to_owned())).collect();
    let expected = [
        ("b", "ObjectCreated:Copy"),
        ("c", "ObjectCreated:CompleteMultipartUpload"),
        ("d", "ObjectCreated:Post"),
        ("e", "ObjectCreated:Put"),
        ("e", "ObjectTagging:Put"),
        ("e", "ObjectTagging:Delete"),
        ("e", "ObjectRemoved:Delete"),
        ("un+d%C3%A9but", "ObjectCreated:Put"),
    ];
    assert_eq!(events, expected.map(|(key, event)| (key.to_owned(), event.to_owned())));
    let first = told.last().unwrap();
    assert_eq!((first.object("size"), first.object("eTag")), (json!(7), json!(before.trim_matches('"'))));
    assert_eq!((first.rule(), first.object("versionId")), ("all", json!(null)));
    let ids: BTreeSet<_> = told.iter().map(|message| &message.id).collect();
    assert_eq!(ids.len(), told.len());
    assert!(bench.receiver.rest().is_empty(), "nothing else is told");
}

#[test]
fn versions_and_delete_markers_are_told_with_their_ids() {
    let mut bench = Bench::start(|_| 200);
    let versioning = Draft::put("/bucket", VERSIONING).query("versioning", "");
    assert_eq!(bench.client.send(versioning).unwrap().status, 200);
    bench.tell_everything();
    let id = |answer: &Answer| answer.header("x-amz-version-id").unwrap().to_owned();
    let written = id(&bench.put("/bucket/a", "1"));
    let marker = id(&bench.client.delete("/bucket/a").unwrap());
    for version in [&marker, &written] {
        let delete = Draft::new(Method::DELETE, "/bucket/a").query("versionId", version);
        assert_eq!(bench.client.send(delete).unwrap().status, 204);
    }
    let told = bench.take(4);
    let told: Vec<_> = told.iter().map(|message| (message.event(), message.object("versionId"))).collect();
    let expected = [
        ("ObjectCreated:Put", json!(written)),
        ("ObjectRemoved:DeleteMarkerCreated", json!(marker)),
        ("ObjectRemoved:Delete", json!(marker)),
        ("ObjectRemoved:Delete", json!(written)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_receiver_that_was_away_is_told_everything_in_order_also_by_the_next_server() {
    // Each message is turned away once, as by a receiver that is ill, and the first ones until the server was restarted.
    let (recover, recovered) = std::sync::mpsc::channel::<()>();
    let (is_well, seen) = (std::sync::Mutex::new(false), std::sync::Mutex::new(BTreeMap::new()));
    let mut bench = Bench::start(move |message| {
        let mut is_well = is_well.lock().unwrap();
        *is_well |= recovered.try_recv().is_ok();
        let times =
            { *seen.lock().unwrap().entry(message.id.clone()).and_modify(|times| *times += 1).or_insert(1) };
        let is_turned_away = !*is_well || (times == 1 && message.key().ends_with('3'));
        if is_turned_away { 503 } else { 200 }
    });
    assert_eq!(bench.configure(EVERYTHING).status, 200);
    assert_eq!(bench.receiver.next().answered, 503);
    for round in 0..3 {
        for key in 0..10 {
            bench.put(&format!("/bucket/{key}"), &"x".repeat(round));
        }
    }
    let Bench { runtime, server, receiver, .. } = bench;
    let server = runtime.block_on(server.restart()).unwrap();
    recover.send(()).unwrap();
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put("/bucket/0", "last").unwrap().status, 200);
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while told.values().map(Vec::len).sum::<usize>() < 32 {
        let message = receiver.next_taken();
        let sequencer = message.object("sequencer").as_str().unwrap_or_default().to_owned();
        let of_key = told.entry(message.key()).or_default();
        // At least once: the same again is no fault.
        if of_key.last() != Some(&sequencer) {
            assert!(of_key.last().is_none_or(|last| *last < sequencer), "{}: out of order", message.key());
            of_key.push(sequencer);
        }
    }
    assert_eq!(told["0"].len(), 4);
    assert_eq!(told[""].len(), 1, "the test message");
}

#[test]
fn an_event_that_is_refused_keeps_no_other_key_waiting() {
    let mut bench = Bench::start(|message| if message.key() == "bad" { 400 } else { 200 });
    bench.tell_everything();
    bench.put("/bucket/bad", "1");
    for key in 0..5 {
        bench.put(&format!("/bucket/{key}"), "1");
    }
    let keys: Vec<_> = bench.take(5).iter().map(Message::key).collect();
    assert_eq!(keys, ["0", "1", "2", "3", "4"]);
}

#[test]
fn rules_pick_events_by_the_ends_of_keys_and_come_back_as_they_were_set() {
    let mut bench = Bench::start(|_| 200);
    let document = "<NotificationConfiguration><TopicConfiguration><Id>csv</Id><Topic>arn:aws:sns:::portal</Topic>\
        <Event>s3:ObjectCreated:Put</Event><Filter><S3Key>\
        <FilterRule><Name>prefix</Name><Value>in/</Value></FilterRule>\
        <FilterRule><Name>suffix</Name><Value>.csv</Value></FilterRule></S3Key></Filter>\
        </TopicConfiguration></NotificationConfiguration>";
    assert_eq!(bench.configure(document).status, 200);
    assert_eq!(bench.receiver.next_taken().event(), "s3:TestEvent");
    let get = || Draft::new(Method::GET, "/bucket").query("notification", "");
    let text = bench.client.send(get()).unwrap().text();
    for part in ["<Id>csv</Id>", "arn:aws:sns:::portal", "<Event>s3:ObjectCreated:Put</Event>", "in/", ".csv"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for path in ["/bucket/out/a.csv", "/bucket/in/a.txt", "/bucket/in/a.csv"] {
        bench.put(path, "1");
    }
    bench.client.delete("/bucket/in/a.csv").unwrap();
    bench.put("/bucket/in/b.csv", "1");
    assert_eq!(bench.take(2).iter().map(Message::key).collect::<Vec<_>>(), ["in%2Fa.csv", "in%2Fb.csv"]);
    assert_eq!(bench.configure("<NotificationConfiguration/>").status, 200);
    assert!(!bench.client.send(get()).unwrap().text().contains("csv"));
    bench.put("/bucket/in/c.csv", "1");
    bench.tell_everything();
    bench.put("/bucket/d", "1");
    assert_eq!(bench.take(1)[0].key(), "d", "what happened while nothing was to be told is not told");
}

#[test]
fn what_cannot_be_told_is_not_taken() {
    let mut bench = Bench::start(|_| 200);
    let topic = |arn: &str, events: &str| {
        format!(
            "<NotificationConfiguration><TopicConfiguration><Topic>{arn}</Topic>{events}</TopicConfiguration>\
             </NotificationConfiguration>"
        )
    };
    let put = "<Event>s3:ObjectCreated:Put</Event>";
    let queue = "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:::q</Queue>\
                 <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>";
    let bus = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
    for (document, code) in [
        (topic("arn:aws:sns:::elsewhere", put), "InvalidArgument"),
        (topic("https://portal.example.org/", put), "InvalidArgument"),
        (topic("arn:aws:sns:::portal", "<Event>s3:Replication:*</Event>"), "InvalidArgument"),
        (topic("arn:aws:sns:::portal", "<Event>s3:*</Event>"), "InvalidArgument"),
        (topic("arn:aws:sns:::portal", ""), "MalformedXML"),
        (queue.to_owned(), "NotImplemented"),
        (bus.to_owned(), "NotImplemented"),
        ("<NotificationConfiguration><Webhook/></NotificationConfiguration>".to_owned(), "NotImplemented"),
    ] {
        assert_eq!(bench.configure(&document).code(), code, "{document}");
    }
    let mut exams = bench.server.client(Place::Exams);
    assert_eq!(exams.put("/exams", "").unwrap().status, 200);
    let answer = exams.send(Draft::put("/exams", EVERYTHING).query("notification", "")).unwrap();
    assert_eq!(answer.code(), "InvalidArgument", "the receiver is not for this project");
    bench.put("/bucket/a", "1");
    bench.tell_everything();
    assert!(bench.receiver.rest().is_empty());
}
