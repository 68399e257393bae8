//! What requests mean: conditions, manners of encryption, names and metadata that are awkward.

use http::Method;
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

/// A server, and a client with a bucket `/bucket`.
fn start() -> (Runtime, TestServer, Client) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    (runtime, server, client)
}

fn send(client: &mut Client, draft: Draft) -> Answer {
    client.send(draft).unwrap()
}

fn etag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

#[test]
fn a_write_with_if_match_replaces_only_what_it_names() {
    let (_runtime, _server, mut client) = start();
    let put = |body: &str, tag: &str| Draft::put("/bucket/state", body).header("if-match", tag);
    let first = etag(&client.put("/bucket/state", "first").unwrap());
    assert_eq!(send(&mut client, put("lost", "\"0123\"")).code(), "PreconditionFailed");
    let second = etag(&send(&mut client, put("second", &first)));
    assert_eq!(send(&mut client, put("late", &first)).code(), "PreconditionFailed");
    assert_eq!(client.get("/bucket/state").unwrap().text(), "second");
    assert_eq!(send(&mut client, put("third", &second)).status, 200);
}

#[test]
fn a_condition_of_a_read_may_name_several_entity_tags() {
    let (_runtime, _server, mut client) = start();
    let tag = etag(&client.put("/bucket/a", "content").unwrap());
    let mut get =
        |name: &str, value: &str| send(&mut client, Draft::new(Method::GET, "/bucket/a").header(name, value));
    assert_eq!(get("if-match", &format!("\"zzz\", {tag}")).status, 200);
    assert_eq!(get("if-match", "\"zzz\"").status, 412);
    assert_eq!(get("if-match", &format!("W/{tag}")).status, 412, "a weak tag is no strong one");
    let unchanged = get("if-none-match", &format!("\"zzz\", W/{tag}"));
    assert_eq!(unchanged.status, 304);
    assert!(unchanged.header("last-modified").is_some() && etag(&unchanged) == tag);
    let outside = get("range", "bytes=100-");
    assert_eq!((outside.status, outside.header("content-type")), (416, Some("application/xml")));
}

#[test]
fn a_head_of_a_range_is_answered_as_its_get_is() {
    let (_runtime, _server, mut client) = start();
    client.put("/bucket/a", "content").unwrap();
    for method in [Method::GET, Method::HEAD] {
        let answer = send(&mut client, Draft::new(method, "/bucket/a").header("range", "bytes=-3"));
        let told = ["content-range", "content-length"].map(|name| answer.header(name));
        assert_eq!((answer.status, told), (206, [Some("bytes 4-6/7"), Some("3")]));
    }
}

#[test]
fn an_object_is_encrypted_in_the_manner_that_was_asked_for_it() {
    let (_runtime, _server, mut client) = start();
    let name = "x-amz-server-side-encryption";
    let manner = |answer: &Answer| answer.header(name).unwrap().to_owned();
    let kms = send(&mut client, Draft::put("/bucket/kms", "content").header(name, "aws:kms"));
    let plain = client.put("/bucket/plain", "content").unwrap();
    assert_eq!((manner(&kms), manner(&plain)), ("aws:kms".into(), "AES256".into()));
    assert!(etag(&kms).contains('-') && !etag(&plain).contains('-'));
    let copy =
        Draft::put("/bucket/copy", "").header("x-amz-copy-source", "/bucket/plain").header(name, "aws:kms");
    assert_eq!(manner(&send(&mut client, copy)), "aws:kms");
    let begin =
        Draft::with_body(Method::POST, "/bucket/parts", "").query("uploads", "").header(name, "aws:kms");
    let upload = send(&mut client, begin).elements("UploadId").remove(0);
    let part = Draft::put("/bucket/parts", "a part").query("partNumber", "1").query("uploadId", &upload);
    let part = etag(&send(&mut client, part));
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = Draft::with_body(Method::POST, "/bucket/parts", document).query("uploadId", &upload);
    assert_eq!(manner(&send(&mut client, complete)), "aws:kms");
    // What an object is shown as stays, whatever becomes of its bucket's default.
    let default = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms\
                   </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    let default = Draft::with_body(Method::PUT, "/bucket", default).query("encryption", "");
    assert_eq!(send(&mut client, default).status, 200);
    for (path, expected) in
        [("plain", "AES256"), ("kms", "aws:kms"), ("copy", "aws:kms"), ("parts", "aws:kms")]
    {
        let head = send(&mut client, Draft::new(Method::HEAD, &format!("/bucket/{path}")));
        assert_eq!(manner(&head), expected, "{path}");
    }
}

