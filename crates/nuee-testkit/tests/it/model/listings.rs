//! Listings of objects, versions and uploads, page after page.

use http::Method;
use nuee_testkit::{Answer, signer::Draft};

use super::{
    run::{KEYS, Outcome, Run, answered, inside, same},
    state::Bucket,
};

const PREFIXES: [&str; 6] = ["", "", "a", "a/", "b/", "z"];
const DELIMITERS: [&str; 4] = ["", "/", "/", "b"];

/// What a listing shows in one place: a common prefix, or what it says of an object, a version, or a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Prefix(String),
    Object(Vec<String>),
    Version(Vec<String>),
    Marker(Vec<String>),
}

impl Entry {
    /// Entries of each kind stand together in an answer, in the order of the listing.
    fn sorted(mut entries: Vec<Self>) -> Vec<Self> {
        entries.sort_by_key(|entry| match entry {
            Self::Object(_) | Self::Version(_) => 0,
            Self::Marker(_) => 1,
            Self::Prefix(_) => 2,
        });
        entries
    }
}

/// What is to be listed.
struct Query {
    bucket: &'static str,
    prefix: &'static str,
    delimiter: &'static str,
    after: &'static str,
    limit: usize,
}

impl Query {
    fn asks_for(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && key > self.after
    }

    /// The common prefix that stands for a key that is asked for, if one does.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix).filter(|_| !self.delimiter.is_empty())?;
        let end = self.prefix.len() + rest.find(self.delimiter)? + self.delimiter.len();
        Some(&key[..end])
    }

    /// Every entry, in order; `of_key` gives those of a key.
    fn entries(&self, bucket: &Bucket, of_key: impl Fn(&Bucket, &str) -> Vec<Entry>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for key in bucket.keys.keys().filter(|key| self.asks_for(key)) {
            let of_key = of_key(bucket, key);
            match self.common_prefix(key).map(|prefix| Entry::Prefix(prefix.to_owned())) {
                None => entries.extend(of_key),
                Some(prefix) if !of_key.is_empty() && entries.last() != Some(&prefix) => entries.push(prefix),
                Some(_) => {}
            }
        }
        entries
    }

    fn draft(&self) -> Draft {
        let mut draft = Draft::new(Method::GET, &format!("/{}", self.bucket));
        for (name, value) in [("prefix", self.prefix), ("delimiter", self.delimiter)] {
            draft = if value.is_empty() { draft } else { draft.query(name, value) };
        }
        draft.query("max-keys", &self.limit.to_string())
    }
}

impl Run {
    fn query(&mut self) -> Query {
        let (bucket, _) = self.at();
        let (prefix, delimiter) = (self.random.pick(&PREFIXES), self.random.pick(&DELIMITERS));
        let after = if self.random.one_in(4) { self.random.pick(&KEYS) } else { "" };
        Query { bucket, prefix, delimiter, after, limit: self.random.pick(&[1, 3, 7, 1000]) }
    }

    pub(super) fn list_objects(&mut self) -> Outcome {
        let query = self.query();
        let expected = query.entries(&self.buckets[query.bucket], objects);
        let first = query.draft().query("list-type", "2");
        let first = if query.after.is_empty() { first } else { first.query("start-after", query.after) };
        self.pages(&first, &expected, query.limit, |answer| {
            let token = answer.elements("NextContinuationToken").pop()?;
            Some(vec![("continuation-token", token)])
        })
    }

    pub(super) fn list_versions(&mut self) -> Outcome {
        let query = Query { after: "", ..self.query() };
        let expected = query.entries(&self.buckets[query.bucket], versions);
        let first = query.draft().query("versions", "");
        self.pages(&first, &expected, query.limit, |answer| {
            let mut next = vec![("key-marker", answer.elements("NextKeyMarker").pop()?)];
            let version = answer.elements("NextVersionIdMarker").pop();
            next.extend(version.map(|version| ("version-id-marker", version)));
            Some(next)
        })
    }

