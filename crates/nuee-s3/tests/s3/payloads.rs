//! Content in every framing, damaged in every way: nothing is written, and the error is the right one.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use crate::{
    memory::{Memory, front, send},
    signer::{Build, Draft, Signer, forger, owner, put},
};

const PIECES: [&[u8]; 3] = [b"the first chunk,", b" the second chunk", b" and the third"];
const TRAILER: (&str, &str) = ("x-amz-checksum-crc32", "y/Q5Jg==");

fn content() -> Vec<u8> {
    PIECES.concat()
}

/// An upload in each framing that has chunks.
fn framed(signer: &Signer) -> [(&'static str, Draft); 3] {
    let put = || put(b"");
    [
        ("signed chunks", signer.chunked(put(), &PIECES, None)),
        ("signed trailer", signer.chunked(put(), &PIECES, Some(TRAILER))),
        ("unsigned trailer", signer.unsigned_chunks(put(), &PIECES, TRAILER)),
    ]
}

async fn refuse(name: &str, draft: &Draft, codes: &[&str]) {
    let memory = Memory::default();
    let answer = send(&memory, draft.build()).await;
    assert!(codes.contains(&answer.code.as_str()), "{name}: {answer:?}");
    assert!(memory.is_untouched(), "{name}: something was written");
}

fn with_body(draft: &Draft, body: Vec<u8>) -> Draft {
    // The length of the connection's body is not what is tested here, and it is signed.
    Draft { body, ..draft.clone() }
}

fn replace(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let start = body.windows(from.len()).position(|window| window == from).expect("the text is there");
    [&body[..start], to, &body[start + from.len()..]].concat()
}

#[tokio::test]
async fn a_wrong_secret_writes_nothing_in_any_form() {
    let wrong = forger();
    let put = || put(b"content");
    let sha256 = crate::signer::sha256(b"content");
    let mut forms = framed(&wrong).to_vec();
    forms.push(("header", wrong.header(put())));
    forms.push(("header, hashed", wrong.header(put().header("x-amz-content-sha256", &sha256))));
    forms.push(("query", wrong.presign(put())));
    for (name, draft) in forms {
        refuse(name, &draft, &["SignatureDoesNotMatch"]).await;
    }
}

#[tokio::test]
async fn chunks_cut_anywhere_write_nothing() {
    for (name, draft) in framed(&owner()) {
        // The empty line at the end is not sent by every client.
        let needed = draft.body.len() - 2;
        for length in 0..needed {
            let cut = with_body(&draft, draft.body[..length].to_vec());
            refuse(name, &cut, &["IncompleteBody", "MalformedTrailerError", "SignatureDoesNotMatch"]).await;
        }
    }
}

#[tokio::test]
async fn no_single_byte_of_signed_chunks_can_change() {
    for (name, draft) in framed(&owner()).into_iter().take(2) {
        for index in 0..draft.body.len() {
            let mut body = draft.body.clone();
            body[index] ^= 1;
            let memory = Memory::default();
            let answer = send(&memory, with_body(&draft, body).build()).await;
            let harmless = memory.object("key").is_none_or(|stored| stored == content());
            assert!(harmless, "{name}: byte {index}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn damage_has_its_own_error() {
    let [(_, signed), (_, signed_trailer), (_, unsigned)] = framed(&owner());
    let edit = |draft: &Draft, from: &str, to: &str| {
        with_body(draft, replace(&draft.body, from.as_bytes(), to.as_bytes()))
    };
    let signature = String::from_utf8_lossy(&signed.body).lines().next().unwrap()[3..].to_owned();
    let zeros = format!("chunk-signature={}", "0".repeat(64));
    let cases = [
        ("content changed", edit(&signed, "first", "worst"), "SignatureDoesNotMatch"),
        ("signature changed", edit(&signed, &signature, &zeros), "SignatureDoesNotMatch"),
        ("signature left out", edit(&signed, &format!(";{signature}"), ""), "InvalidRequest"),
        ("signature empty", edit(&signed, &signature, "chunk-signature="), "SignatureDoesNotMatch"),
        ("unknown extension", edit(&signed, &signature, "other=1"), "InvalidRequest"),
        ("size is no number", edit(&signed, "10;", "xx;"), "InvalidRequest"),
        ("size with a sign", edit(&signed, "10;", "+10;"), "InvalidRequest"),
        ("size over all", edit(&signed, "10;", "ffffffffffffffff;"), "InvalidRequest"),
        ("size over a number", edit(&signed, "10;", "10000000000000000;"), "InvalidRequest"),
        ("size too small", edit(&signed, "10;", "f;"), "SignatureDoesNotMatch"),
        ("no size", edit(&signed, "10;", ";"), "InvalidRequest"),
        ("a line without end", with_body(&signed, vec![b'0'; 300]), "InvalidRequest"),
        ("line feeds only", edit(&signed, "\r\nthe", "\nthe"), "InvalidRequest"),
        (
            "trailer not announced",
            edit(&signed, "\r\n\r\n", "\r\nx-amz-checksum-crc32:AAAAAA==\r\n"),
            "MalformedTrailerError",
        ),
        ("chunk sizes disagree", edit(&unsigned, "the first chunk,", "the first chunk,,"), "InvalidRequest"),
        ("extension on unsigned", edit(&unsigned, "10\r\n", "10;chunk-signature=0\r\n"), "InvalidRequest"),
        ("trailer changed", edit(&signed_trailer, "y/Q5Jg==", "y/Q5Jw=="), "SignatureDoesNotMatch"),
        (
            "trailer unsigned",
            {
                let text = String::from_utf8_lossy(&signed_trailer.body).into_owned();
                let start = text.find("x-amz-trailer-signature").unwrap();
                with_body(&signed_trailer, text.as_bytes()[..start].to_vec())
            },
            "MalformedTrailerError",
        ),
        (
            "trailer left out",
            edit(&unsigned, "x-amz-checksum-crc32:y/Q5Jg==\r\n", ""),
            "MalformedTrailerError",
        ),
        ("another trailer", edit(&unsigned, "crc32:", "sha256:"), "MalformedTrailerError"),
        (
            "trailer twice",
            edit(&unsigned, "\r\n\r\n", "\r\nx-amz-checksum-crc32:AAAAAA==\r\n"),
            "MalformedTrailerError",
        ),
        ("trailer without colon", edit(&unsigned, "crc32:", "crc32 "), "MalformedTrailerError"),
        (
            "trailer too long",
            with_body(&unsigned, [&unsigned.body[..], &[b'x'; 5000]].concat()),
            "InvalidRequest",
        ),
        (
            "signature on unsigned",
            edit(&unsigned, "\r\n\r\n", "\r\nx-amz-trailer-signature:0\r\n"),
            "MalformedTrailerError",
        ),
    ];
    for (name, draft, code) in cases {
        refuse(name, &draft, &[code]).await;
    }
}

#[tokio::test]
async fn a_length_other_than_the_announced_one_is_refused() {
    let [_, _, (_, unsigned)] = framed(&owner());
    let total = content().len();
    for (length, code) in
        [(total + 1, "IncompleteBody"), (total - 1, "InvalidRequest"), (0, "InvalidRequest")]
    {
        let announced =
            |draft: &Draft| draft.clone().set("x-amz-decoded-content-length", &length.to_string());
        let draft = announced(&unsigned).without("authorization").without("x-amz-date");
        refuse("another length", &owner().header(draft), &[code]).await;
    }
}

/// A body that comes in pieces of a few bytes.
struct Drip {
    bytes: Bytes,
    count: usize,
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let count = self.count.min(self.bytes.len());
        let piece = self.bytes.split_to(count);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn pieces_of_any_size_mean_the_same() {
    for (name, draft) in framed(&owner()) {
        for count in [1, 2, 3, 7, 64, 1000] {
            let memory = Memory::default();
            let front = front(&memory);
            let request = draft.build().map(|_| Drip { bytes: draft.body.clone().into(), count });
            let response = front.call(request).await;
            let status = response.status();
            let answer = response.into_body().collect().await.unwrap().to_bytes();
            assert!(status.is_success(), "{name} by {count}: {answer:?}");
            assert_eq!(memory.object("key").unwrap(), content(), "{name} by {count}");
        }
    }
}

#[tokio::test]
async fn empty_content_is_content() {
    let trailer = ("x-amz-checksum-crc32", "AAAAAA==");
    let signer = owner();
    let drafts = [
        signer.header(put(b"")),
        signer.chunked(put(b""), &[], None),
        signer.chunked(put(b""), &[], Some(trailer)),
        signer.unsigned_chunks(put(b""), &[], trailer),
    ];
    for draft in drafts {
        let memory = Memory::default();
        let answer = send(&memory, draft.build()).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(memory.object("key").unwrap(), b"");
    }
}
