//! The room that bodies in memory share.
//!
//! A body takes the room that it announced before its first byte is read, and gives it back when its blob is durable, or
//! streams. Where no room is left, those that wait for their clients make some: the one that has waited longest goes on
//! as a large body does, and holds a chunk at most. So no client waits for another one, however many stall, and those
//! that send keep the fast way.

use std::{pin::pin, sync::Arc};

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// The room, in bytes: for eight thousand bodies of 4 KiB, or 256 of the largest that are held in memory.
const ROOM_BYTES: u32 = 32 << 20;

/// The room.
#[derive(Clone)]
pub(crate) struct BodyRoom(Arc<Room>);

struct Room {
    free: Arc<Semaphore>,
    /// Wakes who has waited longest for its client.
    wanted: Notify,
}

/// What a body takes of the room, for as long as this lives.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    room: BodyRoom,
}

impl Default for BodyRoom {
    fn default() -> Self {
        Self::of(ROOM_BYTES)
    }
}

impl BodyRoom {
    fn of(bytes: u32) -> Self {
        let free = Arc::new(Semaphore::new(bytes as usize));
        Self(Arc::new(Room { free, wanted: Notify::new() }))
    }

    /// Takes room; waits for it, and has it made, where there is too little.
    pub(super) async fn enter(&self, bytes: usize) -> Result<Place, Error> {
        let bytes = u32::try_from(bytes).unwrap_or(ROOM_BYTES).min(ROOM_BYTES);
        let mut entering = pin!(Arc::clone(&self.0.free).acquire_many_owned(bytes));
        // Whoever makes room must find this one in the queue, so it is wanted only when waiting has begun.
        let entered = match entering.as_mut().now_or_never() {
            Some(entered) => entered,
            None => {
                self.0.wanted.notify_one();
                entering.await
            }
        };
        Ok(Place { permit: Some(entered.map_err(|_| Error::Stopping)?), room: self.clone() })
    }

    /// Until the caller, who waits for its client, should make room.
    pub(super) async fn wanted(&self) {
        loop {
            self.0.wanted.notified().await;
            if self.is_full() {
                return;
            }
        }
    }

    /// Whether somebody waits: those who do take all that is given back, until they have enough.
    fn is_full(&self) -> bool {
        self.0.free.available_permits() == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        // It was not enough, so the next one makes room.
        if self.room.is_full() {
            self.room.0.wanted.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_longest_make_room_until_there_is_enough() {
        let room = BodyRoom::of(100);
        let mut places = Vec::new();
        for _ in 0..10 {
            places.push(Some(room.enter(10).await.unwrap()));
        }
        let mut waits: Vec<_> = (0..10).map(|_| Box::pin(room.wanted())).collect();
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
        let mut entering = Box::pin(room.enter(25));
        for (number, place) in places.iter_mut().take(3).enumerate() {
            assert!((&mut entering).now_or_never().is_none(), "after {number} gave way");
            let asked: Vec<_> =
                (number..10).filter(|other| (&mut waits[*other]).now_or_never().is_some()).collect();
            assert_eq!(asked, [number]);
            *place = None;
        }
        assert!(entering.now_or_never().is_some());
        assert!(waits[3..].iter_mut().all(|wait| wait.now_or_never().is_none()));
    }

    #[tokio::test]
    async fn who_was_asked_and_goes_on_instead_passes_it_on() {
        let room = BodyRoom::of(20);
        let (first, second) = (room.enter(10).await.unwrap(), room.enter(10).await.unwrap());
        let (mut one, mut other) = (Box::pin(room.wanted()), Box::pin(room.wanted()));
        assert!((&mut one).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        let mut entering = Box::pin(room.enter(10));
        assert!((&mut entering).now_or_never().is_none());
        // Its bytes came at the same moment.
        drop(one);
        assert!(other.now_or_never().is_some());
        drop(second);
        assert!(entering.now_or_never().is_some());
        drop(first);
    }

    #[tokio::test]
    async fn a_body_larger_than_the_room_takes_all_of_it() {
        let room = BodyRoom::default();
        let place = room.enter(usize::MAX).await.unwrap();
        assert!(room.is_full());
        drop(place);
        assert!(!room.is_full());
    }
}
