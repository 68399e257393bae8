//! Buckets, and what is set on them and on versions: versioning, locks, tags, retention, legal hold.

use http::Method;
use nuee_testkit::{Answer, signer::Draft};

use super::{
    deletions::with_bypass,
    run::{At, KEPT, LOCKED, Outcome, PLAIN, Run, absent, answered, draft, inside, of_version, path, same},
    state::{Absent, Bucket, Content, Locks, Tag, Versioning},
};

fn of_bucket(bucket: &str, document: String, marker: &str) -> Draft {
    Draft::put(&format!("/{bucket}"), document).query(marker, "")
}

impl Run {
    pub(super) fn make_bucket(&mut self, name: &'static str) -> Outcome {
        let mut put = Draft::put(&format!("/{name}"), "");
        let mut bucket = Bucket::default();
        if name == LOCKED {
            put = put.header("x-amz-bucket-object-lock-enabled", "true");
            (bucket.versioning, bucket.lock) = (Versioning::Enabled, Some(Locks::default()));
        }
        answered(&self.ask(put), 200, "")?;
        self.buckets.insert(name, bucket);
        Ok(())
    }

    pub(super) fn set_bucket(&mut self) -> Outcome {
        match self.random.below(6) {
            0..=2 => self.set_versioning(),
            3 => self.set_default_retention(),
            4 => {
                let (bucket, _) = self.at();
                self.delete_bucket(bucket)
            }
            _ => {
                let bucket = self.random.pick(&[PLAIN, KEPT]);
                self.empty_bucket(bucket)?;
                self.delete_bucket(bucket)
            }
        }
    }

    fn set_versioning(&mut self) -> Outcome {
        let bucket = self.random.pick(&[KEPT, LOCKED]);
        let is_enabled = self.random.one_in(2);
        let (versioning, status) = match is_enabled {
            true => (Versioning::Enabled, "Enabled"),
            false => (Versioning::Suspended, "Suspended"),
        };
        let document =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let answer = self.ask(of_bucket(bucket, document, "versioning"));
        if bucket == LOCKED && !is_enabled {
            return answered(&answer, 409, "InvalidBucketState");
        }
        self.bucket_mut(bucket).versioning = versioning;
        answered(&answer, 200, "")
    }

