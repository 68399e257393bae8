//! What is whole but stands in another place: another blob, organisation, project or key version.

use std::sync::Arc;

use nuee_keys::{Error, HEADER_SIZE, WrappedDataKey};

use crate::{
    Tally,
    blobs::Blob,
    support::{Platform, Seeded, environment, identity, organisation, project},
};

const SIZE: usize = 200;

/// Blobs of one size: two of one project, one under the project's next key version, one of another project, one of
/// another organisation that has the same project id and blob id as the first.
fn subjects(platform: &Platform) -> [Blob; 5] {
    let random = Seeded::new(51);
    let key = platform.project_key(1, 1, 1);
    let keys = [
        (Arc::clone(&key), identity(1, 1)),
        (key, identity(1, 2)),
        (platform.project_key(1, 1, 2), identity(1, 3)),
        (platform.project_key(1, 2, 1), identity(1, 4)),
        (platform.project_key(2, 1, 1), identity(2, 1)),
    ];
    keys.map(|(key, identity)| Blob::seal(&platform.environment, &key, identity, &random.bytes(SIZE)))
}

/// All combinations of the identity, the project's key, the wrapped key, the header and the body of five blobs.
pub(crate) fn exchange(tally: &mut Tally) {
    let subjects = subjects(&Platform::new(environment(50)));
    for number in 0..5_usize.pow(5) {
        let [place, key, wrapped, header, body] =
            [0, 1, 2, 3, 4].map(|digit| number / 5_usize.pow(digit) % 5);
        let mixed = Blob {
            identity: subjects[place].identity,
            key: Arc::clone(&subjects[key].key),
            wrapped: subjects[wrapped].wrapped,
            sealed: [&subjects[header].sealed[..HEADER_SIZE], &subjects[body].sealed[HEADER_SIZE..]].concat(),
            size: SIZE as u64,
        };
        let one_blob = [wrapped, header, body] == [place; 3];
        if one_blob && Arc::ptr_eq(&mixed.key, &subjects[place].key) {
            assert!(mixed.open().is_ok(), "nothing is mixed");
            continue;
        }
        let which =
            || format!("identity {place}, key {key}, wrapped {wrapped}, header {header}, body {body}");
        tally.refused("exchanged: identity, keys, header, body", &mixed.open(), which);
    }
}

/// The fields of wrapped keys, each of which may come from another blob, and the header or not with them.
pub(crate) fn exchange_fields(tally: &mut Tally) {
    let subjects = subjects(&Platform::new(environment(52)));
    let fields = [2..6, 6..38, 38..86, 86..118];
    for (one, other) in subjects.iter().flat_map(|one| subjects.iter().map(move |other| (one, other))) {
        if one.wrapped == other.wrapped {
            continue;
        }
        for (set, header) in (1..15_u8).flat_map(|set| [(set, one), (set, other)]) {
            let mut mixed = one.clone();
            mixed.sealed[..HEADER_SIZE].copy_from_slice(&header.sealed[..HEADER_SIZE]);
            for (_, field) in fields.iter().enumerate().filter(|(number, _)| set >> number & 1 == 1) {
                mixed.wrapped[field.clone()].copy_from_slice(&other.wrapped[field.clone()]);
            }
            if mixed.wrapped == one.wrapped && std::ptr::eq(header, one) {
                continue;
            }
            tally.refused("wrapped key: fields of another", &mixed.open(), || format!("set {set:04b}"));
        }
        // The commitment alone, in the header alone.
        let mut mixed = one.clone();
        mixed.sealed[44..HEADER_SIZE].copy_from_slice(&other.sealed[44..HEADER_SIZE]);
        tally.refused("header: the commitment of another", &mixed.open(), String::new);
    }
}

