//! Looking through what an organisation's leaves say.

use nuee_base::{OrganisationId, Timestamp};

use crate::{Error, Journal, Leaf};

/// Leaves that are read at once.
const PAGE: u32 = 1_000;

/// Which leaves are wanted: those that fit all that is said. A text that ends in `*` stands for all that begin like it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What was done, such as `s3:PutObject`.
    pub action: Option<String>,
    /// Who did it, such as `operator`.
    pub by: Option<String>,
    /// On which resource, such as `bucket/papers`.
    pub on: Option<String>,
    /// From when on.
    pub since: Option<Timestamp>,
    /// Before when.
    pub until: Option<Timestamp>,
    /// Before which leaf, by its number.
    pub before: Option<i64>,
}

/// A leaf of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLeaf {
    /// Its number.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What it says, if that was not erased.
    pub leaf: Option<Leaf>,
}

impl Filter {
    fn takes(&self, listed: &ListedLeaf) -> bool {
        let in_time = self.since.is_none_or(|since| listed.at >= since)
            && self.until.is_none_or(|until| listed.at < until);
        let wanted = [&self.action, &self.by, &self.on];
        in_time
            && match &listed.leaf {
                None => wanted.iter().all(|wanted| wanted.is_none()),
                Some(leaf) => {
                    let said = [&leaf.action, &leaf.by, &leaf.on];
                    wanted.iter().zip(said).all(|(wanted, said)| {
                        wanted.as_ref().is_none_or(|wanted| match wanted.strip_suffix('*') {
                            Some(beginning) => said.starts_with(beginning),
                            None => wanted == said,
                        })
                    })
                }
            }
    }
}

impl Journal {
    /// The last leaves of an organisation that the filter takes, the last one first, `limit` at most.
    ///
    /// It reads the journal backwards until it has them, however long that takes.
    pub fn list(
        &self,
        organisation: OrganisationId,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<ListedLeaf>, Error> {
        let (mut found, mut before) = (Vec::new(), filter.before.unwrap_or(i64::MAX));
        loop {
            let rows =
                self.0.metadata.read(|snapshot| snapshot.leaves_of_before(organisation, before, PAGE))?;
            let Some(last) = rows.last() else { return Ok(found) };
            before = last.id;
            for row in &rows {
                let leaf = Leaf::read(&self.0.keys, row)?;
                let listed = ListedLeaf { id: row.id, at: row.at, leaf };
                if filter.takes(&listed) {
                    found.push(listed);
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_what_fits_all_that_it_says() {
        let organisation = OrganisationId::from_bytes([1; 16]);
        let leaf = Leaf {
            id: 7,
            organisation,
            by: "operator".into(),
            action: "s3:PutObject".into(),
            on: "bucket/papers".into(),
            key: None,
            version: None,
            upload: None,
            part: None,
            detail: None,
            count: None,
        };
        let listed = ListedLeaf { id: 7, at: Timestamp::from_micros(100), leaf: Some(leaf) };
        let filter = |action: &str, on: &str| Filter {
            action: Some(action.into()),
            on: Some(on.into()),
            ..Filter::default()
        };
        assert!(Filter::default().takes(&listed));
        assert!(filter("s3:PutObject", "bucket/papers").takes(&listed));
        assert!(filter("s3:*", "bucket/p*").takes(&listed));
        assert!(!filter("s3:PutObject", "bucket/paper").takes(&listed));
        assert!(!filter("nuee:*", "bucket/papers").takes(&listed));
        let between = |since, until| Filter {
            since: Some(Timestamp::from_micros(since)),
            until: Some(Timestamp::from_micros(until)),
            ..Filter::default()
        };
        assert!(between(100, 101).takes(&listed));
        assert!(!between(101, 200).takes(&listed) && !between(0, 100).takes(&listed));
        let erased = ListedLeaf { leaf: None, ..listed };
        assert!(Filter::default().takes(&erased) && !filter("*", "*").takes(&erased));
    }
}
