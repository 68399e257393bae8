//! Files to send, and how those that came back are compared.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufReader, Read, Write},
    path::Path,
};

pub(crate) const MIB: u64 = 1 << 20;

/// Sizes at which clients and the store do things in another way.
pub(crate) const SIZES: [u64; 3] = [0, 1, 5 * MIB + 1];

/// Names that URLs, shells or XML treat in their own way, and file systems do not.
pub(crate) const AWKWARD_NAMES: &[&str] = &[
    "été à la plage.txt",
    "日本語/ファイル",
    "🦀",
    "e\u{301} apart",
    "\u{e9} together",
    "a b  c",
    " around ",
    "100%",
    "%2F",
    "a%2Fb",
    "a+b",
    "a&b=c",
    "a?b#c",
    "a=b;c:d,e@f$g!h(i)[j]{k}^m`n",
    "'single' and \"double\"",
    "<Key>&amp;<|Key>",
    "back\\slash",
    "..two dots",
    "two dots..",
    "~",
    "*",
    "deep/er/and/deep er/still",
];

/// A path of 1,024 bytes, which is the most that a key may have, of names that file systems take.
pub(crate) fn longest_name() -> String {
    let name = "é".repeat(31) + "x";
    [&*name; 16].join("/") + "x"
}

/// Writes a file that looks random and is the same for the same seed; makes the directories above it.
pub(crate) fn write_file(path: &Path, size: u64, seed: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    let mut left = usize::try_from(size).unwrap();
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        for word in piece.chunks_exact_mut(8) {
            // xorshift64*
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            word.copy_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        let length = left.min(piece.len());
        file.write_all(&piece[..length]).unwrap();
        left -= length;
    }
}

/// Writes a file of each awkward name, of different sizes, and more: empty, large, in directories.
pub(crate) fn write_tree(root: &Path, names: &[&str]) {
    for (seed, name) in (1..).zip(names) {
        write_file(&root.join(name), seed * 7, seed);
    }
    for size in SIZES {
        write_file(&root.join(format!("sizes/{size}")), size, size);
    }
}

/// Asserts that two files have the same bytes.
pub(crate) fn assert_same_file(one: &Path, other: &Path) {
    let open = |path: &Path| {
        File::open(path).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display()))
    };
    let (mut one_file, mut other_file) = (BufReader::new(open(one)), BufReader::new(open(other)));
    let sizes =
        (one_file.get_ref().metadata().unwrap().len(), other_file.get_ref().metadata().unwrap().len());
    assert_eq!(sizes.0, sizes.1, "sizes of {} and {}", one.display(), other.display());
    let (mut one_piece, mut other_piece) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut left = usize::try_from(sizes.0).unwrap();
    while left > 0 {
        let length = left.min(one_piece.len());
        one_file.read_exact(&mut one_piece[..length]).unwrap();
        other_file.read_exact(&mut other_piece[..length]).unwrap();
        // Not assert_eq, which would print a mebibyte.
        assert!(
            one_piece[..length] == other_piece[..length],
            "{} and {} differ",
            one.display(),
            other.display()
        );
        left -= length;
    }
}

/// The files below a directory, by their names relative to it.
pub(crate) fn names_below(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                names.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names
}

/// Asserts that two directories have the same files.
pub(crate) fn assert_same_tree(one: &Path, other: &Path) {
    let names = names_below(one);
    assert_eq!(names, names_below(other));
    for name in names {
        assert_same_file(&one.join(&name), &other.join(&name));
    }
}
