//! XML that is not what it should be.

use http::Method;

use super::{Bench, Case, Code, case};
use nuee_testkit::signer::Draft;

const DELETE: &str = "<Delete><Object><Key>kept</Key></Object></Delete>";
const COMPLETE: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>\
                        </CompleteMultipartUpload>";
const ENCRYPT: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                       <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                       </ServerSideEncryptionConfiguration>";

impl Bench {
    fn delete(&self, document: impl Into<Vec<u8>>) -> Draft {
        self.signed(Draft::with_body(Method::POST, "/bucket", document).query("delete", ""))
    }

    fn complete(&self, document: impl Into<Vec<u8>>) -> Draft {
        let draft = Draft::with_body(Method::POST, "/bucket/parts", document);
        self.signed(draft.query("uploadId", &self.upload))
    }

    fn encrypt(&self, document: impl Into<Vec<u8>>) -> Draft {
        self.signed(Draft::with_body(Method::PUT, "/bucket", document).query("encryption", ""))
    }
}

/// Documents that are no XML, or not the XML that anybody asked for.
fn malformed(document: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
                <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let file = "<!DOCTYPE a [<!ENTITY kept SYSTEM \"file:///etc/passwd\">]>";
    let deep = "<a>".repeat(20_000);
    vec![
        ("empty", Vec::new()),
        ("no XML", b"{\"Key\": \"kept\"}".to_vec()),
        ("cut", document.as_bytes()[..document.len() - 3].to_vec()),
        ("wrong root", b"<Erase><Object><Key>kept</Key></Object></Erase>".to_vec()),
        ("crossed tags", document.replacen("</", "</x", 1).into_bytes()),
        ("no UTF-8", [document.as_bytes(), b"\xff\xfe"].concat()),
        ("zeros", vec![0; 1_000]),
        ("an entity bomb", format!("{bomb}{document}").into_bytes()),
        ("an entity of a file", format!("{file}{document}").into_bytes()),
        ("an unknown entity", document.replacen('>', ">&boom;", 1).into_bytes()),
        ("deeper than any document", deep.into_bytes()),
        ("two documents", document.repeat(2).into_bytes()),
    ]
}

#[test]
fn documents_that_are_malformed() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    // Two of them have a word of their own for a document that is not there.
    let unless_empty =
        |name: &str| if name == "empty" { Code("MissingRequestBodyError") } else { Code("MalformedXML") };
    for (name, document) in malformed(DELETE) {
        cases.push(case(format!("delete, {name}"), &bench.delete(document), unless_empty(name)));
    }
    for (name, document) in malformed(COMPLETE) {
        cases.push(case(format!("complete, {name}"), &bench.complete(document), Code("MalformedXML")));
    }
    for (name, document) in malformed(ENCRYPT) {
        cases.push(case(format!("encrypt, {name}"), &bench.encrypt(document), unless_empty(name)));
    }
    for (name, document) in
        malformed("<CreateBucketConfiguration></CreateBucketConfiguration>").into_iter().skip(1)
    {
        let draft = bench.signed(Draft::put("/another", document));
        cases.push(case(format!("create, {name}"), &draft, Code("MalformedXML")));
    }
    bench.refuse_all(cases);
}

fn deletion_of(count: usize) -> String {
    let keys = (0..count).map(|_| "<Object><Key>kept</Key></Object>");
    format!("<Delete>{}</Delete>", keys.collect::<String>())
}

fn completion_of(parts: &[(&str, &str)]) -> String {
    let part = |(number, etag): &(&str, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[test]
fn documents_that_ask_for_what_cannot_be() {
    let bench = Bench::start();
    let etag = md5_of("a part");
    let good = ("1", etag.as_str());
    let complete = |parts: &[(&str, &str)]| bench.complete(completion_of(parts));
    bench.refuse_all(vec![
        case("1,001 keys", &bench.delete(deletion_of(1_001)), Code("MalformedXML")),
        case("no key", &bench.delete("<Delete></Delete>"), Code("MalformedXML")),
        case("over 8 MiB", &bench.delete(vec![b' '; (8 << 20) + 1]), Code("MaxMessageLengthExceeded")),
        case("no part", &complete(&[]), Code("MalformedXML")),
        case("a part twice", &complete(&[good, good]), Code("InvalidPartOrder")),
        case("parts in disorder", &complete(&[("2", etag.as_str()), good]), Code("InvalidPartOrder")),
        case("a part that is not there", &complete(&[good, ("2", etag.as_str())]), Code("InvalidPart")),
        case(
            "another entity tag",
            &complete(&[("1", "0123456789abcdef0123456789abcdef")]),
            Code("InvalidPart"),
        ),
        case("an empty entity tag", &complete(&[("1", "")]), Code("InvalidPart")),
        case("part 0", &complete(&[("0", etag.as_str())]), Code("InvalidArgument")),
        case("part 10,001", &complete(&[("10001", etag.as_str())]), Code("InvalidArgument")),
        case("part -1", &complete(&[("-1", etag.as_str())]), Code("InvalidArgument")),
        case("part 2^40", &complete(&[("1099511627776", etag.as_str())]), Code("MalformedXML")),
        case("a part that is no number", &complete(&[("one", etag.as_str())]), Code("MalformedXML")),
        case(
            "an unknown algorithm",
            &bench.encrypt(ENCRYPT.replace("aws:kms", "rot13")),
            Code("NotImplemented"),
        ),
    ]);
}

pub(super) fn md5_of(text: &str) -> String {
    use md5::Digest;
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
