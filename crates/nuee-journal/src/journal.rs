//! The journal of a platform: the sequencer that makes the tree, and the checkpoints that it signs.
//!
//! Leaves are committed with what they tell of, and the tree follows: [`Journal::sequence`] reads the leaves after the last
//! checkpoint, appends them to the tiles, and writes the tiles with the next checkpoint in one transaction. It begins where
//! the last checkpoint ends, whoever was interrupted before.

use std::sync::Arc;

use nuee_keys::KeyRing;
use nuee_metadata::{LeafRow, Metadata, Snapshot, TileRow, Transaction};
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{
    Checkpoint, Error, Leaf, Recorder, SignedCheckpoint,
    note::{Note, Signature, SignatureKind, VerifierKey},
    tiles::Edge,
    tree::{entry, leaf_hash},
};

/// Leaves that are appended to the tree in one transaction.
const BATCH: u32 = 20_000;
/// The name of the checkpoint among the facts of the platform.
const CHECKPOINT: &str = "journal-checkpoint";

/// The journal of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Journal(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) metadata: Metadata,
    pub(crate) keys: Arc<KeyRing>,
    origin: String,
    pub(crate) recorder: Recorder,
    /// Held by whoever appends to the tree.
    sequencing: Mutex<()>,
}

/// The next tiles and the next checkpoint.
struct Step {
    /// How many leaves the tree had.
    from: u64,
    tiles: Vec<TileRow>,
    signed: SignedCheckpoint,
    is_last: bool,
}

impl Journal {
    /// The journal in this database, which checkpoints call `origin`.
    #[must_use]
    pub fn new(metadata: Metadata, keys: Arc<KeyRing>, origin: String) -> Self {
        let (recorder, sequencing) = (Recorder::default(), Mutex::default());
        Self(Arc::new(Shared { metadata, keys, origin, recorder, sequencing }))
    }

    /// What checkpoints call it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The public key by which its checkpoints are checked.
    pub fn verifier_key(&self) -> Result<VerifierKey, Error> {
        let key = self.0.keys.signing_key()?.public();
        Ok(VerifierKey::new(self.0.origin.clone(), SignatureKind::Note, key))
    }

    /// What a leaf says, JSON; `None` if it was erased.
    pub fn read_body(&self, row: &LeafRow) -> Result<Option<Vec<u8>>, Error> {
        Leaf::read_body(&self.0.keys, row)
    }

    /// The last checkpoint that was signed.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        self.0.metadata.read(|snapshot| self.checkpoint_in(snapshot))
    }

    /// The last checkpoint that was signed, as this snapshot has it.
    pub fn checkpoint_in(&self, snapshot: &Snapshot<'_>) -> Result<Option<SignedCheckpoint>, Error> {
        let Some(text) = snapshot.platform_value(CHECKPOINT)? else { return Ok(None) };
        let unfit = |detail: String| Error::Checkpoint(detail);
        let text = String::from_utf8(text).map_err(|error| unfit(error.to_string()))?;
        let opened = SignedCheckpoint::open(&text, &self.verifier_key()?);
        opened.map(Some).map_err(|error| unfit(error.to_string()))
    }

    /// Appends to the tree all leaves that it does not have yet; gives the checkpoint over all of them.
    pub async fn sequence(&self) -> Result<SignedCheckpoint, Error> {
        let _appending = self.0.sequencing.lock().await;
        loop {
            let journal = self.clone();
            let step = spawn_blocking(move || journal.step()).await.map_err(|_| Error::Interrupted)??;
            let (is_last, signed) = (step.is_last, step.signed.clone());
            if !step.tiles.is_empty() || step.from == 0 {
                let journal = self.clone();
                self.0.metadata.write(move |transaction| journal.keep(transaction, &step)).await?;
            }
            if is_last {
                return Ok(signed);
            }
        }
    }

    fn step(&self) -> Result<Step, Error> {
        self.0.metadata.read_consistent(|snapshot| {
            let kept = self.checkpoint_in(snapshot)?;
            let from = kept.as_ref().map_or(0, |signed| signed.checkpoint.size);
            let last = u64::try_from(snapshot.last_sequence()?).unwrap_or(0);
            if last < from {
                return Err(Error::Cut { found: last, signed: from });
            }
            if let Some(signed) = kept.filter(|_| last == from) {
                return Ok(Step { from, tiles: Vec::new(), signed, is_last: true });
            }
            let mut edge = Edge::read(snapshot, from)?;
            let after = i64::try_from(from).unwrap_or(i64::MAX);
            let mut tiles = Vec::new();
            for (row, expected) in snapshot.bare_leaves(after, BATCH)?.iter().zip(after + 1..) {
                if row.id != expected {
                    return Err(Error::Damaged { leaf: expected, detail: "it is missing".into() });
                }
                tiles.extend(edge.append(leaf_hash(&entry(row))));
            }
            tiles.extend(edge.partial_tiles());
            let signed = self.sign(&edge)?;
            Ok(Step { from, tiles, signed, is_last: edge.size() == last })
        })
    }

    fn sign(&self, edge: &Edge) -> Result<SignedCheckpoint, Error> {
        let checkpoint = Checkpoint { origin: self.0.origin.clone(), size: edge.size(), root: edge.root() };
        let text = checkpoint.to_string();
        let signature = Signature::of_note(&text, &self.0.origin, &*self.0.keys.signing_key()?);
        Ok(SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![signature] } })
    }

    /// Keeps the tiles and the checkpoint, unless somebody else was faster.
    fn keep(&self, transaction: &Transaction<'_>, step: &Step) -> Result<(), Error> {
        let kept = self.checkpoint_in(transaction)?.map_or(0, |signed| signed.checkpoint.size);
        if kept != step.from {
            return Err(Error::Checkpoint("another process has written one meanwhile".into()));
        }
        for tile in &step.tiles {
            transaction.put_tile(tile)?;
        }
        Ok(transaction.set_platform_value(CHECKPOINT, step.signed.to_string().as_bytes())?)
    }
}
