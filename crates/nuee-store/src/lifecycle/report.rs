//! What went, in numbers: whoever runs the platform sees these, and no key.

use super::{
    due::{Due, What},
    pages::Page,
};

/// What a rule let go, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LifecycleCount {
    /// Objects that were deleted; in a bucket that keeps versions they became older versions.
    pub objects: u64,
    /// Older versions that were removed for good.
    pub versions: u64,
    /// Delete markers that were removed.
    pub markers: u64,
    /// Uploads that were aborted.
    pub uploads: u64,
    /// Bytes of objects and versions that are gone for good; those of uploads are not counted.
    pub bytes: u64,
}

impl LifecycleCount {
    pub(super) fn add(&mut self, due: &Due) {
        match due.what {
            What::Object(_) => self.objects += 1,
            What::Version { .. } => self.versions += 1,
            What::Marker { .. } => self.markers += 1,
            What::Upload(_) => self.uploads += 1,
        }
        self.bytes += due.bytes;
    }

    fn merge(&mut self, other: &Self) {
        self.objects += other.objects;
        self.versions += other.versions;
        self.markers += other.markers;
        self.uploads += other.uploads;
        self.bytes += other.bytes;
    }
}

/// What became of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifecycleReport {
    /// What each rule let go, in the order of the rules. What several would let go counts with the first of them.
    pub rules: Vec<LifecycleCount>,
    /// Versions, delete markers and uploads that were looked at.
    pub seen: u64,
    /// Versions that a rule would let go, and a lock keeps.
    pub locked: u64,
    /// What is damaged, and stays.
    pub damaged: u64,
}

impl LifecycleReport {
    pub(super) fn add(&mut self, due: &Due) {
        if self.rules.len() <= due.rule {
            self.rules.resize_with(due.rule + 1, LifecycleCount::default);
        }
        self.rules[due.rule].add(due);
    }

    /// Counts what a page would let go.
    pub(super) fn count(&mut self, page: &Page) {
        page.due.iter().for_each(|due| self.add(due));
        self.seen += page.seen;
        self.locked += page.locked;
        self.damaged += page.damaged;
    }

    /// Adds what a page did let go.
    pub(super) fn merge(&mut self, page: &Self) {
        for (total, count) in self.rules.iter_mut().zip(&page.rules) {
            total.merge(count);
        }
        self.seen += page.seen;
        self.locked += page.locked;
        self.damaged += page.damaged;
    }
}

/// What a round did, or the part of one until it was cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LifecycleRound {
    /// What went.
    pub gone: LifecycleCount,
    /// Versions, delete markers and uploads that were looked at.
    pub seen: u64,
    /// Versions that a rule would let go, and a lock keeps.
    pub locked: u64,
    /// What is damaged, and stays.
    pub damaged: u64,
    /// Buckets that could not be gone through to their end: the next round comes to them again.
    pub failed: u64,
    /// Whether it was cut: the next one goes on from where it was.
    pub is_cut: bool,
}

impl LifecycleRound {
    pub(super) fn add(&mut self, page: &LifecycleReport) {
        page.rules.iter().for_each(|count| self.gone.merge(count));
        self.seen += page.seen;
        self.locked += page.locked;
        self.damaged += page.damaged;
    }
}
