//! Writing, reading and copying objects.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use md5::{Digest, Md5};
use nuee_testkit::{Answer, signer::Draft};

use super::{
    conditions::{Conditions, Verdict},
    run::{At, Outcome, Run, absent, answered, draft, inside, of_version, path, same},
    state::{Content, Lock, Tag},
};

pub(super) fn md5(bytes: &[u8]) -> Vec<u8> {
    Md5::digest(bytes).to_vec()
}

pub(super) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(md5(bytes)))
}

/// The headers that say of a new object what it is beside its bytes.
pub(super) fn describe(mut draft: Draft, content: &Content) -> Draft {
    for (name, value) in &content.details {
        draft = draft.header(name, value);
    }
    if !content.tags.is_empty() {
        let pair = |(key, value): &Tag| format!("{key}={}", value.replace(' ', "+"));
        draft = draft.header("x-amz-tagging", &content.tags.iter().map(pair).collect::<Vec<_>>().join("&"));
    }
    if let Some((mode, until)) = &content.lock.retention {
        draft = draft.header("x-amz-object-lock-mode", mode);
        draft = draft.header("x-amz-object-lock-retain-until-date", until);
    }
    match content.lock.hold {
        Some(hold) => draft.header("x-amz-object-lock-legal-hold", hold),
        None => draft,
    }
}

impl Run {
    /// An object as its writer has it.
    pub(super) fn content(&mut self, bucket: &str) -> Content {
        let bytes = self.bytes();
        let mut details = BTreeMap::new();
        details.insert("content-type", self.random.pick(&["text/plain", "image/png"]).to_owned());
        if self.random.one_in(2) {
            details.insert("x-amz-meta-note", self.random.pick(&["one", "two"]).to_owned());
        }
        let can_lock = self.buckets[bucket].lock.is_some() || self.random.one_in(10);
        let lock = if can_lock { self.lock() } else { Lock::default() };
        let (etag, tags) = (etag(&bytes), self.tags());
        Content { bytes: Arc::new(bytes), etag, details, tags, lock, modified: None }
    }

    pub(super) fn put(&mut self) -> Outcome {
        let (bucket, key) = self.at();
        let content = self.content(bucket);
        let conditions = Conditions::random(&mut self.random, self.buckets[bucket].latest(key));
        let put = describe(Draft::put(&path((bucket, key)), &content.bytes[..]), &content);
        let answer = self.ask(conditions.apply(put, ""));
        let state = &self.buckets[bucket];
        if let Some((status, code)) = conditions.refusal_of_write(state.latest(key)) {
            return answered(&answer, status, code);
        }
        self.written((bucket, key), &answer, content)
    }

    /// That an answer is the one to a write that was not refused by its conditions; the version is there then.
    fn written(&mut self, at: At, answer: &Answer, content: Content) -> Outcome {
        match self.buckets[at.0].lock_of_new(&content.lock) {
            Ok(lock) => self.made(at, answer, Content { lock, ..content }),
            Err(code) => answered(answer, 400, code),
        }
    }

    /// That an answer tells of a new version, which is there then.
    pub(super) fn made(&mut self, (bucket, key): At, answer: &Answer, content: Content) -> Outcome {
        answered(answer, 200, "")?;
        let tag = answer.header("etag").map(str::to_owned).or_else(|| inside(&answer.text(), "ETag"));
        same("the entity tag", tag.as_deref(), Some(&*content.etag))?;
        let id = self.bind(bucket, answer.header("x-amz-version-id"))?;
        self.bucket_mut(bucket).add(key, &id, Some(content));
        Ok(())
    }

    pub(super) fn read(&mut self) -> Outcome {
        let at = self.at();
        let id = self.any_id(at);
        self.read_of(at, id.as_deref())
    }

    pub(super) fn read_of(&mut self, (bucket, key): At, id: Option<&str>) -> Outcome {
        let found = self.buckets[bucket].find(key, id);
        let found = found.map(|(id, content)| (id.to_owned(), content.clone()));
        let content = found.as_ref().ok().map(|(_, content)| content);
        let conditions = Conditions::random(&mut self.random, content);
        let method = if self.random.one_in(3) { Method::HEAD } else { Method::GET };
        let range = content.and_then(|content| self.range(content.bytes.len()));
        let mut get = conditions.apply(of_version(draft(method.clone(), (bucket, key)), id), "");
        if let Some((text, _)) = &range {
            get = get.header("range", text);
        }
        let answer = self.ask(get);
        let (id, content) = match found {
            Ok(found) => found,
            Err(why) => return absent(&answer, &why),
        };
        let shown = self.buckets[bucket].shown(&id).map(str::to_owned);
        match (conditions.check(Some(&content)), &range) {
            (Verdict::NotModified, _) => {
                same("the entity tag", answer.header("etag"), Some(&content.etag))?;
                same("the id", answer.header("x-amz-version-id"), shown.as_deref())?;
                return answered(&answer, 304, "");
            }
            (Verdict::Failed | Verdict::Absent, _) => return answered(&answer, 412, "PreconditionFailed"),
            (Verdict::Passed, Some((_, None))) => return answered(&answer, 416, "InvalidRange"),
            (Verdict::Passed, _) => {}
        }
        let part = range.and_then(|(_, part)| part);
        answered(&answer, if part.is_some() { 206 } else { 200 }, "")?;
        let part = part.unwrap_or(0..content.bytes.len());
        same("the length", answer.header("content-length"), Some(&*part.len().to_string()))?;
        if method == Method::GET {
            same("whether the bytes are those", answer.body == content.bytes[part], true)?;
        }
        same("the id", answer.header("x-amz-version-id"), shown.as_deref())?;
        shows(&answer, &content)?;
        self.learn((bucket, key), &id, &answer)
    }

