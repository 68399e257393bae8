//! What was read from rows, kept in memory until a change makes it untrue.
//!
//! A [`RowCache`] never gives what a finished change has made untrue. Whoever changes rows returns a [`Forget`] as part
//! of the change's result: it is dropped after the commit, whether or not somebody still waits for that. A row that was
//! read before a change and comes to be kept after it is not kept.
//!
//! Deliberately absent: an order of eviction. A full cache is emptied, and what is used fills it again.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

/// What was made of rows, by key. Cheap to clone: clones share what they keep.
pub struct RowCache<K, V> {
    kept: Arc<RwLock<Kept<K, V>>>,
    limit: usize,
}

struct Kept<K, V> {
    entries: HashMap<K, V>,
    /// Grows with each change, so that what was read before one is not kept after it.
    changes: u64,
}

/// Forgets, when it is dropped, what a change makes untrue. To be returned by the change, so that it lives until the
/// commit.
pub struct Forget(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Forget {
    fn drop(&mut self) {
        if let Some(forget) = self.0.take() {
            forget();
        }
    }
}

impl fmt::Debug for Forget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forget")
    }
}

impl<K, V> RowCache<K, V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of up to `limit` entries.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { kept: Arc::new(RwLock::new(Kept { entries: HashMap::new(), changes: 0 })), limit }
    }

    /// What is kept under `key`, or what `read` gives, which is kept then.
    pub fn get_or_read<Q, E>(
        &self,
        key: &Q,
        read: impl FnOnce() -> Result<Option<V>, E>,
    ) -> Result<Option<V>, E>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let before = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = kept.entries.get(key) {
                return Ok(Some(value.clone()));
            }
            kept.changes
        };
        let Some(value) = read()? else { return Ok(None) };
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.changes == before {
            if kept.entries.len() >= self.limit {
                kept.entries.clear();
            }
            kept.entries.insert(key.to_owned(), value.clone());
        }
        Ok(Some(value))
    }

    /// Forgets the entries that `matches`, and whatever is being read, once the returned value is dropped.
    #[must_use = "it forgets when it is dropped: return it from the change"]
    pub fn forget(&self, matches: impl Fn(&K, &V) -> bool + Send + 'static) -> Forget {
        let kept = Arc::clone(&self.kept);
        Forget(Some(Box::new(move || {
            let mut kept = kept.write().unwrap_or_else(PoisonError::into_inner);
            kept.changes += 1;
            kept.entries.retain(|key, value| !matches(key, value));
        })))
    }
}

impl<K, V> Clone for RowCache<K, V> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), limit: self.limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn cache() -> RowCache<u32, u32> {
        RowCache::new(2)
    }

    fn get(cache: &RowCache<u32, u32>, row: u32) -> Option<u32> {
        cache.get_or_read(&1, || Ok::<_, Error>(Some(row))).unwrap()
    }

    #[test]
    fn what_was_read_is_kept_until_it_is_forgotten() {
        let cache = cache();
        assert_eq!((get(&cache, 10), get(&cache, 11)), (Some(10), Some(10)));
        let others = cache.forget(|_, value| *value == 11);
        drop(others);
        assert_eq!(get(&cache, 12), Some(10));
        let forget = cache.forget(|_, value| *value == 10);
        assert_eq!(get(&cache, 12), Some(10), "the change has not ended");
        drop(forget);
        assert_eq!(get(&cache, 12), Some(12));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = cache();
        let read = || {
            drop(cache.forget(|_, _| false));
            Ok::<_, Error>(Some(1))
        };
        assert_eq!(cache.get_or_read(&1, read).unwrap(), Some(1));
        assert_eq!(get(&cache, 2), Some(2));
    }

    #[test]
    fn nothing_is_kept_of_what_is_not_there_and_a_full_cache_is_emptied() {
        let cache = cache();
        assert_eq!(cache.get_or_read(&1, || Ok::<_, Error>(None)).unwrap(), None);
        assert_eq!(get(&cache, 1), Some(1));
        for key in [2, 3] {
            cache.get_or_read(&key, || Ok::<_, Error>(Some(key))).unwrap();
        }
        assert_eq!(get(&cache, 9), Some(9));
    }
}
