//! Uploads in parts.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use nuee_testkit::signer::Draft;

use super::{
    conditions::Conditions,
    objects::{describe, etag, md5},
    run::{At, LEAST_PART, Outcome, Run, absent, answered, draft, inside, path, same},
    state::{Content, Upload},
};

/// With fewer uploads under way than these, another is begun.
const AT_ONCE: usize = 5;
/// The most parts of an upload here.
const PARTS: usize = 4;

/// A part as a completion names it: number and entity tag.
type Named = (usize, String);

impl Run {
    pub(super) fn upload(&mut self) -> Outcome {
        let under_way: usize = self.buckets.values().map(|bucket| bucket.uploads.len()).sum();
        // Few at a time, so that most have parts.
        let Some((at, id)) = self.any_upload().filter(|_| under_way >= AT_ONCE) else { return self.begin() };
        match self.random.below(16) {
            0 => self.begin(),
            1..=8 => self.part(at, &id),
            9 => self.part_of_object(at, &id),
            10 | 11 => self.list_parts(at, &id),
            12..=14 => self.complete(at, &id),
            _ => self.abort(at, &id),
        }
    }

    /// An upload under way, or now and then one that is over; nothing if there was none yet.
    fn any_upload(&mut self) -> Option<(At, String)> {
        let mut under_way = Vec::new();
        for (bucket, state) in &self.buckets {
            under_way.extend(state.uploads.iter().map(|(id, upload)| ((*bucket, upload.key), id)));
        }
        if under_way.is_empty() || self.random.one_in(12) {
            let at = self.at();
            let id = (!self.uploads.is_empty()).then(|| self.random.below(self.uploads.len()))?;
            return Some((at, self.uploads[id].clone()));
        }
        let (at, id) = self.random.pick(&under_way);
        Some((at, id.clone()))
    }

    fn find_upload(&self, (bucket, key): At, id: &str) -> Option<&Upload> {
        self.buckets[bucket].uploads.get(id).filter(|upload| upload.key == key)
    }

    fn begin(&mut self) -> Outcome {
        let (bucket, key) = self.at();
        let content = self.content(bucket);
        let post = Draft::with_body(Method::POST, &path((bucket, key)), "").query("uploads", "");
        let answer = self.ask(describe(post, &content));
        let lock = match self.buckets[bucket].lock_of_new(&content.lock) {
            Ok(lock) => lock,
            Err(code) => return answered(&answer, 400, code),
        };
        answered(&answer, 200, "")?;
        let id = answer.elements("UploadId").pop().ok_or("an upload has no id")?;
        same("whether the id is new", self.uploads.contains(&id), false)?;
        self.uploads.push(id.clone());
        let upload = Upload { key, parts: BTreeMap::new(), content: Content { lock, ..content } };
        self.bucket_mut(bucket).uploads.insert(id, upload);
        Ok(())
    }

    fn part(&mut self, at: At, id: &str) -> Outcome {
        let (number, bytes) = (1 + self.random.below(PARTS), self.bytes());
        let put = Draft::put(&path(at), &bytes[..]).query("partNumber", &number.to_string());
        let answer = self.ask(put.query("uploadId", id));
        if self.find_upload(at, id).is_none() {
            return answered(&answer, 404, "NoSuchUpload");
        }
        answered(&answer, 200, "")?;
        same("the entity tag", answer.header("etag"), Some(&*etag(&bytes)))?;
        self.keep_part(at, id, (number, Arc::new(bytes)));
        Ok(())
    }

    fn keep_part(&mut self, (bucket, _): At, id: &str, (number, bytes): (usize, Arc<Vec<u8>>)) {
        let upload = self.bucket_mut(bucket).uploads.get_mut(id).unwrap();
        upload.parts.insert(number, bytes);
    }

    /// A part that is copied from an object.
    fn part_of_object(&mut self, at: At, id: &str) -> Outcome {
        let (from, number) = (self.at(), 1 + self.random.below(PARTS));
        let put = Draft::put(&path(at), "").header("x-amz-copy-source", &path(from));
        let answer = self.ask(put.query("partNumber", &number.to_string()).query("uploadId", id));
        let found = self.buckets[from.0].find(from.1, None);
        let (version, bytes) = match found {
            Ok((version, content)) => (version.to_owned(), Arc::clone(&content.bytes)),
            Err(why) => return absent(&answer, &why),
        };
        if self.find_upload(at, id).is_none() {
            return answered(&answer, 404, "NoSuchUpload");
        }
        answered(&answer, 200, "")?;
        same("the entity tag", inside(&answer.text(), "ETag"), Some(etag(&bytes)))?;
        let shown = self.buckets[from.0].shown(&version);
        same("the source's id", answer.header("x-amz-copy-source-version-id"), shown)?;
        self.keep_part(at, id, (number, bytes));
        Ok(())
    }