    /// Asks for one page after the other, as `next` says, and wants each to be full.
    fn pages(
        &mut self,
        first: &Draft,
        expected: &[Entry],
        limit: usize,
        next: impl Fn(&Answer) -> Option<Vec<(&'static str, String)>>,
    ) -> Outcome {
        let mut draft = first.clone();
        let mut pages: Vec<_> = expected.chunks(limit).collect();
        if pages.is_empty() {
            pages.push(&[]);
        }
        for (index, page) in pages.iter().enumerate() {
            let answer = self.ask(draft);
            answered(&answer, 200, "")?;
            same("a page", told(&answer), Entry::sorted(page.to_vec()))?;
            let is_last = index + 1 == pages.len();
            same(
                "whether there is more",
                answer.elements("IsTruncated").pop(),
                Some((!is_last).to_string()),
            )?;
            let Some(parameters) = next(&answer) else {
                return same("whether the next page is named", false, !is_last);
            };
            draft = first.clone();
            for (name, value) in parameters {
                draft = draft.query(name, &value);
            }
        }
        Err("the last page names another".to_owned())
    }

    /// Uploads of one key follow each other by the time they were begun, which the model does not know.
    pub(super) fn list_uploads(&mut self) -> Outcome {
        let (bucket, _) = self.at();
        let (prefix, limit) = (self.random.pick(&PREFIXES), self.random.pick(&[1, 3, 1000]));
        let uploads = self.buckets[bucket].uploads.iter();
        let mut expected: Vec<_> = uploads.map(|(id, upload)| (upload.key.to_owned(), id.clone())).collect();
        expected.retain(|(key, _)| key.starts_with(prefix));
        expected.sort();
        let first = Draft::new(Method::GET, &format!("/{bucket}")).query("uploads", "");
        let first = first.query("prefix", prefix).query("max-uploads", &limit.to_string());
        let (mut draft, mut found) = (first.clone(), Vec::new());
        loop {
            let answer = self.ask(draft);
            answered(&answer, 200, "")?;
            let page = answer.elements("Upload");
            let part = |text: &String, name| inside(text, name).unwrap_or_default();
            let rest = expected.len() - found.len().min(expected.len());
            same("the uploads of a page", page.len(), limit.min(rest))?;
            found.extend(page.iter().map(|text| (part(text, "Key"), part(text, "UploadId"))));
            same("whether there is more", answer.elements("IsTruncated"), vec![(rest > limit).to_string()])?;
            if rest <= limit {
                break;
            }
            let next = |name| answer.elements(name).pop().ok_or("the next page is not named");
            draft = first.clone().query("key-marker", &next("NextKeyMarker")?);
            draft = draft.query("upload-id-marker", &next("NextUploadIdMarker")?);
        }
        same("whether keys are in order", found.is_sorted_by_key(|(key, _)| key.clone()), true)?;
        found.sort();
        same("the uploads", found, expected)
    }
}

fn objects(bucket: &Bucket, key: &str) -> Vec<Entry> {
    let entry = |content: &super::state::Content| {
        Entry::Object(vec![key.to_owned(), content.etag.clone(), content.bytes.len().to_string()])
    };
    bucket.latest(key).map(entry).into_iter().collect()
}

fn versions(bucket: &Bucket, key: &str) -> Vec<Entry> {
    let newest_first = bucket.versions(key).iter().rev().enumerate();
    let entry = |(place, version): (usize, &super::state::Version)| {
        let named = vec![key.to_owned(), version.id.clone(), (place == 0).to_string()];
        let Some(content) = &version.content else { return Entry::Marker(named) };
        let more = [content.etag.clone(), content.bytes.len().to_string()];
        Entry::Version([&named[..], &more].concat())
    };
    newest_first.map(entry).collect()
}

/// The entries of a page, each kind by itself.
fn told(answer: &Answer) -> Vec<Entry> {
    let parts = |text: &String, names: &[&str]| {
        names.iter().map(|name| inside(text, name).unwrap_or_default()).collect::<Vec<_>>()
    };
    let of = |element: &str, names: &'static [&'static str], entry: fn(Vec<String>) -> Entry| {
        let texts = answer.elements(element).into_iter();
        texts.map(|text| entry(parts(&text, names))).collect::<Vec<_>>()
    };
    let named: &[&str] = &["Key", "VersionId", "IsLatest"];
    let whole: &[&str] = &["Key", "VersionId", "IsLatest", "ETag", "Size"];
    let prefixes = of("CommonPrefixes", &["Prefix"], |mut parts| Entry::Prefix(parts.remove(0)));
    let objects = of("Contents", &["Key", "ETag", "Size"], Entry::Object);
    let (versions, markers) =
        (of("Version", whole, Entry::Version), of("DeleteMarker", named, Entry::Marker));
    [objects, versions, markers, prefixes].concat()
}
