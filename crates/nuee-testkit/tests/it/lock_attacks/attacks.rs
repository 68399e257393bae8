//! What is tried, how that is answered, and how it is tried.

use http::Method;
use nuee_testkit::signer::Draft;

use super::bench::{Attacker, UNTIL, bypass};

/// In words; status and code of each answer, as whoever may do most is given them; and the requests.
pub(super) type Attack = (&'static str, &'static str, fn(&mut Attacker<'_>));

const DENIED: &str = "403 AccessDenied";

/// On the version, however it is held.
pub(super) const DELETIONS: &[Attack] = &[
    ("delete it by its id", DENIED, |a| a.tries(a.delete())),
    ("delete it with the bypass header", DENIED, |a| a.tries(bypass(a.delete()))),
    ("delete it with another bypass header", DENIED, |a| {
        a.tries(a.delete().header("x-amz-bypass-governance-retention", "True"));
    }),
    ("delete it if it is there", DENIED, |a| a.tries(a.delete().header("if-match", "*"))),
    ("delete it among others", "200 AccessDenied", |a| a.tries(a.delete_all(ONE))),
    ("delete it among others, with the bypass header", "200 AccessDenied", |a| {
        a.tries(bypass(a.delete_all(ONE)));
    }),
    ("delete it twice in one request", "200 AccessDenied", |a| {
        a.tries(bypass(a.delete_all(&[ONE, ONE].concat())));
    }),
    ("delete it, and say nothing of it", "200 AccessDenied", |a| {
        a.tries(a.delete_all(&format!("<Quiet>true</Quiet>{ONE}")));
    }),
    ("delete the key and it in one request", "200 AccessDenied", |a| {
        a.tries(a.delete_all(&format!("<Object><Key>KEY</Key></Object>{ONE}")));
    }),
    ("delete the null version", "204", |a| {
        a.tries(Draft::new(Method::DELETE, &a.path).query("versionId", "null"));
    }),
    ("delete it by an id in capitals", "400 InvalidArgument", |a| {
        a.tries(Draft::new(Method::DELETE, &a.path).query("versionId", &a.version.to_uppercase()));
    }),
    ("delete it by two ids", "400 InvalidArgument", |a| a.tries(a.by_id(a.delete()))),
    ("delete it by a presigned request", DENIED, |a| a.tries_signed(&a.presign(a.delete()))),
    ("delete it by a presigned request with the bypass header", DENIED, |a| {
        a.tries_signed(&a.presign(a.delete().query("x-amz-bypass-governance-retention", "true")));
    }),
    ("delete the key, it, and the key's marker", "204, 403 AccessDenied, 204", |a| {
        let marker = a.ask(Draft::new(Method::DELETE, &a.path));
        a.tries(bypass(a.delete()));
        let marker = marker.header("x-amz-version-id").unwrap().to_owned();
        a.tries(Draft::new(Method::DELETE, &a.path).query("versionId", &marker));
    }),
    ("delete the key twice, and it", "204, 204, 403 AccessDenied", |a| {
        a.tries(Draft::new(Method::DELETE, &a.path));
        a.tries(Draft::new(Method::DELETE, &a.path));
        a.tries(a.delete());
    }),
];

const ONE: &str = "<Object><Key>KEY</Key><VersionId>VERSION</VersionId></Object>";

/// On its retention, by who may retain for longer.
pub(super) const OF_RETENTION: &[Attack] = &[
    ("end its retention", DENIED, |a| a.tries(a.retention(""))),
    ("end its retention with the bypass header", DENIED, |a| a.tries(bypass(a.retention("")))),
    ("end its retention by a document without a root", "400 MalformedXML", |a| {
        a.tries(a.by_id(a.of_key("", "retention")));
    }),
    ("delete its retention", "501 NotImplemented", |a| a.tries(a.delete().query("retention", ""))),
    ("end it a second earlier", DENIED, |a| a.tries(a.until("2099-12-31T23:59:59Z"))),
    ("end it a microsecond earlier", DENIED, |a| a.tries(a.until("2099-12-31T23:59:59.999999Z"))),
    ("end it earlier with the bypass header", DENIED, |a| {
        a.tries(bypass(a.until("2099-12-31T23:59:59Z")));
    }),
    ("end it earlier by the zone of a date", DENIED, |a| a.tries(a.until("2100-01-01T00:00:00+02:00"))),
    ("end it at the same instant in another zone", "200", |a| {
        a.tries(a.until("2099-12-31T23:00:00-01:00"));
    }),
    ("end it in the past", "400 InvalidArgument", |a| a.tries(a.until("2001-01-01T00:00:00Z"))),
    ("end it on a day", "400 MalformedXML", |a| a.tries(a.until("2099-01-01"))),
    ("end it in a leap second", DENIED, |a| a.tries(a.until("2099-12-31T23:59:60Z"))),
    ("end it in the year 12099", "400 MalformedXML", |a| a.tries(a.until("12099-01-01T00:00:00Z"))),
    ("end it at a number of seconds", "400 MalformedXML", |a| a.tries(a.until("4102444800"))),
    ("end it at no date", "400 MalformedXML", |a| a.tries(a.until("never"))),
    ("end it at an empty date", "400 MalformedXML", |a| a.tries(a.until(""))),
    ("keep its mode without a date", "400 MalformedXML", |a| {
        a.tries(a.retention(&format!("<Mode>{}</Mode>", a.mode())));
    }),
    ("keep its date without a mode", "400 MalformedXML", |a| {
        a.tries(a.retention(&format!("<RetainUntilDate>{UNTIL}</RetainUntilDate>")));
    }),
    ("give it a mode in small letters", "400 MalformedXML", |a| a.tries(a.retained("governance", UNTIL))),
    ("give it no mode that there is", "400 MalformedXML", |a| a.tries(a.retained("NONE", UNTIL))),
    ("end the retention of what the key names", DENIED, |a| {
        a.tries(bypass(a.of_key("<Retention></Retention>", "retention")));
    }),
    ("shorten the retention of what the key names", DENIED, |a| {
        let (mode, until) = (a.mode(), "2050-01-01T00:00:00Z");
        let body = format!("<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate>");
        a.tries(a.of_key(&format!("<Retention>{body}</Retention>"), "retention"));
    }),
];

/// On the COMPLIANCE mode, by the owner, who could do this in the other.
pub(super) const OF_COMPLIANCE: &[Attack] = &[
    ("make it GOVERNANCE", DENIED, |a| a.tries(a.retained("GOVERNANCE", UNTIL))),
    ("make it GOVERNANCE for longer", DENIED, |a| {
        a.tries(a.retained("GOVERNANCE", "2200-01-01T00:00:00Z"));
    }),
    ("make it GOVERNANCE with the bypass header, and delete it", "403 AccessDenied, 403 AccessDenied", |a| {
        a.tries(bypass(a.retained("GOVERNANCE", UNTIL)));
        a.tries(bypass(a.delete()));
    }),
    ("hold it, end that, and delete it", "200, 200, 403 AccessDenied", |a| {
        a.tries(a.hold("ON"));
        a.tries(a.hold("OFF"));
        a.tries(bypass(a.delete()));
    }),
];

/// On its legal hold, by who may not end it.
pub(super) const OF_LEGAL_HOLD: &[Attack] = &[
    ("end its legal hold", DENIED, |a| a.tries(a.hold("OFF"))),
    ("end its legal hold in small letters", DENIED, |a| a.tries(a.hold("off"))),
    ("end its legal hold without a status", DENIED, |a| a.tries(a.hold(""))),
    ("end the legal hold of what the key names, and delete it", "403 AccessDenied, 403 AccessDenied", |a| {
        a.tries(a.of_key("<LegalHold><Status>OFF</Status></LegalHold>", "legal-hold"));
        a.tries(a.delete());
    }),
    ("end a retention that it does not have, and delete it", "403 AccessDenied, 403 AccessDenied", |a| {
        a.tries(bypass(a.retention("")));
        a.tries(bypass(a.delete()));
    }),
];

/// By what takes the place of what the key names.
pub(super) const OVERWRITES: &[Attack] = &[
    ("overwrite it", "200", |a| a.tries(Draft::put(&a.path, "other"))),
    ("overwrite it, and delete both", "200, 204, 403 AccessDenied", |a| {
        let written = a.ask(Draft::put(&a.path, "other"));
        let written = written.header("x-amz-version-id").unwrap().to_owned();
        a.tries(Draft::new(Method::DELETE, &a.path).query("versionId", &written));
        a.tries(bypass(a.delete()));
    }),
    ("overwrite it by its id", "501 NotImplemented", |a| a.tries(a.by_id(Draft::put(&a.path, "other")))),
    ("overwrite it with a retention that ends soon, and delete it", "200, 403 AccessDenied", |a| {
        let until = "2050-01-01T00:00:00Z";
        let put = Draft::put(&a.path, "other").header("x-amz-object-lock-mode", "GOVERNANCE");
        a.tries(put.header("x-amz-object-lock-retain-until-date", until));
        a.tries(bypass(a.delete()));
    }),
    ("overwrite it with a retention that has ended", "400 InvalidArgument", |a| {
        let put = Draft::put(&a.path, "other").header("x-amz-object-lock-mode", "GOVERNANCE");
        a.tries(put.header("x-amz-object-lock-retain-until-date", "2001-01-01T00:00:00Z"));
    }),
    ("copy it onto itself with other metadata", "200", |a| {
        a.tries(a.copy().header("x-amz-metadata-directive", "REPLACE"));
    }),
    ("copy it onto itself with other tags", "200", |a| {
        a.tries(a.copy().header("x-amz-tagging-directive", "REPLACE"));
    }),
    ("copy it onto itself as it is, and delete it", "200, 403 AccessDenied", |a| {
        a.tries(a.copy());
        a.tries(bypass(a.delete()));
    }),
    ("move it away", "200, 403 AccessDenied", |a| {
        let source = a.copy().value("x-amz-copy-source");
        a.tries(Draft::put("/open/moved", "").header("x-amz-copy-source", &source));
        a.tries(bypass(a.delete()));
    }),
    ("overwrite it with parts, and delete it", "200, 200, 200, 403 AccessDenied", |a| {
        let begun = a.ask(Draft::with_body(Method::POST, &a.path, "").query("uploads", ""));
        let id = begun.elements("UploadId").remove(0);
        let part = Draft::put(&a.path, "other").query("partNumber", "1").query("uploadId", &id);
        let tag = a.ask(part).header("etag").unwrap().to_owned();
        let part = format!("<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>");
        let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
        a.tries(Draft::with_body(Method::POST, &a.path, document).query("uploadId", &id));
        a.tries(bypass(a.delete()));
    }),
];

const NO_RULE: &str =
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const DISABLED: &str =
    "<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>";
const A_DAY: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
     <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
const EXPIRES: &str = "<LifecycleConfiguration><Rule><ID>a</ID><Filter></Filter><Status>Enabled</Status>\
                       <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>\
                       <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";

fn versioning(status: &str) -> Draft {
    let document = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    Attacker::of_bucket(&document, "versioning")
}

/// By what the bucket is set to.
pub(super) const OF_BUCKET: &[Attack] = &[
    ("suspend versions", "409 InvalidBucketState", |a| a.tries(versioning("Suspended"))),
    ("disable versions", "400 MalformedXML", |a| a.tries(versioning("Disabled"))),
    ("suspend versions, overwrite it, and delete it", "409 InvalidBucketState, 200, 403 AccessDenied", |a| {
        a.tries(versioning("Suspended"));
        a.tries(Draft::put(&a.path, "other"));
        a.tries(bypass(a.delete()));
    }),
    ("delete the bucket", "409 BucketNotEmpty", |a| a.tries(Draft::new(Method::DELETE, "/vault"))),
    ("make the bucket anew", "409 BucketAlreadyOwnedByYou", |a| a.tries(Draft::put("/vault", ""))),
    ("disable locks", "400 MalformedXML", |a| a.tries(Attacker::of_bucket(DISABLED, "object-lock"))),
    ("delete the configuration of locks", "501 NotImplemented", |a| {
        a.tries(Draft::new(Method::DELETE, "/vault").query("object-lock", ""));
    }),
    ("retain nothing by default, and delete it", "200, 403 AccessDenied", |a| {
        a.tries(Attacker::of_bucket(NO_RULE, "object-lock"));
        a.tries(bypass(a.delete()));
    }),
    ("retain for a day by default, and delete it", "200, 403 AccessDenied, 200", |a| {
        a.tries(Attacker::of_bucket(A_DAY, "object-lock"));
        a.tries(bypass(a.delete()));
        a.tries(Attacker::of_bucket(NO_RULE, "object-lock"));
    }),
    ("let it expire, and wait", "200, 200, 204", |a| {
        a.tries(Attacker::of_bucket(EXPIRES, "lifecycle"));
        a.tries(Draft::put(&a.path, "other"));
        a.expire();
        a.tries(Draft::new(Method::DELETE, "/vault").query("lifecycle", ""));
    }),
];

/// By others than who may do most, and from the side of the server.
pub(super) const OF_OTHERS: &[Attack] = &[
    ("have the maintainer delete it", DENIED, |a| a.tries_as("maintainer", bypass(a.delete()))),
    ("have the developer delete it", DENIED, |a| a.tries_as("developer", bypass(a.delete()))),
    ("have the reader delete it", DENIED, |a| a.tries_as("reader", a.delete())),
    ("have the auditor delete it", DENIED, |a| a.tries_as("auditor", a.delete())),
    ("have another project delete it", DENIED, |a| a.tries_as("another project", bypass(a.delete()))),
    ("have another organisation delete it", DENIED, |a| a.tries_as("another", bypass(a.delete()))),
    ("have nobody delete it", DENIED, |a| a.tries_as("nobody", bypass(a.delete()))),
    ("have the maintainer end its retention", DENIED, |a| {
        a.tries_as("maintainer", bypass(a.retention("")));
    }),
    ("have another project end its retention", DENIED, |a| {
        a.tries_as("another project", bypass(a.retention("")));
    }),
    ("have another organisation end its legal hold", DENIED, |a| a.tries_as("another", a.hold("OFF"))),
    ("have nobody end its legal hold", DENIED, |a| a.tries_as("nobody", a.hold("OFF"))),
    ("have the operator rotate keys", DENIED, |a| {
        a.rotate_keys();
        a.tries(bypass(a.delete()));
    }),
    ("have the operator start the server again", DENIED, |a| {
        a.restart();
        a.tries(bypass(a.delete()));
    }),
];
