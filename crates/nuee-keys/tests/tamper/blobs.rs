//! Alterations of a sealed blob and of its wrapped key.

use std::sync::Arc;

use nuee_base::Environment;
use nuee_keys::{
    BlobIdentity, CHUNK_SIZE, Error, HEADER_SIZE, Opener, ProjectKey, Sealer, TAG_SIZE, WrappedDataKey,
};

use crate::{
    Tally,
    support::{Platform, Seeded, environment, identity},
};

const SEALED_CHUNK: usize = CHUNK_SIZE + TAG_SIZE;

/// All that it takes to open a blob.
#[derive(Clone)]
pub(crate) struct Blob {
    pub(crate) identity: BlobIdentity,
    pub(crate) key: Arc<ProjectKey>,
    pub(crate) wrapped: [u8; WrappedDataKey::SIZE],
    pub(crate) sealed: Vec<u8>,
    pub(crate) size: u64,
}

impl Blob {
    pub(crate) fn seal(
        environment: &Environment,
        key: &Arc<ProjectKey>,
        identity: BlobIdentity,
        plain: &[u8],
    ) -> Self {
        let (data_key, wrapped) = key.fresh_data_key(environment, identity).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(plain).unwrap();
        let blob = Self {
            identity,
            key: Arc::clone(key),
            wrapped: wrapped.to_bytes(),
            sealed,
            size: plain.len() as u64,
        };
        assert!(blob.open().unwrap() == plain, "what was not altered opens");
        blob
    }

    /// Opens all of it, whatever was done to it.
    pub(crate) fn open(&self) -> Result<Vec<u8>, Error> {
        let wrapped = WrappedDataKey::from_bytes(&self.wrapped)?;
        let data_key = self.key.open_data_key(self.identity, &wrapped)?;
        let (header, body) = self.sealed.split_at(self.sealed.len().min(HEADER_SIZE));
        let opener = Opener::new(data_key, &wrapped, header)?;
        let mut body = body.to_vec();
        let opened = opener.open_range(self.size, &(0..self.size), &mut body)?;
        Ok(opened.into_iter().flat_map(|place| body[place].to_vec()).collect())
    }

    fn chunks(&self) -> Vec<&[u8]> {
        self.sealed[HEADER_SIZE..].chunks(SEALED_CHUNK).collect()
    }

    fn with_chunks(&self, chunks: &[&[u8]]) -> Self {
        let header = &self.sealed[..HEADER_SIZE];
        Self { sealed: [&[header], chunks].concat().concat(), ..self.clone() }
    }
}

/// Blobs of one project: empty, small, of two full chunks, of three chunks and a bit.
fn blobs(seed: u64) -> [Blob; 4] {
    let (platform, random) = (Platform::new(environment(seed)), Seeded::new(seed + 1));
    let key = platform.project_key(1, 1, 1);
    let sizes = [0, 100, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE + 1_000];
    sizes.map(|size| Blob::seal(&platform.environment, &key, identity(1, 1), &random.bytes(size)))
}

/// Flips each of these bits of the sealed bytes in turn.
fn flip_bits(tally: &mut Tally, kind: &'static str, blob: &Blob, bits: impl IntoIterator<Item = usize>) {
    let mut altered = blob.clone();
    for bit in bits {
        altered.sealed[bit / 8] ^= 1 << (bit % 8);
        tally.refused(kind, &altered.open(), || format!("bit {bit} of {} bytes", blob.sealed.len()));
        altered.sealed[bit / 8] ^= 1 << (bit % 8);
    }
}

pub(crate) fn flip(tally: &mut Tally) {
    let [empty, small, _, large] = blobs(10);
    let header = 0..HEADER_SIZE * 8;
    for blob in [&empty, &small, &large] {
        flip_bits(tally, "header: a bit flipped", blob, header.clone());
        for bit in 0..WrappedDataKey::SIZE * 8 {
            let mut altered = blob.clone();
            altered.wrapped[bit / 8] ^= 1 << (bit % 8);
            tally.refused("wrapped key: a bit flipped", &altered.open(), || format!("bit {bit}"));
        }
    }
    for blob in [&empty, &small] {
        flip_bits(tally, "chunk: a bit flipped", blob, header.end..blob.sealed.len() * 8);
    }
    let random = Seeded::new(11);
    let mut start = HEADER_SIZE;
    for chunk in large.chunks() {
        let tag = start + chunk.len() - TAG_SIZE;
        flip_bits(tally, "tag: a bit flipped", &large, tag * 8..(tag + TAG_SIZE) * 8);
        let edges = [start * 8, start * 8 + 7, tag * 8 - 8, tag * 8 - 1];
        let length = chunk.len() as u64 - TAG_SIZE as u64;
        let seeded = (0..100).map(|_| start * 8 + usize::try_from(random.next() % (length * 8)).unwrap());
        flip_bits(tally, "chunk: a bit flipped", &large, edges.into_iter().chain(seeded));
        start += chunk.len();
    }
}

