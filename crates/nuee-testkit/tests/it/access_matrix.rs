//! Every operation of S3 that is offered, asked for by everybody who may or may not do it: who gets in is written down
//! here, and nothing is changed by who does not.

mod bench;
mod requests;

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, Method, Uri};
use nuee_s3::{Filter, Hosts, Operation};
use nuee_testkit::{Answer, signer::Draft};

pub(crate) use bench::{Asker, Bench};

/// A row is an operation, or a case of one: `changes` says whether what is there is different when it was carried out,
/// and `answer` what comes back then. All are requests about things of one project.
///
/// The columns are those who ask. In that project, the roles owner, maintainer, developer, reader and auditor. Owners of
/// the other project of the organisation (`e`) and of another organisation (`h`). Whoever has a revoked key (`r`), an
/// unknown one (`u`), the owner's with a wrong secret (`w`) or none (`n`). The owner, an hour behind (`b`) or ahead
/// (`f`), by a presigned request that has expired (`x`) or is valid (`p`). Somebody with a temporary key for a role that grants
/// `developer` (`d`), and with that key without its token (`t`). A form is signed in its fields, and is valid for
/// a minute from then on.
///
/// The marks: `y` gets the row's answer. `o` gets it too, for things of its own: it sees and changes nothing of the
/// project's. The others are refused: `-` with `AccessDenied`, `k` with `InvalidAccessKeyId`, `s` with
/// `SignatureDoesNotMatch`, `t` with `RequestTimeTooSkewed`, `i` with `InvalidToken`, `B` with `BucketAlreadyExists`.
const EXPECTED: &str = "
operation                          changes o m d r a  e h  r u w n  b f  x p  d t  answer
ListBuckets                        no      y y y y y  o o  k k s -  t t  - y  y i  200
CreateBucket                       yes     y y - - -  o o  k k s -  t t  - y  - i  200
CreateBucket:taken                 no      y y - - -  B B  k k s -  t t  - y  - i  409 BucketAlreadyOwnedByYou
HeadBucket                         no      y y y y y  - -  k k s -  t t  - y  y i  200
HeadBucket:nowhere                 no      y y y y y  y y  k k s -  t t  - y  y i  404
DeleteBucket                       yes     y y - - -  - -  k k s -  t t  - y  - i  204
ListObjects                        no      y y y y y  - -  k k s -  t t  - y  y i  200
ListObjects:nowhere                no      y y y y y  y y  k k s -  t t  - y  y i  404 NoSuchBucket
ListObjectsV2                      no      y y y y y  - -  k k s -  t t  - y  y i  200
ListMultipartUploads               no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketLocation                  no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketEncryption                no      y y - - y  - -  k k s -  t t  - y  - i  200
PutBucketEncryption                yes     y y - - -  - -  k k s -  t t  - y  - i  200
DeleteBucketEncryption             yes     y y - - -  - -  k k s -  t t  - y  - i  204
GetBucketAcl                       no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketAccelerateConfiguration   no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketCors                      no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketLifecycleConfiguration    no      y y y y y  - -  k k s -  t t  - y  y i  200
PutBucketLifecycleConfiguration    yes     y y - - -  - -  k k s -  t t  - y  - i  200
DeleteBucketLifecycle              yes     y y - - -  - -  k k s -  t t  - y  - i  204
GetBucketLogging                   no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketNotificationConfiguration no      y y y y y  - -  k k s -  t t  - y  y i  200
PutBucketNotificationConfiguration no      y y - - -  - -  k k s -  t t  - y  - i  400 InvalidArgument
GetBucketOwnershipControls         no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketPolicy                    no      y y y y y  - -  k k s -  t t  - y  y i  404 NoSuchBucketPolicy
GetBucketPolicyStatus              no      y y y y y  - -  k k s -  t t  - y  y i  404 NoSuchBucketPolicy
GetBucketReplication               no      y y y y y  - -  k k s -  t t  - y  y i  404 ReplicationConfigurationNotFoundError
GetBucketRequestPayment            no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketTagging                   no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketVersioning                no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketWebsite                   no      y y y y y  - -  k k s -  t t  - y  y i  404 NoSuchWebsiteConfiguration
GetObjectLockConfiguration         no      y y y y y  - -  k k s -  t t  - y  y i  404 ObjectLockConfigurationNotFoundError
GetPublicAccessBlock               no      y y y y y  - -  k k s -  t t  - y  y i  200
ListObjectVersions                 no      y y y y y  - -  k k s -  t t  - y  y i  200
PutBucketVersioning                yes     y y - - -  - -  k k s -  t t  - y  - i  200
PutObjectLockConfiguration         yes     y y - - -  - -  k k s -  t t  - y  - i  200
PutObjectLockConfiguration:none    no      y y - - -  - -  k k s -  t t  - y  - i  409 InvalidBucketState
PutBucketTagging                   yes     y y - - -  - -  k k s -  t t  - y  - i  200
DeleteBucketTagging                yes     y y - - -  - -  k k s -  t t  - y  - i  204
PutBucketAcl                       no      y y - - -  - -  k k s -  t t  - y  - i  200
PutBucketAcl:public                no      y y - - -  - -  k k s -  t t  - y  - i  400 AccessControlListNotSupported
PutBucketCors                      yes     y y - - -  - -  k k s -  t t  - y  - i  200
DeleteBucketCors                   yes     y y - - -  - -  k k s -  t t  - y  - i  204
GetBucketPolicy:set                no      y y y y y  - -  k k s -  t t  - y  y i  200
GetBucketPolicyStatus:set          no      y y y y y  - -  k k s -  t t  - y  y i  200
PutBucketPolicy                    yes     y y - - -  - -  k k s -  t t  - y  - i  204
PutBucketPolicy:public             no      y y - - -  - -  k k s -  t t  - y  - i  403 AccessDenied
PutBucketPolicy:malformed          no      y y - - -  - -  k k s -  t t  - y  - i  400 MalformedPolicy
DeleteBucketPolicy                 yes     y y - - -  - -  k k s -  t t  - y  - i  204
PutPublicAccessBlock               yes     y y - - -  - -  k k s -  t t  - y  - i  200
DeletePublicAccessBlock            yes     y y - - -  - -  k k s -  t t  - y  - i  204
PutBucketOwnershipControls         no      y y - - -  - -  k k s -  t t  - y  - i  200
DeleteBucketOwnershipControls      no      y y - - -  - -  k k s -  t t  - y  - i  404 OwnershipControlsNotFoundError
GetObject                          no      y y y y -  - -  k k s -  t t  - y  y i  200
GetObject:absent                   no      y y y y -  - -  k k s -  t t  - y  y i  404 NoSuchKey
HeadObject                         no      y y y y -  - -  k k s -  t t  - y  y i  200
HeadObject:absent                  no      y y y y -  - -  k k s -  t t  - y  y i  404
GetObjectAcl                       no      y y y y -  - -  k k s -  t t  - y  y i  200
GetObjectTagging                   no      y y y y -  - -  k k s -  t t  - y  y i  200
GetObject:version                  no      y y y y -  - -  k k s -  t t  - y  y i  200
HeadObject:version                 no      y y y y -  - -  k k s -  t t  - y  y i  200
GetObjectAttributes                no      y y y y -  - -  k k s -  t t  - y  y i  200
GetObjectTagging:version           no      y y y y -  - -  k k s -  t t  - y  y i  200
PutObjectTagging                   yes     y y y - -  - -  k k s -  t t  - y  y i  200
PutObjectTagging:version           yes     y y y - -  - -  k k s -  t t  - y  y i  200
DeleteObjectTagging                yes     y y y - -  - -  k k s -  t t  - y  y i  204
PutObjectAcl                       no      y y y - -  - -  k k s -  t t  - y  y i  200
GetObjectRetention                 no      y y y y y  - -  k k s -  t t  - y  y i  200
GetObjectLegalHold                 no      y y y y y  - -  k k s -  t t  - y  y i  404 NoSuchObjectLockConfiguration
PutObjectRetention                 yes     y y y - -  - -  k k s -  t t  - y  y i  200
PutObjectRetention:shorter         no      y y y - -  - -  k k s -  t t  - y  y i  403 AccessDenied
PutObjectRetention:bypass          yes     y - - - -  - -  k k s -  t t  - y  - i  200
PutObjectLegalHold                 yes     y y - - -  - -  k k s -  t t  - y  - i  200
PutObject:retained                 yes     y y y - -  - -  k k s -  t t  - y  y i  200
PutObject:held                     yes     y y - - -  - -  k k s -  t t  - y  - i  200
PutObject:tagged                   yes     y y y - -  - -  k k s -  t t  - y  y i  200
PutObject                          yes     y y y - -  - -  k k s -  t t  - y  y i  200
PutObject:replace                  yes     y y y - -  - -  k k s -  t t  - y  y i  200
PostObject                         yes     y y y - -  - -  k k s -  - y  - y  y i  204
CopyObject                         yes     y y y - -  - -  k k s -  t t  - y  y i  200
CopyObject:out                     no      - - - - -  - -  k k s -  t t  - -  - i  403
DeleteObject                       yes     y y y - -  - -  k k s -  t t  - y  y i  204
DeleteObject:absent                no      y y y - -  - -  k k s -  t t  - y  y i  204
DeleteObject:marker                yes     y y y - -  - -  k k s -  t t  - y  y i  204
DeleteObject:version               yes     y y y - -  - -  k k s -  t t  - y  y i  204
DeleteObject:locked                no      y y y - -  - -  k k s -  t t  - y  y i  403 AccessDenied
DeleteObject:bypass                yes     y - - - -  - -  k k s -  t t  - y  - i  204
DeleteObjects:version              yes     y y y - -  - -  k k s -  t t  - y  y i  200
DeleteObjects                      yes     y y y - -  - -  k k s -  t t  - y  y i  200
CreateMultipartUpload              yes     y y y - -  - -  k k s -  t t  - y  y i  200
UploadPart                         yes     y y y - -  - -  k k s -  t t  - y  y i  200
UploadPart:stolen                  no      - - - - -  y -  k k s -  t t  - -  - i  404 NoSuchUpload
UploadPartCopy                     yes     y y y - -  - -  k k s -  t t  - y  y i  200
UploadPartCopy:out                 no      - - - - -  - -  k k s -  t t  - -  - i  403
ListParts                          no      y y y y y  - -  k k s -  t t  - y  y i  200
ListParts:stolen                   no      - - - - -  y -  k k s -  t t  - -  - i  404 NoSuchUpload
CompleteMultipartUpload            yes     y y y - -  - -  k k s -  t t  - y  y i  200
CompleteMultipartUpload:stolen     no      - - - - -  y -  k k s -  t t  - -  - i  404 NoSuchUpload
AbortMultipartUpload               yes     y y y - -  - -  k k s -  t t  - y  y i  204
AbortMultipartUpload:stolen        no      - - - - -  y -  k k s -  t t  - -  - i  404 NoSuchUpload
";

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) changes: bool,
    marks: Vec<&'static str>,
    status: u16,
    code: &'static str,
}

