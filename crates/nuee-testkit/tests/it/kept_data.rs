//! Data that earlier releases wrote, kept in `testdata`: this one must read all of it.
//!
//! Each directory there, such as `v1`, holds `platform.tar`, a data directory with its keys (the keys of tests: they open
//! nothing else), and `manifest.tsv`, what must be found. A release whose formats differ adds a directory and leaves the
//! others as they are: `cargo run --release -p nuee-testkit --example write_kept_data crates/nuee-testkit/testdata/v5`.

use std::{collections::HashMap, fs, path::Path, process::Command};

use http::Method;
use nuee_testkit::{
    Answer, Client, Program, Running,
    signer::{Draft, sha256},
};

/// The limit of one directory, so that a repository can hold all of them.
const LARGEST_BYTES: u64 = 1 << 20;

/// The kept data of one release, unpacked and served.
struct Kept {
    program: Program,
    manifest: Vec<Vec<String>>,
}

impl Kept {
    fn unpack(release: &Path) -> Self {
        let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &[]).unwrap();
        let archive = release.join("platform.tar");
        let size = fs::metadata(&archive).unwrap().len();
        assert!(size < LARGEST_BYTES, "{} has {size} bytes", archive.display());
        let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(program.path("")).status();
        assert!(unpacked.unwrap().success());
        let text = fs::read_to_string(release.join("manifest.tsv")).unwrap();
        let manifest = text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        Self { program, manifest }
    }

    /// The lines of one kind, without it.
    fn lines(&self, kind: &str) -> Vec<&[String]> {
        let lines: Vec<_> =
            self.manifest.iter().filter(|line| line[0] == kind).map(|line| &line[1..]).collect();
        assert!(!lines.is_empty(), "the manifest tells no {kind}");
        lines
    }

    fn clients(&self, running: &Running) -> HashMap<&str, Client> {
        let client = |line: &[String]| Client::new(running.address(), &line[1], &line[2]);
        self.lines("account").into_iter().map(|line| (line[0].as_str(), client(line))).collect()
    }

    fn check(&self, running: &Running) {
        let mut clients = self.clients(running);
        for line in self.lines("object") {
            check_object(clients.get_mut(line[0].as_str()).unwrap(), line);
        }
        for line in self.lines("part") {
            let [place, path, id, number, size, etag] = line else { panic!("{line:?}") };
            let listed = Draft::new(Method::GET, path).query("uploadId", id);
            let listed = clients.get_mut(place.as_str()).unwrap().send(listed).unwrap();
            let wanted = [("PartNumber", number), ("Size", size), ("ETag", etag)];
            for (element, value) in wanted {
                assert!(listed.elements(element).contains(value), "{line:?}: {}", listed.text());
            }
        }
        for line in self.lines("absent") {
            assert_eq!(clients.get_mut(line[0].as_str()).unwrap().get(&line[1]).unwrap().code(), "NoSuchKey");
        }
        for line in self.lines("denied") {
            assert_eq!(
                clients.get_mut(line[0].as_str()).unwrap().get(&line[1]).unwrap().code(),
                "AccessDenied"
            );
        }
        for line in self.lines("encryption") {
            let asked = Draft::new(Method::GET, &line[1]).query("encryption", "");
            let answer = clients.get_mut(line[0].as_str()).unwrap().send(asked).unwrap();
            assert_eq!(answer.elements("SSEAlgorithm"), [line[2].as_str()]);
        }
        self.check_same(&mut clients);
        self.check_lists(&mut clients);
        self.check_people(running);
    }

    /// Whoever signed in then signs in now, with the role that they had. The first three releases knew nobody; operators
    /// sign in elsewhere.
    fn check_people(&self, running: &Running) {
        for line in self.manifest.iter().filter(|line| line[0] == "person" && line[1] == "api") {
            let [_, _, email, password, role] = &line[..] else { panic!("{line:?}") };
            let mut client = Client::new(running.address(), "", "");
            let shown = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
            let draft = |method, path| Draft::with_body(method, path, "").set("host", "console.localhost");
            let sign_in =
                Draft::with_body(Method::POST, "/api/v1/sign-ins", shown).set("host", "console.localhost");
            let given = client.send_as_it_is(&sign_in.header("content-type", "application/json")).unwrap();
            assert_eq!(given.status, 201, "{email}: {}", given.text());
            let given: serde_json::Value = serde_json::from_slice(&given.body).unwrap();
            let token = format!("Bearer {}", given["token"].as_str().unwrap());
            let whoami = draft(Method::GET, "/api/v1/sign-ins/current").header("authorization", &token);
            let who = client.send_as_it_is(&whoami).unwrap();
            let who: serde_json::Value = serde_json::from_slice(&who.body).unwrap();
            assert_eq!(who["rights"][0]["role"], role.as_str(), "{who}");
        }
    }

    /// What was answered then is answered now. The first release had none of what is asked for here.
    fn check_same(&self, clients: &mut HashMap<&str, Client>) {
        for line in self.manifest.iter().filter(|line| line[0] == "same") {
            let [_, place, path, query, hash] = &line[..] else { panic!("{line:?}") };
            let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
            let draft =
                pairs.fold(Draft::new(Method::GET, path), |draft, (name, value)| draft.query(name, value));
            let answer = clients.get_mut(place.as_str()).unwrap().send(draft).unwrap();
            assert_eq!(answer.status, 200, "{path}?{query}: {}", answer.text());
            // The second release told of delete markers after all versions.
            let apart = query.starts_with("versions").then(|| markers_apart(&answer));
            let fits = |text: String| sha256(text.as_bytes()) == *hash;
            let is_same = fits(answer.text()) || apart.is_some_and(fits);
            assert!(is_same, "{path}?{query}: {}", answer.text());
        }
    }

    /// What is listed is what the manifest tells, and nothing else.
    fn check_lists(&self, clients: &mut HashMap<&str, Client>) {
        let objects = self.lines("object");
        let bucket_of = |path: &str| path[1..].split_once('/').unwrap().0.to_owned();
        let mut buckets: Vec<_> = objects.iter().map(|line| (line[0].clone(), bucket_of(&line[1]))).collect();
        buckets.sort();
        buckets.dedup();
        for (place, bucket) in buckets {
            let listed = clients.get_mut(place.as_str()).unwrap().list(&format!("/{bucket}")).unwrap();
            let told = objects.iter().filter(|line| bucket_of(&line[1]) == bucket).count();
            assert_eq!(listed.len(), told, "{bucket}: {listed:?}");
        }
    }

    /// An upload that was begun is finished by this release.
    fn finish_upload(&self, running: &Running) {
        let mut clients = self.clients(running);
        let parts = self.lines("part");
        let [place, path, id, number, size, etag] = parts[0] else { panic!("{parts:?}") };
        let document = format!(
            "<CompleteMultipartUpload><Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        let client = clients.get_mut(place.as_str()).unwrap();
        let answer =
            client.send(Draft::with_body(Method::POST, path, document).query("uploadId", id)).unwrap();
        assert_eq!(answer.code(), "", "{}", answer.text());
        assert_eq!(client.get(path).unwrap().body.len().to_string(), *size);
    }
}

