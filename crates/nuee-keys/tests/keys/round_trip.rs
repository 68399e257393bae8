//! What was sealed opens to what it was, whole and in ranges, however it was cut on its way.

use std::ops::Range;

use nuee_keys::{
    BlobIdentity, CHUNK_SIZE, Error, HEADER_SIZE, Opener, ProjectKey, Sealer, TAG_SIZE, WrappedDataKey,
    sealed_size,
};
use proptest::prelude::*;

use crate::support::{Platform, Seeded, environment, identity};

/// Opens a range as a reader does: reads what [`Opener::sealed_range`] says, and no more.
fn open(
    key: &ProjectKey,
    identity: BlobIdentity,
    wrapped: &WrappedDataKey,
    sealed: &[u8],
    (size, range): (u64, Range<u64>),
) -> Vec<u8> {
    let opener =
        Opener::new(key.open_data_key(identity, wrapped).unwrap(), wrapped, &sealed[..HEADER_SIZE]).unwrap();
    let at = Opener::sealed_range(size, &range);
    let mut read = sealed[usize::try_from(at.start).unwrap()..usize::try_from(at.end).unwrap()].to_vec();
    let opened = opener.open_range(size, &range, &mut read).unwrap();
    opened.into_iter().flat_map(|place| read[place].to_vec()).collect()
}

/// The sizes at which a chunk begins, is full, or is one more than full.
fn edges() -> Vec<usize> {
    let around =
        |chunks: usize| [chunks * CHUNK_SIZE, chunks * CHUNK_SIZE + 1, (chunks + 1) * CHUNK_SIZE - 1];
    (0..4).flat_map(around).chain([2, 15, 16, 17, 4_096]).collect()
}

#[test]
fn every_size_around_an_edge_opens_to_what_it_was() {
    let (platform, random) = (Platform::new(environment(1)), Seeded::new(2));
    let key = platform.project_key(1, 1, 1);
    for size in edges() {
        let plain = random.bytes(size);
        let (data_key, wrapped) = key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(&plain).unwrap();
        assert_eq!(sealed.len() as u64, sealed_size(size as u64), "{size}");
        let chunks = size.div_ceil(CHUNK_SIZE).max(1);
        assert_eq!(sealed.len(), HEADER_SIZE + size + chunks * TAG_SIZE, "{size}");
        let whole = (size as u64, 0..size as u64);
        assert!(open(&key, identity(1, 1), &wrapped, &sealed, whole) == plain, "{size}");
    }
}

#[test]
fn an_empty_range_gives_nothing_and_is_checked_all_the_same() {
    let platform = Platform::new(environment(3));
    let key = platform.project_key(1, 1, 1);
    for size in [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1] {
        let (data_key, wrapped) = key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(&vec![7; size]).unwrap();
        for at in [0, size / 2, size] {
            let (size, at) = (size as u64, at as u64);
            assert!(open(&key, identity(1, 1), &wrapped, &sealed, (size, at..at)).is_empty());
            let read = Opener::sealed_range(size, &(at..at));
            let read = usize::try_from(read.start).unwrap()..usize::try_from(read.end).unwrap();
            let mut altered = sealed[read].to_vec();
            altered[0] ^= 1;
            let data_key = key.open_data_key(identity(1, 1), &wrapped).unwrap();
            let opener = Opener::new(data_key, &wrapped, &sealed[..HEADER_SIZE]).unwrap();
            assert!(matches!(opener.open_range(size, &(at..at), &mut altered), Err(Error::Tampered)));
        }
    }
}

#[test]
fn a_chunk_of_another_size_is_not_sealed() {
    let platform = Platform::new(environment(4));
    let key = platform.project_key(1, 1, 1);
    let sealer = || Sealer::new(key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap().0);
    let mut out = Vec::new();
    for size in [0, CHUNK_SIZE - 1, CHUNK_SIZE + 1] {
        assert!(
            matches!(sealer().seal_chunk(&vec![0; size], &mut out), Err(Error::WrongChunk(wrong)) if wrong == size)
        );
    }
    assert!(matches!(sealer().finish(&vec![0; CHUNK_SIZE + 1], &mut out), Err(Error::WrongChunk(_))));
    assert!(out.is_empty());
}

#[test]
fn two_blobs_of_the_same_text_have_nothing_in_common() {
    let platform = Platform::new(environment(5));
    let key = platform.project_key(1, 1, 1);
    let seal = || {
        Sealer::new(key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap().0).seal_whole(&[0; 64])
    };
    let (first, second) = (seal().unwrap(), seal().unwrap());
    let equal = first[12..].iter().zip(&second[12..]).filter(|(first, second)| first == second).count();
    assert!(equal < 8, "{equal} bytes are equal");
}

/// A size near an edge of a chunk, and a range in it.
fn sizes_and_ranges() -> impl Strategy<Value = (usize, Range<usize>)> {
    let size = prop_oneof![
        0..3 * CHUNK_SIZE,
        (0..4_usize, 0..40_usize).prop_map(|(chunks, more)| (chunks * CHUNK_SIZE + more).saturating_sub(20)),
    ];
    size.prop_flat_map(|size| (Just(size), 0..=size, 0..=size))
        .prop_map(|(size, one, other)| (size, one.min(other)..one.max(other)))
}

#[test]
fn a_range_is_a_slice() {
    let platform = Platform::new(environment(6));
    let key = platform.project_key(1, 1, 1);
    proptest!(|((size, range) in sizes_and_ranges(), seed in any::<u64>())| {
        let plain = Seeded::new(seed).bytes(size);
        let (data_key, wrapped) = key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(&plain).unwrap();
        let wanted = range.start as u64..range.end as u64;
        let opened = open(&key, identity(1, 1), &wrapped, &sealed, (size as u64, wanted));
        prop_assert!(opened == plain[range]);
    });
}

#[test]
fn a_stream_is_sealed_as_the_whole_is() {
    let platform = Platform::new(environment(7));
    let key = platform.project_key(1, 1, 1);
    proptest!(|(size in 0..3 * CHUNK_SIZE, seed in any::<u64>())| {
        let plain = Seeded::new(seed).bytes(size);
        // The same seed twice gives the same key twice, so that the sealed bytes can be compared.
        let sealer = || Sealer::new(key.fresh_data_key(&environment(seed), identity(1, 1)).unwrap().0);
        let mut streaming = sealer();
        let mut streamed = streaming.header().to_vec();
        let whole = size.saturating_sub(1) / CHUNK_SIZE * CHUNK_SIZE;
        for chunk in plain[..whole].chunks(CHUNK_SIZE) {
            streaming.seal_chunk(chunk, &mut streamed).unwrap();
        }
        streaming.finish(&plain[whole..], &mut streamed).unwrap();
        prop_assert!(streamed == sealer().seal_whole(&plain).unwrap());
        prop_assert_eq!(streamed.len() as u64, sealed_size(size as u64));
    });
}
