//! The Merkle tree over the leaves: that of [RFC 9162, section 2.1](https://www.rfc-editor.org/rfc/rfc9162#section-2.1), with
//! SHA-256.

use nuee_metadata::LeafRow;
use sha2::{Digest, Sha256};

/// A node of the tree.
pub type Hash = [u8; 32];

/// What the tree has of a leaf: number, time (microseconds since 1970) and organisation, eight, eight and sixteen bytes,
/// big-endian, then the content.
pub(crate) fn entry(row: &LeafRow) -> Vec<u8> {
    let mut entry = Vec::with_capacity(32 + row.content.len());
    entry.extend_from_slice(&row.id.to_be_bytes());
    entry.extend_from_slice(&row.at.as_micros().to_be_bytes());
    entry.extend_from_slice(&row.organisation.to_bytes());
    entry.extend_from_slice(&row.content);
    entry
}

/// The hash of what the tree has of a leaf.
#[must_use]
pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

/// The root of a tree without leaves.
pub(crate) fn empty_root() -> Hash {
    hash(&[])
}

/// The root of a complete subtree over these, of which there are a power of two.
pub(crate) fn complete_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&complete_root(left), &complete_root(right))
        }
    }
}

pub(crate) fn hash(pieces: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    /// A tree that grows, of which only the roots of its complete subtrees are kept: what tiles are compared with.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Tree {
        size: u64,
        /// The roots of complete subtrees, largest first: one for each bit of the size.
        subtrees: Vec<Hash>,
    }

    impl Tree {
        /// How many leaves it has.
        pub(crate) fn size(&self) -> u64 {
            self.size
        }

        /// Appends the hash of a leaf.
        pub(crate) fn append_hash(&mut self, leaf: Hash) {
            let mut root = leaf;
            for _ in 0..self.size.trailing_ones() {
                let left = self.subtrees.pop().unwrap_or_default();
                root = node_hash(&left, &root);
            }
            self.subtrees.push(root);
            self.size += 1;
        }

        /// The root.
        pub(crate) fn root(&self) -> Hash {
            let mut subtrees = self.subtrees.iter().rev();
            let Some(smallest) = subtrees.next() else { return empty_root() };
            subtrees.fold(*smallest, |right, left| node_hash(left, &right))
        }
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        // The vectors of the reference implementation of RFC 6962, whose tree RFC 9162 kept.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut tree = Tree::default();
        assert_eq!(STANDARD.encode(tree.root()), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        let mut found = Vec::new();
        for leaf in leaves {
            tree.append_hash(leaf_hash(leaf));
            found.push(tree.root());
        }
        let expected = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        assert_eq!(found.iter().map(hex::encode).collect::<Vec<_>>(), expected);
    }
}