pub(crate) fn cut_and_extend(tally: &mut Tally) {
    let random = Seeded::new(21);
    for blob in blobs(20) {
        let whole = blob.sealed.len();
        let edges = (0..=blob.chunks().len()).map(|chunk| HEADER_SIZE + chunk * SEALED_CHUNK);
        let around = edges.flat_map(|edge| {
            [edge - 17, edge - 16, edge - 15, edge - 1, edge, edge + 1, edge + 15, edge + 16, edge + 17]
        });
        let mut lengths: Vec<_> = (0..=HEADER_SIZE + 200).chain(around).chain(whole - 40..whole).collect();
        lengths.retain(|length| *length < whole);
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            let mut cut = blob.clone();
            cut.sealed.truncate(length);
            tally.refused("truncated", &cut.open(), || format!("{length} of {whole} bytes"));
        }
        let last = blob.chunks().last().unwrap().to_vec();
        let tails = (1..=40).flat_map(|length| [vec![0; length], random.bytes(length)]);
        for tail in tails.chain([last, blob.sealed[HEADER_SIZE..].to_vec(), blob.sealed.clone()]) {
            let extended = Blob { sealed: [&blob.sealed[..], &tail].concat(), ..blob.clone() };
            tally.refused("extended", &extended.open(), || format!("by {} bytes", tail.len()));
        }
    }
}

pub(crate) fn rearrange(tally: &mut Tally) {
    let [_, _, full, large] = blobs(30);
    // Other blobs of the same project, of the same sizes, one with the same text.
    let platform = Platform::new(environment(31));
    let key = platform.project_key(1, 1, 1);
    let same_text =
        |blob: &Blob| Blob::seal(&platform.environment, &key, identity(1, 2), &blob.open().unwrap());
    for blob in [&full, &large] {
        let (chunks, other) = (blob.chunks(), same_text(blob));
        let count = chunks.len();
        let mut refuse = |kind, chunks: &[&[u8]]| {
            tally.refused(kind, &blob.with_chunks(chunks).open(), || format!("of {count} chunks"));
        };
        for one in 0..count {
            for place in 0..=count {
                let mut duplicated = chunks.clone();
                duplicated.insert(place, chunks[one]);
                refuse("chunks: one duplicated", &duplicated);
                // In the place of another, so that the number stays.
                if place < count && place != one {
                    let mut replaced = chunks.clone();
                    replaced[place] = chunks[one];
                    refuse("chunks: one in the place of another", &replaced);
                    let mut swapped = chunks.clone();
                    swapped.swap(one, place);
                    refuse("chunks: two swapped", &swapped);
                }
            }
            let mut dropped = chunks.clone();
            dropped.remove(one);
            refuse("chunks: one dropped", &dropped);
            let mut foreign = chunks.clone();
            foreign[one] = other.chunks()[one];
            refuse("chunks: one of another blob", &foreign);
            let mut rotated = chunks.clone();
            rotated.rotate_left(one);
            if one > 0 {
                refuse("chunks: rotated", &rotated);
            }
        }
        let reversed: Vec<_> = chunks.iter().rev().copied().collect();
        refuse("chunks: reversed", &reversed);
        refuse("chunks: all of another blob", &other.chunks());
        refuse("chunks: none", &[]);
    }
}

/// The last chunk is marked: bytes that are cut or extended together with the size that is told do not open either.
pub(crate) fn lie_about_the_size(tally: &mut Tally) {
    for blob in blobs(40) {
        let chunk = CHUNK_SIZE as u64;
        let edges = (0..6).flat_map(|number| [number * chunk, number * chunk + 1, (number + 1) * chunk - 1]);
        let near = [blob.size.wrapping_sub(1), blob.size + 1, blob.size + 16, blob.size + chunk, u64::MAX];
        for size in edges.chain(near).filter(|size| *size != blob.size) {
            let lie = Blob { size, ..blob.clone() };
            tally.refused("size: a lie", &lie.open(), || format!("{size} for {}", blob.size));
            let mut fitting = lie.clone();
            if let Ok(length) = usize::try_from(nuee_keys::sealed_size(size).min(1 << 20)) {
                fitting.sealed.resize(length, 0);
                tally.refused("size: a lie, bytes made to fit", &fitting.open(), || format!("{size}"));
            }
        }
        for count in 1..blob.chunks().len() {
            let mut first = blob.with_chunks(&blob.chunks()[..count]);
            first.size = count as u64 * chunk;
            tally.refused("last chunk: whole chunks cut", &first.open(), || format!("{count} chunks stay"));
            // The true last chunk moved up to the end of what stays.
            let last = *blob.chunks().last().unwrap();
            let mut moved = blob.with_chunks(&[&blob.chunks()[..count - 1], &[last]].concat());
            moved.size = (count as u64 - 1) * chunk + last.len() as u64 - TAG_SIZE as u64;
            tally.refused("last chunk: moved up", &moved.open(), || format!("to place {count}"));
        }
        if blob.size > 0 && blob.size % chunk == 0 {
            let mut longer = blob.with_chunks(&[&blob.chunks()[..], &[blob.chunks()[0]]].concat());
            longer.size += chunk;
            tally.refused("last chunk: one more after it", &longer.open(), String::new);
        }
    }
}