#[test]
fn control_characters_in_keys_are_readable_in_listings() {
    let (_runtime, _server, mut client) = start();
    assert_eq!(client.put("/bucket/c%0Dd%01e", "content").unwrap().status, 200);
    let listed = send(&mut client, Draft::new(Method::GET, "/bucket").query("list-type", "2"));
    assert_eq!(listed.elements("Key"), ["c&#xD;d&#x1;e"]);
    let document = "<Delete><Object><Key>c&#xD;d&#x1;e</Key></Object></Delete>";
    let deleted = send(&mut client, Draft::with_body(Method::POST, "/bucket", document).query("delete", ""));
    assert_eq!(deleted.elements("Key"), ["c&#xD;d&#x1;e"]);
    assert!(client.list("/bucket").unwrap().is_empty());
}

#[test]
fn references_to_wide_characters_name_their_keys() {
    let (_runtime, _server, mut client) = start();
    assert_eq!(client.put("/bucket/%F0%9F%98%80", "content").unwrap().status, 200);
    let document = "<Delete><Object><Key>&#128512;</Key></Object></Delete>";
    let hash = nuee_testkit::signer::sha256(document.as_bytes());
    let unsigned = Draft::with_body(Method::POST, "/bucket", document).query("delete", "");
    let hashed = unsigned.clone().header("x-amz-content-sha256", &hash);
    for deletion in [unsigned, hashed] {
        assert_eq!(client.put("/bucket/%F0%9F%98%80", "content").unwrap().status, 200);
        assert_eq!(send(&mut client, deletion).elements("Key"), ["\u{1F600}"]);
        assert!(client.list("/bucket").unwrap().is_empty());
    }
}

#[test]
fn a_presigned_document_is_carried_out_once_its_signature_is_known_to_be_good() {
    let (_runtime, _server, mut client) = start();
    client.put("/bucket/a", "content").unwrap();
    let document = "<Delete><Object><Key>a</Key></Object></Delete>";
    let deletion =
        client.signer().presign(Draft::with_body(Method::POST, "/bucket", document).query("delete", ""));
    let forged = deletion.clone().query("x-id", "DeleteObjects");
    assert_eq!(client.send_as_it_is(&forged).unwrap().code(), "SignatureDoesNotMatch");
    assert_eq!(client.list("/bucket").unwrap(), ["a"]);
    assert_eq!(client.send_as_it_is(&deletion).unwrap().status, 200);
    assert!(client.list("/bucket").unwrap().is_empty());
}

#[test]
fn a_range_that_is_none_is_as_if_it_were_not_there() {
    let (_runtime, _server, mut client) = start();
    client.put("/bucket/a", "content").unwrap();
    let ranges =
        ["bytes=5-2", "bytes=x-y", "bytes=", "bytes=0-1,3-4", "lines=1-2", "bytes=99999999999999999999-"];
    for range in ranges {
        for method in [Method::GET, Method::HEAD] {
            let answer = send(&mut client, Draft::new(method, "/bucket/a").header("range", range));
            let told = (answer.header("content-range"), answer.header("content-length"));
            assert_eq!((answer.status, told), (200, (None, Some("7"))), "{range}");
        }
    }
}

