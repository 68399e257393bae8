//! The tree as it is kept: tiles of up to 256 neighbouring hashes, as [C2SP tlog-tiles](https://c2sp.org/tlog-tiles) has them.
//!
//! Level 0 has the hashes of leaves; each hash of a level above is the root over a full tile of the level below. What lies
//! between is computed when it is needed. Entry bundles are not kept: they are the journal's rows.

use std::{cell::RefCell, collections::HashMap};

use nuee_metadata::{Snapshot, TileRow};

use crate::{
    Error,
    proof::Nodes,
    tree::{Hash, complete_root, empty_root, node_hash},
};

/// Hashes of a full tile.
const WIDTH: usize = 256;
/// Levels of the tree that a level of tiles stands for.
const HEIGHT: u32 = 8;
/// Tiles that are kept in memory while proofs are made.
const KEPT: usize = 64;

/// The right edge of a tree: the tile of each level that is not full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// That of the tree of this size, from its tiles.
    pub(crate) fn read(snapshot: &Snapshot<'_>, size: u64) -> Result<Self, Error> {
        let mut levels = Vec::new();
        let mut count = size;
        while count > 0 {
            let (number, width) = split(count);
            let level = u8::try_from(levels.len()).unwrap_or(u8::MAX);
            let mut hashes = if width == 0 { Vec::new() } else { read_tile(snapshot, level, number)? };
            if hashes.len() < width {
                return Err(damaged(level, number));
            }
            hashes.truncate(width);
            levels.push(hashes);
            count >>= HEIGHT;
        }
        Ok(Self { size, levels })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf's hash; gives the tiles that it fills.
    pub(crate) fn append(&mut self, leaf: Hash) -> Vec<TileRow> {
        let (mut full, mut hash) = (Vec::new(), leaf);
        let mut before = self.size;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            if self.levels[level].len() < WIDTH {
                break;
            }
            let hashes = std::mem::take(&mut self.levels[level]);
            hash = complete_root(&hashes);
            full.push(tile(level, split(before).0, &hashes));
            before >>= HEIGHT;
        }
        self.size += 1;
        full
    }

    /// The tiles that are not full.
    pub(crate) fn partial_tiles(&self) -> Vec<TileRow> {
        let mut count = self.size;
        let mut tiles = Vec::new();
        for (level, hashes) in self.levels.iter().enumerate() {
            if !hashes.is_empty() {
                tiles.push(tile(level, split(count).0, hashes));
            }
            count >>= HEIGHT;
        }
        tiles
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            let mut end = hashes.len();
            while end > 0 {
                let start = end & (end - 1);
                let left = complete_root(&hashes[start..end]);
                root = Some(root.map_or(left, |right| node_hash(&left, &right)));
                end = start;
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// The number of the tile in which so many hashes of a level end, and how many it has.
fn split(count: u64) -> (i64, usize) {
    let number = i64::try_from(count >> HEIGHT).unwrap_or(i64::MAX);
    (number, usize::try_from(count).map_or(0, |count| count % WIDTH))
}

fn tile(level: usize, number: i64, hashes: &[Hash]) -> TileRow {
    TileRow { level: u8::try_from(level).unwrap_or(u8::MAX), number, hashes: hashes.concat() }
}

fn damaged(level: u8, number: i64) -> Error {
    let leaf = number.saturating_mul(1 << (HEIGHT * (u32::from(level) + 1)).min(62));
    Error::Damaged { leaf, detail: format!("tile {number} of level {level} over it is not whole") }
}

fn read_tile(snapshot: &Snapshot<'_>, level: u8, number: i64) -> Result<Vec<Hash>, Error> {
    let bytes = snapshot.tile(level, number)?.unwrap_or_default();
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.is_empty() || hashes.len() > WIDTH || !rest.is_empty() {
        return Err(damaged(level, number));
    }
    Ok(hashes.to_vec())
}

/// The nodes of the tree, read from tiles.
pub(crate) struct Tiles<'s, 'c> {
    snapshot: &'s Snapshot<'c>,
    kept: RefCell<HashMap<(u8, i64), Vec<Hash>>>,
}

impl<'s, 'c> Tiles<'s, 'c> {
    pub(crate) fn new(snapshot: &'s Snapshot<'c>) -> Self {
        Self { snapshot, kept: RefCell::default() }
    }
}

impl Nodes for Tiles<'_, '_> {
    fn node(&self, height: u32, index: u64) -> Result<Hash, Error> {
        let level = u8::try_from(height / HEIGHT).unwrap_or(u8::MAX);
        let within = height % HEIGHT;
        let (number, start) = split(index << within);
        let mut kept = self.kept.borrow_mut();
        if !kept.contains_key(&(level, number)) {
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert((level, number), read_tile(self.snapshot, level, number)?);
        }
        let hashes = kept.get(&(level, number)).and_then(|tile| tile.get(start..start + (1 << within)));
        hashes.map(complete_root).ok_or_else(|| damaged(level, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{leaf_hash, tests::Tree};

    #[test]
    fn the_edge_has_the_root_of_the_tree_at_each_size() {
        let (mut edge, mut tree) = (Edge { size: 0, levels: Vec::new() }, Tree::default());
        let mut full = Vec::new();
        for number in 0..70_000_u32 {
            if number < 600 || number % 997 == 0 || number > 65_530 {
                assert_eq!(edge.root(), tree.root(), "{number}");
            }
            let hash = leaf_hash(&number.to_be_bytes());
            tree.append_hash(hash);
            full.extend(edge.append(hash));
        }
        assert_eq!((edge.root(), edge.size()), (tree.root(), tree.size()));
        // The example of the specification.
        let of_level = |level| full.iter().filter(|tile| tile.level == level).count();
        assert_eq!([of_level(0), of_level(1), of_level(2)], [273, 1, 0]);
        let widths = edge.partial_tiles();
        let widths: Vec<_> =
            widths.iter().map(|tile| (tile.level, tile.number, tile.hashes.len() / 32)).collect();
        assert_eq!(widths, [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
    }
}
