//! Verification of the journal itself: every leaf and its body, the tree, its tiles, and checkpoints of it.

use std::collections::{BTreeMap, HashMap};

use nuee_base::{OrganisationId, Timestamp};
use nuee_metadata::{LeafRow, Snapshot, TileRow};

use crate::{
    Checkpoint, Error, Journal, Leaf,
    content::Content,
    each_leaf,
    tiles::Edge,
    tree::{Hash, entry, leaf_hash},
};

/// The name, among the facts of the platform, of the instant before which bodies may be erased.
pub(crate) const ERASED_BEFORE: &str = "journal-erased-before";

/// What is known while leaves are read in order.
struct Walk {
    edge: Edge,
    /// The roots that were asked for, by the sizes of their trees.
    roots: BTreeMap<u64, Option<Hash>>,
    /// The last leaf of each organisation in form 2.
    heads: HashMap<OrganisationId, i64>,
    /// Tiles are kept for the first so many leaves.
    signed: u64,
    erased_before: Timestamp,
    findings: Vec<String>,
}

impl Journal {
    /// Reads the whole journal and gives each leaf that has a body to `each`; gives what is not as it should be.
    pub fn verify(
        &self,
        snapshot: &Snapshot<'_>,
        kept_elsewhere: Option<&Checkpoint>,
        mut each: impl FnMut(Leaf),
    ) -> Result<Vec<String>, Error> {
        let mut findings = Vec::new();
        let signed = match self.checkpoint_in(snapshot) {
            Err(error @ Error::Checkpoint(_)) => {
                findings.push(error.to_string());
                None
            }
            signed => signed?.map(|signed| signed.checkpoint),
        };
        let known = signed.iter().chain(kept_elsewhere);
        let mut walk = Walk {
            edge: Edge::read(snapshot, 0)?,
            roots: known.clone().map(|checkpoint| (checkpoint.size, None)).collect(),
            heads: HashMap::new(),
            signed: signed.as_ref().map_or(0, |checkpoint| checkpoint.size),
            erased_before: erased_before(snapshot)?,
            findings,
        };
        let walked = each_leaf(snapshot, |row| {
            if let Some(leaf) = walk.take(self, snapshot, row)? {
                each(leaf);
            }
            Ok(())
        });
        match walked {
            Err(error @ Error::Damaged { .. }) => walk.findings.push(error.to_string()),
            walked => walked?,
        }
        walk.note_root();
        let checkpoints = known.zip([signed.is_some(), false]);
        for (checkpoint, is_ours) in checkpoints {
            walk.compare(checkpoint, if is_ours { "last checkpoint that was signed" } else { "checkpoint" });
        }
        Ok(walk.findings)
    }
}

impl Walk {
    fn take(
        &mut self,
        journal: &Journal,
        snapshot: &Snapshot<'_>,
        row: &LeafRow,
    ) -> Result<Option<Leaf>, Error> {
        self.note_root();
        let full = self.edge.append(leaf_hash(&entry(row)));
        let mut tiles = full;
        if self.edge.size() == self.signed {
            tiles.extend(self.edge.partial_tiles());
        }
        if self.edge.size() <= self.signed {
            self.compare_tiles(snapshot, &tiles)?;
        }
        match self.open(journal, row) {
            Err(error @ Error::Damaged { .. }) => {
                self.findings.push(error.to_string());
                Ok(None)
            }
            opened => opened,
        }
    }

    /// Opens a leaf, and sees that it follows its organisation's last one.
    fn open(&mut self, journal: &Journal, row: &LeafRow) -> Result<Option<Leaf>, Error> {
        if let Content::Committed { previous, .. } = Content::read(row)? {
            let damaged = |detail: String| Error::Damaged { leaf: row.id, detail };
            let last = self.heads.insert(row.organisation, row.id).unwrap_or(0);
            if previous != last {
                return Err(damaged(format!(
                    "its organisation's leaf before it is {last}, and it says {previous}"
                )));
            }
            if row.sealed.is_none() && row.at >= self.erased_before {
                return Err(damaged("its body is missing".into()));
            }
        }
        Leaf::read(&journal.0.keys, row)
    }

    fn compare_tiles(&mut self, snapshot: &Snapshot<'_>, tiles: &[TileRow]) -> Result<(), Error> {
        for TileRow { level, number, hashes } in tiles {
            let kept = snapshot.tile(*level, *number)?.unwrap_or_default();
            if !kept.starts_with(hashes) {
                self.findings
                    .push(format!("tile {number} of level {level} of its tree is not over its leaves"));
            }
        }
        Ok(())
    }

    /// Notes the root if it was asked for.
    fn note_root(&mut self) {
        if let Some(root) = self.roots.get_mut(&self.edge.size()) {
            *root = Some(self.edge.root());
        }
    }

    fn compare(&mut self, checkpoint: &Checkpoint, name: &str) {
        let Checkpoint { size, root, .. } = checkpoint;
        match self.roots.get(size) {
            Some(Some(found)) if found == root => {}
            Some(Some(_)) => {
                self.findings.push(format!("its first {size} leaves are not those of the {name}"));
            }
            _ => {
                let found = self.edge.size();
                self.findings.push(format!("it has {found} leaves, and had {size} at the {name}"));
            }
        }
    }
}

/// Leaves that are older may have no body any more.
pub(crate) fn erased_before(snapshot: &Snapshot<'_>) -> Result<Timestamp, Error> {
    let kept = snapshot.platform_value(ERASED_BEFORE)?.and_then(|bytes| bytes.try_into().ok());
    Ok(Timestamp::from_micros(kept.map_or(i64::MIN, i64::from_be_bytes)))
}