    /// Only of a bucket that keeps versions; there it could not be suspended any more.
    fn set_default_retention(&mut self) -> Outcome {
        let bucket = self.random.pick(&[PLAIN, LOCKED, LOCKED]);
        let default = self.random.pick(&[None, Some("GOVERNANCE"), Some("COMPLIANCE")]);
        let rule = |mode| {
            format!("<Rule><DefaultRetention><Mode>{mode}</Mode><Days>1</Days></DefaultRetention></Rule>")
        };
        let document = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{}</ObjectLockConfiguration>",
            default.map(rule).unwrap_or_default()
        );
        let answer = self.ask(of_bucket(bucket, document, "object-lock"));
        if bucket == PLAIN {
            return answered(&answer, 409, "InvalidBucketState");
        }
        self.bucket_mut(bucket).lock = Some(Locks { default });
        answered(&answer, 200, "")
    }

    /// Removes what a bucket without locks holds.
    fn empty_bucket(&mut self, bucket: &'static str) -> Outcome {
        let state = self.bucket_mut(bucket);
        let uploads: Vec<_> = std::mem::take(&mut state.uploads).into_iter().collect();
        let keys = std::mem::take(&mut state.keys);
        for (id, upload) in uploads {
            let abort = draft(Method::DELETE, (bucket, upload.key)).query("uploadId", &id);
            answered(&self.ask(abort), 204, "")?;
        }
        for (key, versions) in keys {
            for version in versions {
                let delete = of_version(draft(Method::DELETE, (bucket, key)), Some(&version.id));
                answered(&self.ask(delete), 204, "")?;
            }
        }
        Ok(())
    }

    /// Deletes a bucket that holds nothing, and makes it anew.
    fn delete_bucket(&mut self, bucket: &'static str) -> Outcome {
        let answer = self.ask(Draft::new(Method::DELETE, &format!("/{bucket}")));
        if !self.buckets[bucket].is_empty() {
            return answered(&answer, 409, "BucketNotEmpty");
        }
        answered(&answer, 204, "")?;
        self.make_bucket(bucket)
    }

    /// The object or version that a request is about, as the model has it.
    fn named(&mut self, at: At) -> (At, Option<String>, Result<(String, Content), Absent>) {
        let id = self.any_id(at);
        let found = self.buckets[at.0].find(at.1, id.as_deref());
        let found = found.map(|(id, content)| (id.to_owned(), content.clone()));
        (at, id, found)
    }

    /// Mostly where versions can be locked.
    fn at_locks(&mut self) -> At {
        let (bucket, key) = self.at();
        (if self.random.one_in(6) { bucket } else { LOCKED }, key)
    }

    pub(super) fn object_tags(&mut self) -> Outcome {
        let at = self.at();
        let (at, id, found) = self.named(at);
        let of_tags = |draft: Draft| of_version(draft.query("tagging", ""), id.as_deref());
        let (answer, status, tags) = match self.random.below(3) {
            0 => (self.ask(of_tags(draft(Method::GET, at))), 200, None),
            1 => (self.ask(of_tags(draft(Method::DELETE, at))), 204, Some(Vec::new())),
            _ => {
                let tags = self.tags();
                (self.ask(of_tags(Draft::put(&path(at), tagging(&tags)))), 200, Some(tags))
            }
        };
        let (found, content) = match found {
            Ok(found) => found,
            Err(why) => return absent(&answer, &why),
        };
        answered(&answer, status, "")?;
        let shown = self.buckets[at.0].shown(&found);
        same("the id", answer.header("x-amz-version-id"), shown)?;
        match tags {
            Some(tags) => self.bucket_mut(at.0).find_mut(at.1, Some(&found)).tags = tags,
            None => {
                let part = |text: &String, name| inside(text, name).unwrap_or_default();
                let tag = |text: &String| (part(text, "Key"), part(text, "Value"));
                same("the tags", answer.elements("Tag").iter().map(tag).collect(), content.tags)?;
            }
        }
        Ok(())
    }

    pub(super) fn retention(&mut self) -> Outcome {
        let at = self.at_locks();
        let (at, id, found) = self.named(at);
        let of_retention = |draft: Draft| of_version(draft.query("retention", ""), id.as_deref());
        if self.random.one_in(3) {
            let answer = self.ask(of_retention(draft(Method::GET, at)));
            return self.shows_retention(at.0, &answer, found);
        }
        let bypass = self.random.one_in(2);
        let new = (!self.random.one_in(4)).then(|| self.some_retention());
        let inner = new
            .as_ref()
            .map(|(mode, until)| format!("<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate>"));
        let document = format!("<Retention>{}</Retention>", inner.unwrap_or_default());
        let answer = self.ask(with_bypass(of_retention(Draft::put(&path(at), document)), bypass));
        if self.buckets[at.0].lock.is_none() {
            return answered(&answer, 400, "InvalidRequest");
        }
        let (found, content) = match found {
            Ok(found) => found,
            Err(why) => return absent(&answer, &why),
        };
        if !content.lock.can_become(new.as_ref(), bypass) {
            return answered(&answer, 403, "AccessDenied");
        }
        self.bucket_mut(at.0).find_mut(at.1, Some(&found)).lock.retention = new;
        answered(&answer, 200, "")
    }

    fn shows_retention(
        &self,
        bucket: &str,
        answer: &Answer,
        found: Result<(String, Content), Absent>,
    ) -> Outcome {
        let content = match found {
            Ok((_, content)) => content,
            Err(why) => return absent(answer, &why),
        };
        if self.buckets[bucket].lock.is_none() {
            return answered(answer, 400, "InvalidRequest");
        }
        let Some((mode, until)) = content.lock.retention else {
            return answered(answer, 404, "NoSuchObjectLockConfiguration");
        };
        answered(answer, 200, "")?;
        same("the mode", answer.elements("Mode"), vec![mode.to_owned()])?;
        let told = answer.elements("RetainUntilDate").pop().unwrap_or_default();
        // The end of a retention by default is known once an object was read.
        if until.is_empty() { Ok(()) } else { same("the end of retention", told.get(..19), until.get(..19)) }
    }

    pub(super) fn legal_hold(&mut self) -> Outcome {
        let at = self.at_locks();
        let (at, id, found) = self.named(at);
        let of_hold = |draft: Draft| of_version(draft.query("legal-hold", ""), id.as_deref());
        let new = self.random.pick(&[None, Some("ON"), Some("OFF"), Some("OFF")]);
        let has_locks = self.buckets[at.0].lock.is_some();
        let answer = match new {
            None => self.ask(of_hold(draft(Method::GET, at))),
            Some(status) => {
                let document = format!("<LegalHold><Status>{status}</Status></LegalHold>");
                self.ask(of_hold(Draft::put(&path(at), document)))
            }
        };
        let (found, content) = match found {
            // Of a bucket without locks, a change is refused before anything is looked for.
            _ if new.is_some() && !has_locks => return answered(&answer, 400, "InvalidRequest"),
            Err(why) => return absent(&answer, &why),
            Ok(_) if !has_locks => return answered(&answer, 400, "InvalidRequest"),
            Ok(found) => found,
        };
        let Some(status) = new else {
            let Some(hold) = content.lock.hold else {
                return answered(&answer, 404, "NoSuchObjectLockConfiguration");
            };
            answered(&answer, 200, "")?;
            return same("the legal hold", answer.elements("Status"), vec![hold.to_owned()]);
        };
        answered(&answer, 200, "")?;
        self.bucket_mut(at.0).find_mut(at.1, Some(&found)).lock.hold = Some(status);
        Ok(())
    }
}

fn tagging(tags: &[Tag]) -> String {
    let tag = |(key, value): &Tag| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.iter().map(tag).collect::<String>())
}