/// The rows of the table.
pub(crate) fn rows() -> Vec<Row> {
    EXPECTED.trim().lines().skip(1).map(Row::parse).collect()
}

impl Row {
    fn parse(line: &'static str) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let (marks, answer) = words[2..].split_at(17);
        Self {
            name: words[0],
            changes: words[1] == "yes",
            marks: marks.to_vec(),
            status: answer[0].parse().unwrap(),
            code: answer.get(1).copied().unwrap_or_default(),
        }
    }

    fn operation(&self) -> &str {
        self.name.split_once(':').map_or(self.name, |(operation, _)| operation)
    }

    /// Everybody who asks, with what is expected.
    pub(crate) fn cells(&self, bench: &Bench) -> Vec<(Asker, &'static str)> {
        assert_eq!(bench.askers.len(), self.marks.len());
        bench.askers.iter().cloned().zip(self.marks.iter().copied()).collect()
    }

    pub(crate) fn answer(&self, mark: &str) -> (u16, &'static str) {
        match mark {
            "y" | "o" => (self.status, self.code),
            "-" => (403, "AccessDenied"),
            "k" => (403, "InvalidAccessKeyId"),
            "s" => (403, "SignatureDoesNotMatch"),
            "t" => (403, "RequestTimeTooSkewed"),
            "i" => (403, "InvalidToken"),
            "B" => (409, "BucketAlreadyExists"),
            other => panic!("{}: no mark {other:?}", self.name),
        }
    }

