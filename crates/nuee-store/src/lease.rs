//! Leases: what is being read is not reclaimed.
//!
//! A blob that is open stays readable, whatever becomes of it. The parts of an object are opened one after the other, as
//! the client takes them, however slowly; so whoever reads them holds a lease on the upload that they came by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The leases of a store.
#[derive(Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<[u8; 16], usize>>>);

/// A lease. It ends when it is dropped.
pub(crate) struct Lease {
    id: [u8; 16],
    leases: Leases,
}

impl Leases {
    /// A lease on what has this id.
    pub(crate) fn take(&self, id: [u8; 16]) -> Lease {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default() += 1;
        Lease { id, leases: self.clone() }
    }

    /// Whether somebody reads what has this id.
    pub(crate) fn is_held(&self, id: [u8; 16]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leases = self.leases.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = leases.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                leases.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Leases;

    #[test]
    fn a_lease_is_held_until_the_last_holder_is_gone() {
        let leases = Leases::default();
        let (one, other) = (leases.take([1; 16]), leases.take([1; 16]));
        drop(one);
        assert!(leases.is_held([1; 16]) && !leases.is_held([2; 16]));
        drop(other);
        assert!(!leases.is_held([1; 16]));
    }
}