#[test]
fn a_request_for_somebody_elses_bucket_is_refused() {
    let (_runtime, _server, mut client) = start();
    client.put("/bucket/a", "content").unwrap();
    let owner =
        send(&mut client, Draft::new(Method::GET, "/bucket").query("acl", "")).elements("ID").remove(0);
    let name = "x-amz-expected-bucket-owner";
    let of_source = "x-amz-source-expected-bucket-owner";
    let copy = || Draft::put("/bucket/b", "").header("x-amz-copy-source", "/bucket/a");
    for (owner, status) in [(&*owner, 200), ("123456789012", 403)] {
        let get = Draft::new(Method::GET, "/bucket/a").header(name, owner);
        let list = Draft::new(Method::GET, "/bucket").query("list-type", "2").header(name, owner);
        let put = Draft::put("/bucket/a", "content").header(name, owner);
        let document = "<Delete><Object><Key>none</Key></Object></Delete>";
        let delete =
            Draft::with_body(Method::POST, "/bucket", document).query("delete", "").header(name, owner);
        for draft in [get, list, put, delete, copy().header(name, owner), copy().header(of_source, owner)] {
            assert_eq!(send(&mut client, draft).status, status);
        }
    }
}

#[test]
fn uploads_are_listed_by_a_delimiter() {
    let (_runtime, _server, mut client) = start();
    for key in ["a", "dir/1", "dir/2", "dir/2", "dir2/1", "z"] {
        let begin = Draft::with_body(Method::POST, &format!("/bucket/{key}"), "").query("uploads", "");
        assert_eq!(send(&mut client, begin).status, 200);
    }
    let mut marker = (String::new(), String::new());
    let mut seen = Vec::new();
    loop {
        let list = Draft::new(Method::GET, "/bucket").query("uploads", "").query("delimiter", "/");
        let list = list.query("max-uploads", "1").query("key-marker", &marker.0);
        let page = send(&mut client, list.query("upload-id-marker", &marker.1));
        let prefixes = page.elements("Prefix").into_iter().filter(|prefix| !prefix.is_empty());
        seen.extend(page.elements("Key").into_iter().chain(prefixes));
        if page.elements("IsTruncated") == ["false"] {
            break;
        }
        marker.0 = page.elements("NextKeyMarker").remove(0);
        marker.1 = page.elements("NextUploadIdMarker").pop().unwrap_or_default();
    }
    assert_eq!(seen, ["a", "dir/", "dir2/", "z"]);
    let inside = Draft::new(Method::GET, "/bucket").query("uploads", "").query("delimiter", "/");
    let inside = send(&mut client, inside.query("prefix", "dir/"));
    assert_eq!(inside.elements("Key"), ["dir/1", "dir/2", "dir/2"]);
}

#[test]
fn versions_and_delete_markers_are_listed_in_one_order() {
    let (_runtime, _server, mut client) = start();
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(send(&mut client, Draft::put("/bucket", enabled).query("versioning", "")).status, 200);
    for key in ["/bucket/a", "/bucket/b"] {
        client.put(key, "content").unwrap();
        assert_eq!(send(&mut client, Draft::new(Method::DELETE, key)).status, 204);
        client.put(key, "content").unwrap();
    }
    let listed = send(&mut client, Draft::new(Method::GET, "/bucket").query("versions", "")).text();
    let rows = listed.match_indices('<').filter_map(|(at, _)| {
        ["<Version>", "<DeleteMarker>"].into_iter().find(|row| listed[at..].starts_with(row))
    });
    let of_key = ["<Version>", "<DeleteMarker>", "<Version>"];
    assert_eq!(rows.collect::<Vec<_>>(), [of_key, of_key].concat());
}

#[test]
fn a_version_id_that_no_version_can_have_is_an_argument_that_is_wrong() {
    let (_runtime, _server, mut client) = start();
    client.put("/bucket/a", "content").unwrap();
    let zeroes = format!("v{}", "0".repeat(32));
    let cases = [("7", "InvalidArgument"), (&*zeroes, "NoSuchVersion")];
    for (version, code) in cases {
        let get = Draft::new(Method::GET, "/bucket/a").query("versionId", version);
        assert_eq!(send(&mut client, get).code(), code);
    }
}

#[test]
fn the_entity_tag_among_attributes_has_no_quotes() {
    let (_runtime, _server, mut client) = start();
    let put = client.put("/bucket/a", "content").unwrap();
    let get = Draft::new(Method::GET, "/bucket/a").query("attributes", "");
    let told = send(&mut client, get.header("x-amz-object-attributes", "ETag"));
    assert_eq!(told.elements("ETag"), [put.header("etag").unwrap().trim_matches('"')]);
}

