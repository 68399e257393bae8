//! Deleting by key, which leaves a marker where versions are kept, and versions by their ids, one or many.

use std::collections::VecDeque;

use http::Method;
use nuee_testkit::signer::Draft;

use super::{
    conditions::Conditions,
    run::{At, Outcome, Run, answered, draft, inside, of_version, same},
    state::Versioning,
};

/// Status and code of a refusal.
type Refusal = (u16, &'static str);

/// What an answer says of a deletion: whether what was removed or made is a marker, and its id.
type Deleted = (bool, Option<String>);

impl Run {
    pub(super) fn delete(&mut self) -> Outcome {
        let (bucket, key) = self.at();
        let (id, bypass) = (self.any_id((bucket, key)), self.random.one_in(2));
        let conditions = Conditions::random(&mut self.random, self.buckets[bucket].latest(key));
        let delete = of_version(draft(Method::DELETE, (bucket, key)), id.as_deref());
        let answer = self.ask(with_bypass(conditions.apply(delete, ""), bypass));
        let told = answer.header("x-amz-version-id");
        match self.deleted((bucket, key), (id.as_deref(), bypass), &conditions, told)? {
            Err((status, code)) => answered(&answer, status, code),
            Ok((is_marker, id)) => {
                answered(&answer, 204, "")?;
                same("the marker", answer.header("x-amz-delete-marker"), is_marker.then_some("true"))?;
                same("the id", told, id.as_deref())
            }
        }
    }

    /// Deletes from the model; gives how that is answered. `told` is the id of a marker, if one is made.
    fn deleted(
        &mut self,
        (bucket, key): At,
        (id, bypass): (Option<&str>, bool),
        conditions: &Conditions,
        told: Option<&str>,
    ) -> Result<Result<Deleted, Refusal>, String> {
        if let Some(refusal) = conditions.refusal_of_write(self.buckets[bucket].latest(key)) {
            return Ok(Err(refusal));
        }
        if let Some(id) = id {
            let removed = self.bucket_mut(bucket).remove(key, id, bypass);
            let shown = |was_marker: Option<bool>| (was_marker == Some(true), Some(id.to_owned()));
            return Ok(removed.map(shown).map_err(|code| (403, code)));
        }
        if self.buckets[bucket].versioning == Versioning::Unversioned {
            self.bucket_mut(bucket).add(key, "", None);
            return Ok(Ok((false, None)));
        }
        let id = self.bind(bucket, told)?;
        self.bucket_mut(bucket).add(key, &id, None);
        Ok(Ok((true, Some(id))))
    }

    /// Several at once, some of them twice.
    pub(super) fn delete_many(&mut self) -> Outcome {
        let (bucket, _) = self.at();
        let mut asked = Vec::new();
        let mut document = "<Delete>".to_owned();
        for _ in 0..=self.random.below(4) {
            let (_, key) = self.at();
            let (id, latest) = (self.any_id((bucket, key)), self.buckets[bucket].latest(key));
            let tag = latest.map(|content| content.etag.clone()).filter(|_| self.random.one_in(4));
            let version = id.as_ref().map(|id| format!("<VersionId>{id}</VersionId>")).unwrap_or_default();
            let condition = tag.as_ref().map(|tag| format!("<ETag>{tag}</ETag>")).unwrap_or_default();
            for piece in ["<Object><Key>", key, "</Key>", &version, &condition, "</Object>"] {
                document.push_str(piece);
            }
            asked.push((key, id, tag));
        }
        document += "</Delete>";
        let bypass = self.random.one_in(2);
        let post = Draft::with_body(Method::POST, &format!("/{bucket}"), document).query("delete", "");
        let answer = self.ask(with_bypass(post, bypass));
        answered(&answer, 200, "")?;
        let (mut done, mut refused) = (VecDeque::from(answer.elements("Deleted")), Vec::new());
        for (key, id, tag) in asked {
            let conditions = tag.as_deref().map(Conditions::matching).unwrap_or_default();
            let told = done.front().and_then(|text| inside(text, "DeleteMarkerVersionId"));
            match self.deleted((bucket, key), (id.as_deref(), bypass), &conditions, told.as_deref())? {
                Err((_, code)) => refused.push((key.to_owned(), id, code.to_owned())),
                Ok((is_marker, shown)) => {
                    let text = done.pop_front().ok_or("a deletion is not told")?;
                    same("the deleted key", inside(&text, "Key").as_deref(), Some(key))?;
                    same("the deleted id", inside(&text, "VersionId"), id)?;
                    let marker = inside(&text, "DeleteMarker").as_deref() == Some("true");
                    same("whether it is a marker", marker, is_marker)?;
                    same("the marker's id", told, shown.filter(|_| is_marker))?;
                }
            }
        }
        same("the rest of what was deleted", done, VecDeque::new())?;
        let error = |text: &String| {
            let part = |name| inside(text, name).unwrap_or_default();
            (part("Key"), inside(text, "VersionId"), part("Code"))
        };
        let told: Vec<_> = answer.elements("Error").iter().map(error).collect();
        same("what was refused", told, refused)
    }
}

/// The same with leave to pass over the GOVERNANCE mode.
pub(super) fn with_bypass(draft: Draft, bypass: bool) -> Draft {
    if bypass { draft.header("x-amz-bypass-governance-retention", "true") } else { draft }
}