    fn list_parts(&mut self, at: At, id: &str) -> Outcome {
        let limit = self.random.pick(&[1, 2, 1000]);
        let first = draft(Method::GET, at).query("uploadId", id).query("max-parts", &limit.to_string());
        let parts = self.find_upload(at, id).map(|upload| upload.parts.clone());
        let Some(parts) = parts else { return answered(&self.ask(first), 404, "NoSuchUpload") };
        let part = |(number, bytes): (&usize, &Arc<Vec<u8>>)| {
            [number.to_string(), etag(bytes), bytes.len().to_string()]
        };
        let expected: Vec<_> = parts.iter().map(part).collect();
        let mut pages: Vec<_> = expected.chunks(limit).collect();
        if pages.is_empty() {
            pages.push(&[]);
        }
        let mut draft = first.clone();
        for (index, page) in pages.iter().enumerate() {
            let answer = self.ask(draft);
            answered(&answer, 200, "")?;
            let told = answer.elements("Part");
            let part = |text: &String| {
                ["PartNumber", "ETag", "Size"].map(|name| inside(text, name).unwrap_or_default())
            };
            same("the parts of a page", told.iter().map(part).collect(), page.to_vec())?;
            let more = index + 1 < pages.len();
            same("whether there is more", answer.elements("IsTruncated"), vec![more.to_string()])?;
            draft = first.clone().query("part-number-marker", page.last().map_or("0", |[number, ..]| number));
        }
        Ok(())
    }

    fn abort(&mut self, at: At, id: &str) -> Outcome {
        let answer = self.ask(draft(Method::DELETE, at).query("uploadId", id));
        if self.find_upload(at, id).is_none() {
            return answered(&answer, 404, "NoSuchUpload");
        }
        self.bucket_mut(at.0).uploads.remove(id);
        answered(&answer, 204, "")
    }

    /// Some of the parts, most of the time rightly named.
    fn chosen_parts(&mut self, upload: Option<&Upload>) -> Vec<Named> {
        let parts = upload.map(|upload| upload.parts.clone()).unwrap_or_default();
        let named = parts.iter().map(|(number, bytes)| (*number, etag(bytes)));
        let mut chosen: Vec<Named> = named.filter(|_| !self.random.one_in(4)).collect();
        match self.random.below(12) {
            0 => chosen.push((PARTS + 1, etag(b"never uploaded"))),
            1 => chosen.reverse(),
            2 if !chosen.is_empty() => chosen[0].1 = etag(b"another part"),
            3 => chosen.extend(chosen.last().cloned()),
            _ => {}
        }
        chosen
    }

    fn complete(&mut self, (bucket, key): At, id: &str) -> Outcome {
        let upload = self.find_upload((bucket, key), id).cloned();
        let chosen = self.chosen_parts(upload.as_ref());
        let conditions = Conditions::random(&mut self.random, self.buckets[bucket].latest(key));
        let part = |(number, tag): &Named| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        };
        let parts: String = chosen.iter().map(part).collect();
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let post = Draft::with_body(Method::POST, &path((bucket, key)), document).query("uploadId", id);
        let answer = self.ask(conditions.apply(post, ""));
        if chosen.is_empty() {
            return answered(&answer, 400, "MalformedXML");
        }
        let Some(upload) = upload else { return answered(&answer, 404, "NoSuchUpload") };
        let bytes = match joined(&upload, &chosen) {
            Ok(bytes) => bytes,
            Err(code) => return answered(&answer, 400, code),
        };
        if let Some((status, code)) = conditions.refusal_of_write(self.buckets[bucket].latest(key)) {
            return answered(&answer, status, code);
        }
        let hashes = chosen.iter().flat_map(|(number, _)| md5(&upload.parts[number])).collect::<Vec<_>>();
        let etag = format!("\"{}-{}\"", hex::encode(md5(&hashes)), chosen.len());
        self.bucket_mut(bucket).uploads.remove(id);
        self.made((bucket, key), &answer, Content { bytes: Arc::new(bytes), etag, ..upload.content })
    }
}

/// The bytes of an object of these parts, or why there can be none.
fn joined(upload: &Upload, chosen: &[Named]) -> Result<Vec<u8>, &'static str> {
    if !chosen.is_sorted_by(|one, next| one.0 < next.0) {
        return Err("InvalidPartOrder");
    }
    let right = |(number, tag): &Named| upload.parts.get(number).is_some_and(|bytes| etag(bytes) == *tag);
    if !chosen.iter().all(right) {
        return Err("InvalidPart");
    }
    let parts: Vec<_> = chosen.iter().map(|(number, _)| &upload.parts[number]).collect();
    if parts[..parts.len() - 1].iter().any(|part| part.len() < LEAST_PART) {
        return Err("EntityTooSmall");
    }
    Ok(parts.into_iter().flat_map(|part| part.iter().copied()).collect())
}