#[test]
fn user_metadata_comes_back_as_it_was_sent() {
    let (_runtime, _server, mut client) = start();
    for value in ["=?UTF-8?Q?one?= and two =?UTF-8?Q?three?=", "plain", "=?UTF-8?B?w6k=?=", ""] {
        let put = Draft::put("/bucket/a", "content").header("x-amz-meta-a", value);
        assert_eq!(send(&mut client, put).status, 200);
        let head = send(&mut client, Draft::new(Method::HEAD, "/bucket/a"));
        assert_eq!(head.header("x-amz-meta-a"), Some(value));
    }
}

#[test]
fn pages_of_nothing_are_whole() {
    let (_runtime, _server, mut client) = start();
    let begin = Draft::with_body(Method::POST, "/bucket/parts", "").query("uploads", "");
    let upload = send(&mut client, begin).elements("UploadId").remove(0);
    let part = Draft::put("/bucket/parts", "a part").query("partNumber", "1").query("uploadId", &upload);
    assert_eq!(send(&mut client, part).status, 200);
    let get = Draft::new;
    let pages = [
        get(Method::GET, "/bucket/parts").query("uploadId", &upload).query("max-parts", "0"),
        get(Method::GET, "/bucket").query("uploads", "").query("max-uploads", "0"),
        get(Method::GET, "/bucket").query("list-type", "2").query("max-keys", "0"),
    ];
    for page in pages {
        assert_eq!(send(&mut client, page).elements("IsTruncated"), ["false"]);
    }
}

#[test]
fn an_error_says_what_was_wrong() {
    let (_runtime, server, mut client) = start();
    let missing = send(&mut client, Draft::new(Method::GET, "/Bad_Name"));
    assert_eq!(missing.code(), "InvalidBucketName");
    assert!(missing.elements("Message")[0].contains("3 to 63"), "{}", missing.text());
    let owner = server.owner(Place::Schools);
    let mut stranger = Client::new(server.addresses().s3, owner.access_key_id.as_str(), "not the secret");
    let refused = stranger.get("/bucket").unwrap();
    assert_eq!(refused.code(), "SignatureDoesNotMatch");
    assert!(refused.elements("Message")[0].contains("secret key"), "{}", refused.text());
    assert_eq!(refused.elements("RequestId")[0], refused.header("x-amz-request-id").unwrap());
}

#[test]
fn the_parts_of_an_object_are_read_by_their_numbers() {
    let (_runtime, _server, mut client) = start();
    let first = vec![b'1'; 5 << 20];
    client.put_parts("/bucket/parts", &[&first, b"second"]).unwrap();
    client.put("/bucket/whole", "content").unwrap();
    client.put("/bucket/empty", "").unwrap();
    let mut ask = |method: &Method, path: &str, number: &str| {
        let draft = Draft::with_body(method.clone(), path, "").query("partNumber", number);
        send(&mut client, draft)
    };
    for method in [Method::GET, Method::HEAD] {
        let second = ask(&method, "/bucket/parts", "2");
        assert_eq!(
            (second.status, second.header("content-range")),
            (206, Some("bytes 5242880-5242885/5242886"))
        );
        assert_eq!(
            (second.header("content-length"), second.header("x-amz-mp-parts-count")),
            (Some("6"), Some("2"))
        );
        let whole = ask(&method, "/bucket/whole", "1");
        assert_eq!((whole.status, whole.header("x-amz-mp-parts-count")), (206, None));
        assert_eq!(ask(&method, "/bucket/empty", "1").status, 200);
        assert_eq!(ask(&method, "/bucket/parts", "3").status, 416);
        assert_eq!(ask(&method, "/bucket/parts", "0").status, 400);
    }
    assert_eq!(ask(&Method::GET, "/bucket/parts", "2").text(), "second");
    assert_eq!(ask(&Method::GET, "/bucket/parts", "1").body, first);
    assert_eq!(ask(&Method::GET, "/bucket/whole", "2").code(), "InvalidPartNumber");
    assert_eq!(ask(&Method::GET, "/bucket/parts", "one").code(), "InvalidArgument");
    let both = Draft::new(Method::GET, "/bucket/parts").query("partNumber", "1").header("range", "bytes=0-1");
    assert_eq!(send(&mut client, both).code(), "InvalidRequest");
}
