//! Proofs: that a leaf is in the tree of a checkpoint, and that one checkpoint's tree is the beginning of another's
//! ([RFC 9162, sections 2.1.3 and 2.1.4](https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3)).

use crate::{
    Error,
    tree::{Hash, node_hash},
};

/// The longest proof that a tree of any size needs.
pub const MAX_PROOF: usize = 63;

/// The roots of complete subtrees.
pub(crate) trait Nodes {
    /// The root over the leaves from `index << height` on, of which there are `1 << height`.
    fn node(&self, height: u32, index: u64) -> Result<Hash, Error>;
}

/// The root over the leaves from `start` to `end`: a range that the tree has as a node, complete or at its right edge.
fn range_root(nodes: &impl Nodes, start: u64, end: u64) -> Result<Hash, Error> {
    let length = end - start;
    if length.is_power_of_two() {
        let height = length.trailing_zeros();
        return nodes.node(height, start >> height);
    }
    let middle = start + left_length(length);
    Ok(node_hash(&range_root(nodes, start, middle)?, &range_root(nodes, middle, end)?))
}

/// How many of more than one leaf are in the left half: the largest power of two that is less.
fn left_length(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// That the leaf of this index, from 0 on, is in the tree of this size. Whoever asks has checked that it is.
pub(crate) fn inclusion(nodes: &impl Nodes, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + left_length(end - start);
        if index < middle {
            proof.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// That the tree of the size `old` is the beginning of the tree of the size `new`, which is not less.
pub(crate) fn consistency(nodes: &impl Nodes, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    let (mut start, mut end) = (0, new);
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    while end != old {
        let middle = start + left_length(end - start);
        if old <= middle {
            proof.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        proof.push(range_root(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether this proves that a leaf, by its hash, has this index in the tree of this size and root.
#[must_use]
pub fn check_inclusion(leaf: Hash, index: u64, proof: &[Hash], (size, root): (u64, Hash)) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut found) = (index, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            found = node_hash(other, &found);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            found = node_hash(&found, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && found == root
}

/// Whether this proves that the first tree, given by its size and root, is the beginning of the second. The tree without
/// leaves is the beginning of each; the proof of that is empty.
#[must_use]
pub fn check_consistency((old, old_root): (u64, Hash), (new, new_root): (u64, Hash), proof: &[Hash]) -> bool {
    if old >= new || old == 0 {
        let is_same = old == new && old_root == new_root;
        return proof.is_empty() && (is_same || (old == 0 && new > 0));
    }
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (*first, rest)
    };
    let shift = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_found, mut new_found) = (first, first);
    for other in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (old_found, new_found) = (node_hash(other, &old_found), node_hash(other, &new_found));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new_found = node_hash(&new_found, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old_found == old_root && new_found == new_root
}

#[cfg(test)]
mod tests {
    use tlog_tiles::{RecordProof, TreeProof};

    use super::*;
    use crate::tree::{complete_root, leaf_hash, tests::Tree};

    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        fn node(&self, height: u32, index: u64) -> Result<Hash, Error> {
            let start = usize::try_from(index << height).unwrap();
            Ok(complete_root(&self.0[start..start + (1 << height)]))
        }
    }

    impl Leaves {
        fn new(count: u64) -> Self {
            Self((0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect())
        }

        fn root(&self, size: u64) -> Hash {
            let mut tree = Tree::default();
            self.0.iter().take(usize::try_from(size).unwrap()).for_each(|hash| tree.append_hash(*hash));
            tree.root()
        }
    }

    fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
        hashes.iter().map(|hash| tlog_tiles::Hash(*hash)).collect()
    }

    #[test]
    fn each_leaf_is_proved_to_be_in_each_tree_and_nowhere_else() {
        let leaves = Leaves::new(70);
        for size in 1..=70 {
            let root = leaves.root(size);
            for index in 0..size {
                let proof = inclusion(&leaves, index, size).unwrap();
                let leaf = leaves.0[usize::try_from(index).unwrap()];
                assert!(check_inclusion(leaf, index, &proof, (size, root)), "{index} of {size}");
                let said: RecordProof = theirs(&proof);
                let said = tlog_tiles::check_record(
                    &said,
                    size,
                    tlog_tiles::Hash(root),
                    index,
                    tlog_tiles::Hash(leaf),
                );
                assert!(said.is_ok(), "{index} of {size}, says another implementation");
                for other in (0..=size).filter(|other| *other != index) {
                    assert!(!check_inclusion(leaf, other, &proof, (size, root)));
                }
                assert!(!check_inclusion(leaf_hash(b"another"), index, &proof, (size, root)));
                assert!(!check_inclusion(leaf, index, &[&proof[..], &[root]].concat(), (size, root)));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!check_inclusion(leaf, index, shorter, (size, root)));
                }
            }
        }
    }

    #[test]
    fn each_tree_is_proved_to_be_the_beginning_of_each_later_one() {
        let leaves = Leaves::new(70);
        for new in 1..=70 {
            let new_root = leaves.root(new);
            for old in 0..=new {
                let old_root = leaves.root(old);
                let proof = consistency(&leaves, old, new).unwrap();
                let holds = |old, new, proof: &[Hash]| check_consistency(old, new, proof);
                assert!(holds((old, old_root), (new, new_root), &proof), "{old} and {new}");
                assert!(proof.len() <= MAX_PROOF);
                if old == 0 {
                    continue;
                }
                let said: TreeProof = theirs(&proof);
                let roots = [new_root, old_root].map(tlog_tiles::Hash);
                let said = tlog_tiles::check_tree(&said, new, roots[0], old, roots[1]);
                assert!(said.is_ok(), "{old} and {new}, says another implementation");
                let other = leaf_hash(b"another");
                assert!(!holds((old, other), (new, new_root), &proof));
                assert!(!holds((old, old_root), (new, other), &proof));
                assert!(!holds((old, old_root), (new, new_root), &[&proof[..], &[other]].concat()));
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at][0] ^= 1;
                    assert!(!holds((old, old_root), (new, new_root), &changed), "{old} and {new}");
                    changed.remove(at);
                    assert!(!holds((old, old_root), (new, new_root), &changed), "{old} and {new}");
                }
            }
        }
        assert!(!check_consistency((5, leaves.root(5)), (4, leaves.root(4)), &[]));
        assert!(!check_consistency((0, leaves.root(1)), (0, leaves.root(0)), &[]));
    }
}
