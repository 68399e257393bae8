//! Damage on the disk, as clients meet it: bytes that are not what was stored never end a clean answer. What is damaged
//! is refused before the first byte, or cut short; everything else is served, and verification finds the damage.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::ErrorKind,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use http::Method;
use nuee_testkit::{Client, Program, Running, Wire, signer::Draft};

/// In a segment, in two chunks.
const SMALL: u64 = 100_000;
/// In a file, and sent in several steps.
const LARGE: u64 = 3 << 20;
/// The sizes of parts, each in a file.
const PARTS: [u64; 2] = [5 << 20, 300_000];

/// The sealed format: header, then chunks, each with a tag.
const HEADER: u64 = 76;
const CHUNK: u64 = 64 << 10;
const TAG: u64 = 16;
/// A record of a segment has its length at this place before its blob.
const LENGTH_BEFORE: usize = 32;

fn sealed(plain: u64) -> u64 {
    HEADER + plain + plain.div_ceil(CHUNK) * TAG
}

/// A sealed blob.
#[derive(Debug, Clone)]
struct Blob {
    file: PathBuf,
    /// Where in its file it begins.
    start: u64,
    object: &'static str,
    /// Its plain bytes, by their places in the object.
    range: Range<u64>,
}

/// What is done to a blob. Places are those of sealed bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(u64),
    Cut(u64),
    Remove,
    Swap(Blob),
}

impl Blob {
    /// The plain bytes, by their places in the object, that need the sealed one at `at`.
    fn plain(&self, at: u64) -> Range<u64> {
        let Some(body) = at.checked_sub(HEADER) else { return self.range.clone() };
        let begin = self.range.start + body / (CHUNK + TAG) * CHUNK;
        begin..self.range.end.min(begin + CHUNK)
    }

    /// Bits at which everything depends on them, and one of the first, a middle and the last chunk, and of the last tag.
    fn flips(&self) -> Vec<Damage> {
        let end = sealed(self.range.end - self.range.start);
        [0, 20, 60, HEADER, end / 2, end - TAG - 1, end - 1].map(Damage::Flip).into()
    }

    fn damage(&self, damage: &Damage, aside: &Path) {
        match damage {
            Damage::Flip(at) => {
                let file = File::options().read(true).write(true).open(&self.file).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, self.start + at).unwrap();
                file.write_all_at(&[byte[0] ^ 1], self.start + at).unwrap();
            }
            Damage::Cut(length) => {
                fs::copy(&self.file, aside).unwrap();
                File::options().write(true).open(&self.file).unwrap().set_len(*length).unwrap();
            }
            Damage::Remove => fs::rename(&self.file, aside).unwrap(),
            Damage::Swap(other) => {
                let (one, two) = (&*self.file, &*other.file);
                for (from, to) in [(one, aside), (two, one), (aside, two)] {
                    fs::rename(from, to).unwrap();
                }
            }
        }
    }

    fn mend(&self, damage: &Damage, aside: &Path) {
        match damage {
            Damage::Cut(_) | Damage::Remove => fs::rename(aside, &self.file).unwrap(),
            again => self.damage(again, aside),
        }
    }

    /// What cannot be had of which object.
    fn lost(&self, damage: &Damage) -> BTreeMap<&'static str, Range<u64>> {
        match damage {
            Damage::Flip(at) => [(self.object, self.plain(*at))].into(),
            Damage::Cut(length) => [(self.object, self.plain(*length).start..self.range.end)].into(),
            Damage::Remove => [(self.object, self.range.clone())].into(),
            Damage::Swap(other) => {
                [(self.object, self.range.clone()), (other.object, other.range.clone())].into()
            }
        }
    }
}

struct Bench {
    program: Program,
    running: Option<Running>,
    key: (String, String),
    contents: BTreeMap<&'static str, Vec<u8>>,
    blobs: Vec<Blob>,
    /// How many answers were errors, and how many were cut short.
    refused: usize,
    cut: usize,
}

fn content(size: u64, seed: u8) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 ^ (at >> 16) as u8 ^ seed).collect()
}

fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { [path].into() }).collect()
}