/// A listing of versions as it was when delete markers stood apart.
fn markers_apart(answer: &Answer) -> String {
    let mut text = answer.text();
    let mut moved = String::new();
    while let Some(start) = text.find("<DeleteMarker>") {
        let end = start + text[start..].find("</DeleteMarker>").unwrap() + "</DeleteMarker>".len();
        moved.extend(text.drain(start..end));
    }
    text.insert_str(text.find("<IsTruncated>").unwrap(), &moved);
    text
}

fn check_object(client: &mut Client, line: &[String]) {
    let [_, path, size, hash, headers @ ..] = line else { panic!("{line:?}") };
    let asked = Draft::new(Method::GET, path).header("x-amz-checksum-mode", "ENABLED");
    let answer = client.send(asked).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!((answer.body.len().to_string(), sha256(&answer.body)), (size.clone(), hash.clone()), "{path}");
    for header in headers {
        let (name, value) = header.split_once('=').unwrap();
        assert_eq!(answer.header(name), Some(value), "{path}: {name}");
    }
}

#[test]
fn data_of_earlier_releases_is_read_whole() {
    let releases = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")).unwrap();
    let mut count = 0;
    for release in releases {
        let kept = Kept::unpack(&release.unwrap().path());
        let report = kept.program.verify().unwrap();
        assert_eq!((&report["damaged"], &report["orphans"]), (&0.into(), &0.into()), "{report}");
        let running = kept.program.up().unwrap();
        kept.check(&running);
        running.stop().unwrap();
        // And again, after this release wrote into it.
        let running = kept.program.up().unwrap();
        kept.check(&running);
        kept.finish_upload(&running);
        running.stop().unwrap();
        assert_eq!(kept.program.verify().unwrap()["damaged"], 0);
        count += 1;
    }
    assert!(count > 0, "there is no kept data");
}
