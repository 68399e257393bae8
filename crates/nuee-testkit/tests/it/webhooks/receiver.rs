//! A receiver of messages, as anybody may write one after the specification.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver as Channel},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The secret, but for its prefix.
const SECRET: [u8; 32] = [7; 32];
/// Long enough for any machine; who waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A message that arrived.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// Its header `webhook-id`.
    pub(super) id: String,
    /// Its body.
    pub(super) body: Value,
    /// What was answered.
    pub(super) answered: u16,
}

impl Message {
    fn record(&self) -> &Value {
        &self.body["Records"][0]
    }

    /// The name of the event; that of the test for a bucket's first message.
    pub(super) fn event(&self) -> &str {
        self.record()["eventName"].as_str().or(self.body["Event"].as_str()).unwrap()
    }

    /// What it says of the object.
    pub(super) fn object(&self, field: &str) -> Value {
        self.record()["s3"]["object"][field].clone()
    }

    /// What it says of the rule.
    pub(super) fn rule(&self) -> &str {
        self.record()["s3"]["configurationId"].as_str().unwrap()
    }

    /// The key.
    pub(super) fn key(&self) -> String {
        self.object("key").as_str().unwrap_or_default().to_owned()
    }
}

/// A receiver at work until it is dropped.
pub(super) struct Receiver {
    address: SocketAddr,
    messages: Channel<Message>,
}

impl Receiver {
    /// A receiver that answers what `answer` says of each message, the first time and each further time.
    pub(super) fn start(answer: impl Fn(&Message) -> u16 + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some((mut stream, mut message)) = take(stream.unwrap()) else { continue };
                message.answered = answer(&message);
                let head = format!(
                    "HTTP/1.1 {} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                    message.answered
                );
                if send.send(message).is_err() {
                    return;
                }
                // A server that was stopped is not there for the answer.
                let _ = stream.write_all(head.as_bytes());
            }
        });
        Self { address, messages }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/events?of=nuee", self.address)
    }

    /// The next message, whatever was answered.
    pub(super) fn next(&self) -> Message {
        self.messages.recv_timeout(PATIENCE).expect("a message comes")
    }

    /// The next message that was taken.
    pub(super) fn next_taken(&self) -> Message {
        std::iter::from_fn(|| Some(self.next())).find(|message| message.answered == 200).unwrap()
    }

    /// The messages that came and were not asked for.
    pub(super) fn rest(&self) -> Vec<Message> {
        self.messages.try_iter().collect()
    }
}

/// The text of the file with the secret.
pub(super) fn secret() -> String {
    format!("whsec_{}\n", STANDARD.encode(SECRET))
}

/// Reads a request and checks what every one of them must have; `None` if there is none.
fn take(stream: TcpStream) -> Option<(TcpStream, Message)> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    assert_eq!(lines[0], "POST /events?of=nuee HTTP/1.1");
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("{name} is missing: {lines:?}")).to_owned()
    };
    let mut body = vec![0; header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    assert_eq!(header("content-type"), "application/json");
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let signature = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    let mut code = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    code.update(format!("{id}.{time}.").as_bytes());
    code.update(&body);
    code.verify_slice(&signature).expect("the signature is right");
    let message = Message { id, body: serde_json::from_slice(&body).unwrap(), answered: 0 };
    Some((reader.into_inner(), message))
}