    /// Whether what is there is different once somebody with this mark has asked.
    pub(crate) fn takes_effect(&self, mark: &str) -> bool {
        self.changes && matches!(mark, "y" | "o")
    }

    /// What is wrong with an answer, if anything is.
    fn judge(&self, mark: &str, method: &Method, answer: &Answer) -> Option<String> {
        let (status, code) = self.answer(mark);
        // An answer to HEAD has no body, and so no code.
        let fits = answer.status == status && (*method == Method::HEAD || answer.code() == code);
        let shows = mark == "o" && answer.text().contains("schools");
        (!fits || shows)
            .then(|| format!("expected {status} {code}, found {}: {}", answer.status, answer.text()))
    }
}

#[test]
fn every_operation_has_a_row() {
    let rows = rows();
    let offered: BTreeSet<_> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    let tried: BTreeSet<_> = rows.iter().map(Row::operation).collect();
    let differences: Vec<_> = offered.symmetric_difference(&tried).collect();
    assert!(differences.is_empty(), "offered without a row, or the other way round: {differences:?}");
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "a row is there twice");
}

/// The server takes the request for the operation that its row is about.
#[test]
fn every_row_asks_for_its_operation() {
    let bench = Bench::start();
    let filter = Filter::new(Hosts::new([]).unwrap());
    for row in rows() {
        for (asker, _) in row.cells(&bench) {
            let draft = asker.sign(bench.request(row.name));
            let admitted = filter.check(&draft.method, &uri(&draft), &headers(&draft)).unwrap();
            assert_eq!(admitted.operation.as_str(), row.operation(), "{}, {}", row.name, asker.name);
        }
    }
}

