//! At which moments the power is cut, and what becomes of pending changes then.
//!
//! The state after a call lasts until the next call ends, so a cut is placed as late as it can be: just before that.
//! Whatever a client had heard by then must be kept.

use crate::load::Random;
use crate::workload::Moment;

use super::image::Fate;
use super::trace::{Action, Event};

/// A cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// How many events of the trace had happened.
    pub(super) after: usize,
    /// What was heard before is kept.
    pub(super) at: Moment,
    pub(super) fate: Fate,
}

/// All cuts, in the order of the trace.
pub(super) struct Moments {
    pub(super) cuts: Vec<Cut>,
    pub(super) syncs: usize,
}

/// Plans so many images, or more where every sync would not get its own.
pub(super) fn plan(events: &[Event], images: usize, seed: u64) -> Moments {
    let syncs: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| matches!(event.action, Action::Sync { .. }))
        .map(|(place, _)| place)
        .collect();
    let mut random = Random::new(seed);
    let at = |after: usize| events.get(after).map_or(Moment::END, |event| event.at);
    let cut = |after, fate| Cut { after, at: at(after), fate };
    let mut cuts = Vec::new();
    // What was pending when a sync was about to return, and is lost: the cut that shows a sync that is missing.
    cuts.extend(syncs.iter().map(|&sync| cut(sync, Fate::Dropped)));
    let sides: Vec<usize> = syncs.iter().flat_map(|&sync| [sync, sync + 1]).collect();
    if images >= cuts.len() + syncs.len() {
        cuts.extend(syncs.iter().map(|&sync| cut(sync + 1, Fate::Dropped)));
    }
    if images >= cuts.len() + syncs.len() {
        cuts.extend(syncs.iter().map(|&sync| cut(sync, Fate::Applied)));
    }
    let rest = images.saturating_sub(cuts.len());
    for number in 0..rest {
        // Evenly over both sides of all syncs; a quarter at any other moment.
        let after = if number % 4 == 3 {
            usize::try_from(random.below(events.len() as u64 + 1)).unwrap_or(0)
        } else {
            sides.get(number * sides.len() / rest).copied().unwrap_or(0)
        };
        cuts.push(cut(after, Fate::Mixed(random.next())));
    }
    cuts.sort_by_key(|cut| cut.after);
    Moments { cuts, syncs: syncs.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: usize) -> Vec<Event> {
        let event = |place: usize| {
            let path = "f".to_owned();
            let action = if place.is_multiple_of(3) {
                Action::Sync { path }
            } else {
                Action::Resize { path, length: 1 }
            };
            let at = Moment(i64::try_from(place).unwrap() * 10);
            Event { action, began: place, ended: place, at }
        };
        (0..count).map(event).collect()
    }

    #[test]
    fn every_sync_is_cut_before_and_after() {
        let moments = plan(&events(30), 100, 7);
        assert_eq!((moments.syncs, moments.cuts.len()), (10, 100));
        for sync in (0..30).step_by(3) {
            let has = |after, fate| moments.cuts.iter().any(|cut| cut.after == after && cut.fate == fate);
            assert!(has(sync, Fate::Dropped) && has(sync + 1, Fate::Dropped) && has(sync, Fate::Applied));
        }
        assert!(moments.cuts.is_sorted_by_key(|cut| cut.after));
    }

    #[test]
    fn a_cut_is_as_late_as_the_next_call_allows() {
        let moments = plan(&events(30), 5, 7);
        assert_eq!(moments.cuts.len(), 10, "every sync has its cut, whatever was asked for");
        assert!(moments.cuts.iter().all(|cut| cut.at == Moment(i64::try_from(cut.after).unwrap() * 10)));
    }
}