pub(crate) fn change_the_version(tally: &mut Tally) {
    let platform = Platform::new(environment(53));
    let blob = Blob::seal(&platform.environment, &platform.project_key(1, 1, 7), identity(1, 1), b"text");
    for version in (0..64_u32).chain((6..32).map(|bit| 7 | 1 << bit)).filter(|version| *version != 7) {
        let mut changed = blob.clone();
        changed.wrapped[2..6].copy_from_slice(&version.to_be_bytes());
        let which = || format!("version {version}");
        tally.refused("key version: changed", &changed.open(), which);
        // The key that the row names now.
        changed.key = platform.project_key(1, 1, version);
        tally.refused("key version: changed, that key given", &changed.open(), which);
    }
    for length in (0..300).filter(|length| *length != WrappedDataKey::SIZE) {
        let mut bytes = blob.wrapped.to_vec();
        bytes.resize(length, 0);
        let result = WrappedDataKey::from_bytes(&bytes);
        tally.refused("wrapped key: another length", &result, || format!("{length}"));
    }
}

pub(crate) fn tamper_with_project_keys(tally: &mut Tally) {
    let platform = Platform::new(environment(54));
    let wrapped = platform.ring().create_project_key(organisation(1), project(1), 1).unwrap();
    // Each attempt has a new ring, which has nothing in memory.
    let open = |of: u8, number: u8, version: u32, wrapped: Vec<u8>| {
        let ring = platform.ring();
        let load = || Ok::<_, Error>(wrapped);
        ring.project_key(organisation(of), project(number), version, load).map(|_| ())
    };
    open(1, 1, 1, wrapped.clone()).unwrap();
    for (of, number, version) in [(2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 1, 0), (2, 2, 2), (3, 1, 1)] {
        let result = open(of, number, version, wrapped.clone());
        tally.refused("project key: elsewhere", &result, || format!("{of} {number} {version}"));
    }
    for (kind, altered) in alterations(&wrapped, ["project key: a bit flipped", "project key: cut, extended"])
    {
        tally.refused(kind, &open(1, 1, 1, altered), String::new);
    }
    let secret = platform.ring().wrap(organisation(1), b"another purpose", &[1; 32]).unwrap();
    tally.refused("project key: another secret in its place", &open(1, 1, 1, secret), String::new);
}

pub(crate) fn tamper_with_records(tally: &mut Tally) {
    let platform = Platform::new(environment(55));
    let key = platform.project_key(1, 1, 1);
    let record = key.seal_record(&platform.environment, "details", b"bucket/key", b"text/plain").unwrap();
    assert_eq!(&*key.open_record("details", b"bucket/key", &record).unwrap(), b"text/plain");
    // Lengths are sealed with the names: what moves from one name to the next is another place.
    for (purpose, context) in [
        ("detail", "bucket/key"),
        ("detail", "sbucket/key"),
        ("detailsb", "ucket/key"),
        ("", "bucket/key"),
        ("detailsbucket/key", ""),
        ("details", ""),
        ("details", "bucket/ke"),
        ("details", "bucket/key2"),
        ("details", "Bucket/key"),
        ("tags", "bucket/key"),
    ] {
        let result = key.open_record(purpose, context.as_bytes(), &record);
        tally.refused("record: purpose or place", &result, || format!("{purpose:?} {context:?}"));
    }
    for (of, number, version) in [(1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2)] {
        let other = platform.project_key(of, number, version);
        let mut told = record.clone();
        told[..4].copy_from_slice(&version.to_be_bytes());
        for record in [&record, &told] {
            let result = other.open_record("details", b"bucket/key", record);
            tally.refused("record: another key", &result, || format!("{of} {number} {version}"));
        }
    }
    for (kind, altered) in alterations(&record, ["record: a bit flipped", "record: cut, extended"]) {
        tally.refused(kind, &key.open_record("details", b"bucket/key", &altered), String::new);
    }
}

/// Every bit flipped, every length cut, and some extended.
fn alterations(
    bytes: &[u8],
    [flipped, cut]: [&'static str; 2],
) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let bits = (0..bytes.len() * 8).map(move |bit| {
        let mut altered = bytes.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        (flipped, altered)
    });
    let lengths = (0..bytes.len() + 40).filter(|length| *length != bytes.len()).map(move |length| {
        let mut altered = bytes.to_vec();
        altered.resize(length, 0);
        (cut, altered)
    });
    bits.chain(lengths)
}
