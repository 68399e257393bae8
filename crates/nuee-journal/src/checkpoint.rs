//! Checkpoints: the root of the Merkle tree over the leaves at one moment.
//!
//! The tree is that of [RFC 9162, section 2.1](https://www.rfc-editor.org/rfc/rfc9162#section-2.1) with SHA-256; the text
//! has the lines of a [C2SP checkpoint](https://c2sp.org/tlog-checkpoint), without a signature.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_metadata::LeafRow;
use sha2::{Digest, Sha256};

type Hash = [u8; 32];

/// The state of a journal at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose journal it is.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no checkpoint: {0}")]
pub struct InvalidCheckpoint(&'static str);

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut lines = text.lines();
        let mut line = |what| lines.next().filter(|line| !line.is_empty()).ok_or(InvalidCheckpoint(what));
        let origin = line("its first line says whose it is")?.to_owned();
        let wrong_size = "its second line is a number of leaves";
        let size = line(wrong_size)?.parse().map_err(|_| InvalidCheckpoint(wrong_size))?;
        let wrong_root = "its third line is a root of 32 bytes in base64";
        let root = STANDARD.decode(line(wrong_root)?).ok().and_then(|root| root.try_into().ok());
        Ok(Self { origin, size, root: root.ok_or(InvalidCheckpoint(wrong_root))? })
    }
}

/// A tree that grows, of which only the roots of its complete subtrees are kept.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    /// The roots of complete subtrees, largest first: one for each bit of the size.
    subtrees: Vec<Hash>,
}

impl Tree {
    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: number, time and organisation, eight, eight and sixteen bytes, big-endian, then the body.
    pub fn append(&mut self, leaf: &LeafRow) {
        let at = leaf.at.as_micros();
        self.append_hash(hash(&[
            &[0],
            &leaf.id.to_be_bytes(),
            &at.to_be_bytes(),
            &leaf.organisation.to_bytes(),
            &leaf.body,
        ]));
    }

    fn append_hash(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().unwrap_or_default();
            root = hash(&[&[1], &left, &root]);
        }
        self.subtrees.push(root);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        let Some(smallest) = subtrees.next() else { return hash(&[]) };
        subtrees.fold(*smallest, |right, left| hash(&[&[1], left, &right]))
    }
}

fn hash(pieces: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            tree.append_hash(hash(&[&[0], leaf]));
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

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let checkpoint = Checkpoint { origin: "nuee/example".into(), size: 7, root: [9; 32] };
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
        for text in ["", "nuee/x", "nuee/x\nmany\n", "nuee/x\n7\nAAAA\n", "nuee/x\n-1\n"] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text:?}");
        }
    }
}