/// What is lost at its edges, what lies before and behind it, and a byte on each side of its beginning.
fn around(lost: &Range<u64>, size: u64) -> Vec<Range<u64>> {
    let (first, last) = (lost.start..lost.start + 1, lost.end - 1..lost.end);
    let across = lost.start.saturating_sub(1)..lost.start + 1;
    vec![first, last, 0..lost.start, lost.end..size, across]
}

impl Bench {
    fn start() -> Self {
        let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &[]).unwrap();
        let running = program.up().unwrap();
        let (id, secret) = running.key().unwrap();
        let key = (id.to_owned(), secret.to_owned());
        let (contents, blobs) = (BTreeMap::new(), Vec::new());
        let mut bench = Self { program, running: Some(running), key, contents, blobs, refused: 0, cut: 0 };
        assert_eq!(bench.client().put("/bucket", "").unwrap().status, 200);
        for (name, size, seed) in [("small", SMALL, 1), ("beside", SMALL - 1, 2)] {
            bench.put(name, &[content(size, seed)]);
            let (file, start) = bench.in_a_segment(sealed(size));
            bench.blobs.push(Blob { file, start, object: name, range: 0..size });
        }
        for (name, seed) in [("large", 3), ("twin", 4)] {
            bench.put(name, &[content(LARGE, seed)]);
        }
        bench.put("parts", &[content(PARTS[0], 5), content(PARTS[1], 6)]);
        bench
    }

    /// Stores an object, in parts if there are several, and finds the files that it brought.
    fn put(&mut self, name: &'static str, pieces: &[Vec<u8>]) {
        let (path, place) = (format!("/bucket/{name}"), self.program.data().join("site/files"));
        let before = files(&place);
        let answer = match pieces {
            [all] => self.client().put(&path, all.clone()),
            _ => self.client().put_parts(&path, &pieces.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        };
        assert_eq!(answer.unwrap().status, 200);
        let mut brought: Vec<_> = files(&place).difference(&before).cloned().collect();
        let mut start = 0;
        for piece in pieces.iter().map(|piece| piece.len() as u64) {
            let fits = |file: &PathBuf| fs::metadata(file).unwrap().len() == sealed(piece);
            if let Some(at) = brought.iter().position(fits) {
                let (file, range) = (brought.swap_remove(at), start..start + piece);
                self.blobs.push(Blob { file, start: 0, object: name, range });
            }
            start += piece;
        }
        assert!(brought.is_empty(), "{brought:?}");
        self.contents.insert(name, pieces.concat());
    }

    /// Where in which segment the blob of this length lies.
    fn in_a_segment(&self, length: u64) -> (PathBuf, u64) {
        for file in files(&self.program.data().join("site/segments")) {
            let bytes = fs::read(&file).unwrap();
            let is_it = |at: &usize| {
                bytes[*at..].starts_with(b"nueeblob")
                    && bytes[at - LENGTH_BEFORE..].starts_with(&(length as u32).to_le_bytes())
            };
            if let Some(at) = (LENGTH_BEFORE..bytes.len()).find(is_it) {
                return (file, at as u64);
            }
        }
        panic!("no segment has a blob of {length} bytes")
    }

    fn client(&self) -> Client {
        Client::new(self.running.as_ref().unwrap().address(), &self.key.0, &self.key.1)
    }

    /// Every kind of damage, each with the blob that it is done to.
    fn damages(&self) -> Vec<(Blob, Damage)> {
        let [small, _, large, twin, first, last] = &self.blobs[..] else { panic!("{:?}", self.blobs) };
        let mut damages = Vec::new();
        for blob in [small, large, first, last] {
            damages.extend(blob.flips().into_iter().map(|damage| (blob.clone(), damage)));
        }
        let end = sealed(LARGE);
        for length in [0, HEADER - 1, HEADER + CHUNK, end / 2, end - TAG, end - 1] {
            damages.push((large.clone(), Damage::Cut(length)));
        }
        damages.push((last.clone(), Damage::Cut(1_000)));
        damages.extend([large, first, last].map(|blob| (blob.clone(), Damage::Remove)));
        damages.extend([twin, first].map(|other| (large.clone(), Damage::Swap(other.clone()))));
        damages
    }

    /// Gets a range of an object. It is what was stored, unless some of it is lost: then the answer is an error, or it is
    /// cut before that.
    fn get(&mut self, name: &str, range: &Range<u64>, lost: Option<&Range<u64>>, moment: &str) {
        let whole = &self.contents[name];
        let wanted = &whole[range.start as usize..range.end as usize];
        let mut draft = Draft::new(Method::GET, &format!("/bucket/{name}"));
        let mut status = 200;
        if wanted.len() < whole.len() {
            draft = draft.header("range", &format!("bytes={}-{}", range.start, range.end - 1));
            status = 206;
        }
        let client = self.client();
        let mut wire = Wire::open(self.running.as_ref().unwrap().address()).unwrap();
        wire.write(&client.signer().header(draft).to_bytes()).unwrap();
        let is_lost = lost.is_some_and(|lost| lost.start < range.end && range.start < lost.end);
        let (answer, is_whole) = match wire.read_what_comes() {
            // A step that fails at once may cut the connection before even the head is sent.
            Err(error) if is_lost && error.kind() == ErrorKind::UnexpectedEof => {
                self.cut += 1;
                return;
            }
            read => read.unwrap(),
        };
        let moment = format!("{moment}: {name} {range:?}: {}, {} bytes", answer.status, answer.body.len());
        let Some(lost) = lost.filter(|lost| lost.start < range.end && range.start < lost.end) else {
            assert!(is_whole && answer.status == status && answer.body == wanted, "{moment}: it is not lost");
            return;
        };
        if answer.status == 500 {
            assert!(is_whole && answer.code() == "InternalError", "{moment}: {}", answer.text());
            self.refused += 1;
            return;
        }
        assert!(!is_whole && answer.status == status, "{moment}: a clean answer");
        assert_eq!(answer.header("content-length"), Some(&*wanted.len().to_string()), "{moment}");
        let most = lost.start.saturating_sub(range.start) as usize;
        assert!(answer.body.len() <= most && wanted.starts_with(&answer.body), "{moment}: wrong bytes");
        self.cut += 1;
    }

    /// Everything is as it was, but for what is lost.
    fn check(&mut self, lost: &BTreeMap<&str, Range<u64>>, moment: &str) {
        let sizes: Vec<_> =
            self.contents.iter().map(|(name, content)| (*name, content.len() as u64)).collect();
        for (name, size) in &sizes {
            let lost = lost.get(name);
            let mut ranges = lost.map_or_else(Vec::new, |lost| around(lost, *size));
            ranges.push(0..*size);
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                self.get(name, range, lost, moment);
            }
            let head = Draft::new(Method::HEAD, &format!("/bucket/{name}"));
            let head = self.client().send(head).unwrap();
            let length = size.to_string();
            assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)), "{moment}");
        }
        let names: Vec<_> = self.contents.keys().copied().collect();
        assert_eq!(self.client().list("/bucket").unwrap(), names, "{moment}");
        let report = self.program.verify().unwrap();
        let damaged = report["damaged"].as_u64().unwrap();
        assert!(damaged >= lost.len() as u64, "{moment}: verification does not see it: {report}");
        assert_eq!(damaged > 0, !lost.is_empty(), "{moment}: {report}");
    }

    fn stop(&mut self) {
        self.running.take().unwrap().stop().unwrap();
    }

    fn up(&mut self) {
        self.running = Some(self.program.up().unwrap());
    }

    /// Does every damage in turn, and mends it: to a server that runs, or while none does.
    fn suffer(&mut self, stopped: bool) {
        let aside = self.program.path("aside");
        self.check(&BTreeMap::new(), "sound");
        for (blob, damage) in self.damages() {
            if stopped {
                self.stop();
            }
            blob.damage(&damage, &aside);
            if stopped {
                self.up();
            }
            self.check(&blob.lost(&damage), &format!("{} {:?}, {damage:?}", blob.object, blob.range));
            if stopped {
                self.stop();
            }
            blob.mend(&damage, &aside);
            if stopped {
                self.up();
            }
        }
        self.check(&BTreeMap::new(), "mended");
        println!("{} answers were errors, {} were cut", self.refused, self.cut);
        assert!(self.refused > 0 && self.cut > 0, "one kind of refusal was never seen");
        self.stop();
    }
}

#[test]
fn damage_under_a_running_server_is_never_served() {
    Bench::start().suffer(false);
}

#[test]
fn damage_that_a_start_finds_is_never_served() {
    Bench::start().suffer(true);
}
