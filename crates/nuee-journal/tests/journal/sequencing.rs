//! The tree and its checkpoints: those of another implementation of the same specifications.

use std::cell::RefCell;

use nuee_journal::{Error, Journal, SignedCheckpoint, check_consistency};
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{HashReader, Tile};

use crate::support::{ORIGIN, Platform};

/// The tree as another implementation makes it from what the journal's rows say.
#[derive(Default)]
struct Theirs(RefCell<Vec<tlog_tiles::Hash>>);

impl HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let hashes = self.0.borrow();
        Ok(indexes.iter().map(|index| hashes[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Theirs {
    fn of(platform: &Platform) -> (Self, u64) {
        let theirs = Self::default();
        let rows = platform.metadata.read(|snapshot| snapshot.bare_leaves(0, u32::MAX)).unwrap();
        for (index, row) in rows.iter().enumerate() {
            let mut data = row.id.to_be_bytes().to_vec();
            data.extend(row.at.as_micros().to_be_bytes());
            data.extend(row.organisation.to_bytes());
            data.extend(&row.content);
            let hashes = tlog_tiles::stored_hashes(u64::try_from(index).unwrap(), &data, &theirs).unwrap();
            theirs.0.borrow_mut().extend(hashes);
        }
        (theirs, u64::try_from(rows.len()).unwrap())
    }
}

fn assert_is_theirs(platform: &Platform, signed: &SignedCheckpoint) {
    let (theirs, size) = Theirs::of(platform);
    assert_eq!(signed.checkpoint.size, size);
    assert_eq!(signed.checkpoint.root, tlog_tiles::tree_hash(size, &theirs).unwrap().0);
    for tile in Tile::new_tiles(8, 0, size) {
        let level = tile.level();
        let number = i64::try_from(tile.level_index()).unwrap();
        let kept = platform.metadata.read(|snapshot| snapshot.tile(level, number)).unwrap();
        assert_eq!(kept.unwrap_or_default(), tile.read_data(&theirs).unwrap(), "{}", tile.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_its_tiles_and_its_signature_are_those_of_another_implementation() {
    let platform = Platform::new();
    for count in [0, 1, 2, 252, 1, 1, 400] {
        platform.append(count).await;
        let signed = platform.journal.sequence().await.unwrap();
        if signed.checkpoint.size > 0 {
            assert_is_theirs(&platform, &signed);
        }
        let key = platform.journal.verifier_key().unwrap().to_string();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&key).unwrap())]);
        let note = signed_note::Note::from_bytes(signed.to_string().as_bytes()).unwrap();
        assert_eq!(note.verify(&known).unwrap().0.len(), 1);
        assert_eq!(platform.journal.checkpoint().unwrap(), Some(signed));
    }
    assert_eq!(platform.findings(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_of_earlier_releases_stay_and_others_follow() {
    let platform = Platform::new();
    for key in ["a", "b", "c"] {
        platform.append_form_1(key).await;
    }
    let before = platform.journal.sequence().await.unwrap().checkpoint;
    platform.append(7).await;
    let signed = platform.journal.sequence().await.unwrap();
    assert_is_theirs(&platform, &signed);
    let found = platform.metadata.read_consistent(|snapshot| {
        let mut keys = Vec::new();
        let found = platform.journal.verify(snapshot, Some(&before), |leaf| keys.extend(leaf.key))?;
        assert_eq!(keys.len(), 10);
        Ok::<_, Error>(found)
    });
    assert_eq!(found.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sequences_goes_on_where_the_last_one_was() {
    let platform = Platform::new();
    platform.append(300).await;
    let first = platform.journal.sequence().await.unwrap().checkpoint;
    platform.append(300).await;
    let another = || Journal::new(platform.metadata.clone(), platform.keys.clone(), ORIGIN.into());
    let journal = another();
    let [one, two] = [journal.clone(), journal].map(|journal| async move { journal.sequence().await });
    let (one, two) = tokio::join!(one, two);
    let second = one.unwrap().checkpoint;
    assert_eq!((second.size, &second), (600, &two.unwrap().checkpoint));
    let submission = platform.journal.submission(first.size).unwrap().unwrap();
    let proof = &submission.proof;
    assert!(check_consistency((first.size, first.root), (second.size, second.root), proof));
    assert!(platform.journal.submission(601).unwrap().is_none());
    assert_eq!(platform.findings(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_of_a_journal_that_was_cut() {
    let platform = Platform::new();
    platform.append(10).await;
    platform.journal.sequence().await.unwrap();
    platform.thief().execute("DELETE FROM journal WHERE id > 7", ()).unwrap();
    assert!(matches!(platform.journal.sequence().await, Err(Error::Cut { found: 7, signed: 10 })));
    assert_eq!(platform.findings().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_is_missing_stops_the_sequencer() {
    let platform = Platform::new();
    platform.append(10).await;
    platform.thief().execute("DELETE FROM journal WHERE id = 4", ()).unwrap();
    assert!(matches!(platform.journal.sequence().await, Err(Error::Damaged { leaf: 4, .. })));
}
