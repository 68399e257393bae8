//! Answers of `s3s`, mended where those of S3 are otherwise.

use std::ops::Range;

use http::{Response, header};

use super::RequestId;

/// What is said with a code that came without a word: most of these are errors that `s3s` finds itself.
const MESSAGES: &[(&str, &str)] = &[
    ("SignatureDoesNotMatch", "The signature does not match: check the secret key and the signing method."),
    (
        "InvalidBucketName",
        "A bucket name has 3 to 63 of a-z, 0-9, hyphen and dot, with a letter or digit at both ends.",
    ),
    ("KeyTooLongError", "A key has at most 1,024 bytes."),
    (
        "RequestTimeTooSkewed",
        "The time of the request differs too much from that of the server: set the clock.",
    ),
    ("MalformedXML", "The document is not well-formed, or not the one that the operation expects."),
    ("PreconditionFailed", "A condition of the request does not hold."),
    ("InternalError", "The service failed: try again, and tell the operator if it goes on."),
];

/// Gives an error that has neither its message, if there is one for its code, and its request id.
pub(super) fn explain(answer: &mut Response<s3s::Body>, id: &RequestId) {
    if answer.status().as_u16() < 400 {
        return;
    }
    let Some(text) = answer.body().bytes() else { return };
    let text = String::from_utf8_lossy(&text);
    let Some((head, rest)) = text.split_once("</Code>").filter(|_| !text.contains("<Message>")) else {
        return;
    };
    let code = head.rsplit_once("<Code>").map_or("", |(_, code)| code);
    let message = MESSAGES.iter().find(|(known, _)| *known == code).map(|(_, message)| *message);
    let message = message.map(|message| format!("<Message>{message}</Message>")).unwrap_or_default();
    let needs_id = !rest.contains("<RequestId>");
    let request_id = if needs_id { format!("<RequestId>{}</RequestId>", id.0) } else { String::new() };
    replace_body(answer, format!("{head}</Code>{message}{request_id}{rest}").into_bytes());
}

fn replace_body(answer: &mut Response<s3s::Body>, body: Vec<u8>) {
    if answer.headers().contains_key(header::CONTENT_LENGTH) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    }
    *answer.body_mut() = s3s::Body::from(body);
}

/// Takes the quotes off the entity tag of an answer, where S3 has none, and `s3s` writes them all the same.
pub(super) fn unquote_entity_tag(answer: &mut Response<s3s::Body>) {
    let Some(text) = answer.body().bytes() else { return };
    let text = String::from_utf8_lossy(&text);
    let quoted = |mark: &str| text.contains(&format!("<ETag>{mark}"));
    let Some(mark) = ["&quot;", "\""].into_iter().find(|mark| quoted(mark)) else { return };
    let unquoted =
        text.replace(&format!("<ETag>{mark}"), "<ETag>").replace(&format!("{mark}</ETag>"), "</ETag>");
    replace_body(answer, unquoted.into_bytes());
}

/// Which rows of a page of versions are delete markers, in the order of the page: an extension of its answer.
#[derive(Debug, Clone)]
pub(crate) struct VersionOrder(pub(crate) Vec<bool>);

/// Puts versions and delete markers into the order that they have in a bucket: `s3s` writes all versions first.
pub(super) fn interleave(answer: &mut Response<s3s::Body>) {
    let Some(VersionOrder(order)) = answer.extensions_mut().remove() else { return };
    let Some(bytes) = answer.body().bytes() else { return };
    let text = &*String::from_utf8_lossy(&bytes);
    // Values are escaped, so these marks are elements.
    let rows = |open: &'static str, close: &'static str| -> Vec<Range<usize>> {
        let ends = |(start, _)| Some(start..start + text[start..].find(close)? + close.len());
        text.match_indices(open).filter_map(ends).collect()
    };
    let (versions, markers) = (rows("<Version>", "</Version>"), rows("<DeleteMarker>", "</DeleteMarker>"));
    let of_markers = order.iter().filter(|is_marker| **is_marker).count();
    if (markers.len(), versions.len()) != (of_markers, order.len() - of_markers) || markers.is_empty() {
        return;
    }
    // All stand where `s3s` has the versions, which is the end.
    let place = versions.first().or(markers.first()).map_or(0, |row| row.start);
    let mut all: Vec<_> = versions.iter().chain(&markers).cloned().collect();
    all.sort_unstable_by_key(|row| row.start);
    let (mut versions, mut markers) = (versions.into_iter(), markers.into_iter());
    let mut rows = String::with_capacity(text.len());
    for is_marker in order {
        let row = if is_marker { markers.next() } else { versions.next() };
        rows.push_str(&text[row.unwrap_or_default()]);
    }
    let (mut mended, mut copied) = (String::with_capacity(text.len()), 0);
    for row in all {
        mended.push_str(&text[copied..row.start]);
        if row.start == place {
            mended.push_str(&rows);
        }
        copied = row.end;
    }
    mended.push_str(&text[copied..]);
    replace_body(answer, mended.into_bytes());
}

/// Writes the control characters of an XML answer as references, as S3 does: `s3s` leaves them as they are, and a reader
/// takes a carriage return for a line feed.
pub(super) fn escape_control_characters(answer: &mut Response<s3s::Body>) {
    let is_xml = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
    let Some(text) = answer.body().bytes().filter(|_| is_xml) else { return };
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n');
    if !text.iter().any(is_control) {
        return;
    }
    let mut escaped = Vec::with_capacity(text.len() + 64);
    for byte in text {
        if is_control(&byte) {
            escaped.extend_from_slice(format!("&#x{byte:X};").as_bytes());
        } else {
            escaped.push(byte);
        }
    }
    replace_body(answer, escaped);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interleaved(text: &'static str, order: &[bool]) -> String {
        let mut answer = Response::new(s3s::Body::from(text.to_owned()));
        answer.extensions_mut().insert(VersionOrder(order.to_vec()));
        interleave(&mut answer);
        String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn versions_and_markers_are_put_into_the_order_of_their_page() {
        let written = "<A/><Version>1</Version><Version>2</Version><DeleteMarker>3</DeleteMarker><B/>";
        let order = [true, false, false];
        let expected = "<A/><DeleteMarker>3</DeleteMarker><Version>1</Version><Version>2</Version><B/>";
        assert_eq!(interleaved(written, &order), expected);
        assert_eq!(interleaved(written, &[false, false, true]), written);
        let apart = "<DeleteMarker>3</DeleteMarker><P/><Version>1</Version>";
        assert_eq!(
            interleaved(apart, &[false, true]),
            "<P/><Version>1</Version><DeleteMarker>3</DeleteMarker>"
        );
    }

    #[test]
    fn a_page_that_is_not_the_one_that_was_announced_stays_as_it_is() {
        let written = "<Version>1</Version><DeleteMarker>3</DeleteMarker>";
        for order in [&[true][..], &[true, true], &[]] {
            assert_eq!(interleaved(written, order), written);
        }
    }
}