    /// What only the server knows: when a version was written, and until when it is retained by default.
    fn learn(&mut self, (bucket, key): At, id: &str, answer: &Answer) -> Outcome {
        let content = self.bucket_mut(bucket).find_mut(key, Some(id));
        let modified = answer.header("last-modified").map(str::to_owned);
        if content.modified.is_some() {
            same("when it was written", &modified, &content.modified)?;
        }
        content.modified = modified;
        if let Some((_, until)) = content.lock.retention.as_mut().filter(|(_, until)| until.is_empty()) {
            let told = answer.header("x-amz-object-lock-retain-until-date");
            told.unwrap_or_default().clone_into(until);
        }
        Ok(())
    }

    /// A range as requests say it, and the bytes that it is of so many; nothing if it is outside.
    fn range(&mut self, size: usize) -> Option<(String, Option<std::ops::Range<usize>>)> {
        let (first, length) = (self.random.below(size + 3), 1 + self.random.below(size + 3));
        let inside = (first < size).then(|| first..size.min(first + length));
        match self.random.below(8) {
            0 => Some((format!("bytes={first}-{}", first + length - 1), inside)),
            1 => Some((format!("bytes={first}-"), (first < size).then_some(first..size))),
            2 if size > 0 => Some((format!("bytes=-{length}"), Some(size.saturating_sub(length)..size))),
            _ => None,
        }
    }

    pub(super) fn copy(&mut self) -> Outcome {
        let (from, to) = (self.at(), self.at());
        let to = if self.random.one_in(4) { from } else { to };
        let id = self.any_id(from);
        let (own, of_details, of_tags) = (self.content(to.0), self.random.one_in(2), self.random.one_in(3));
        let found = self.buckets[from.0].find(from.1, id.as_deref());
        let found = found.map(|(id, content)| (id.to_owned(), content.clone()));
        let of_source = Conditions::random(&mut self.random, found.as_ref().ok().map(|(_, content)| content));
        let conditions = Conditions::random(&mut self.random, self.buckets[to.0].latest(to.1));
        let source = path(from) + &id.as_ref().map(|id| format!("?versionId={id}")).unwrap_or_default();
        let mut put = describe(Draft::put(&path(to), ""), &own).header("x-amz-copy-source", &source);
        for (is_own, name) in [(of_details, "x-amz-metadata-directive"), (of_tags, "x-amz-tagging-directive")]
        {
            put = if is_own { put.header(name, "REPLACE") } else { put };
        }
        let answer = self.ask(conditions.apply(of_source.apply(put, "x-amz-copy-source-"), ""));
        if from == to && id.is_none() && !of_details && !of_tags {
            return answered(&answer, 400, "InvalidRequest");
        }
        let (id, source) = match found {
            Ok(found) => found,
            Err(why) if why.status == 405 => return answered(&answer, 400, "InvalidRequest"),
            Err(why) => return absent(&answer, &why),
        };
        if of_source.check(Some(&source)) != Verdict::Passed {
            return answered(&answer, 412, "PreconditionFailed");
        }
        let lock = own.lock.clone();
        let details = if of_details { own.details } else { source.details.clone() };
        let tags = if of_tags { own.tags } else { source.tags.clone() };
        let copy = Content { details, tags, lock, modified: None, ..source };
        // What cannot be locked is refused before the conditions on what is replaced are looked at.
        let refusal = conditions.refusal_of_write(self.buckets[to.0].latest(to.1));
        if let Some((status, code)) = refusal.filter(|_| self.buckets[to.0].lock_of_new(&copy.lock).is_ok()) {
            return answered(&answer, status, code);
        }
        let shown = self.buckets[from.0].shown(&id).filter(|_| answer.status == 200);
        same("the source's id", answer.header("x-amz-copy-source-version-id"), shown)?;
        self.written(to, &answer, copy)
    }
}

/// That an answer shows an object as it is.
fn shows(answer: &Answer, content: &Content) -> Outcome {
    same("the entity tag", answer.header("etag"), Some(&content.etag))?;
    for name in ["content-type", "x-amz-meta-note"] {
        same(name, answer.header(name), content.details.get(name).map(String::as_str))?;
    }
    let count = (!content.tags.is_empty()).then(|| content.tags.len().to_string());
    same("the number of tags", answer.header("x-amz-tagging-count"), count.as_deref())?;
    let mode = content.lock.retention.as_ref().map(|(mode, _)| *mode);
    same("the mode", answer.header("x-amz-object-lock-mode"), mode)?;
    if let Some((_, until)) = content.lock.retention.as_ref().filter(|(_, until)| !until.is_empty()) {
        let told = answer.header("x-amz-object-lock-retain-until-date").unwrap_or_default();
        same("the end of retention", told.get(..19), until.get(..19))?;
    }
    same("the legal hold", answer.header("x-amz-object-lock-legal-hold"), content.lock.hold)
}