fn uri(draft: &Draft) -> Uri {
    draft.target().parse().unwrap()
}

fn headers(draft: &Draft) -> HeaderMap {
    let header =
        |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    draft.headers.iter().map(header).collect()
}

#[test]
fn everybody_gets_in_where_the_table_says_so_and_nowhere_else() {
    let mut bench = Bench::start();
    let mut before = bench.all_that_is_there();
    let mut wrong = Vec::new();
    for row in rows() {
        for (asker, mark) in row.cells(&bench) {
            let draft = bench.request(row.name);
            let method = draft.method.clone();
            let answer = bench.ask(&asker, draft);
            let after = bench.all_that_is_there();
            let complaint = row.judge(mark, &method, &answer);
            wrong.extend(complaint.map(|complaint| format!("{}, {}: {complaint}", row.name, asker.name)));
            let changed = [0, 1, 2].map(|place| before[place] != after[place]);
            let fits = match (row.takes_effect(mark), mark) {
                (false, _) => changed == [false; 3],
                (true, "o") => !changed[0] && changed.contains(&true),
                (true, _) => changed == [true, false, false],
            };
            if !fits {
                wrong.push(format!("{}, {}: changed is {changed:?}", row.name, asker.name));
            }
            before = after;
            if changed.contains(&true) {
                bench.renew();
                before = bench.all_that_is_there();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
