//! Buffers for writing past the page cache: memory that begins where a block may begin.
//!
//! With `O_DIRECT`, the address of what is written, its offset and its length are multiples of the block size of the
//! device (open(2)); 4,096 bytes fit all that are common.

use std::sync::{Mutex, PoisonError};

/// What addresses, offsets and lengths of direct writes are multiples of, in bytes.
pub(crate) const BLOCK_BYTES: usize = 4_096;

/// How many buffers are kept for later writes.
const KEPT_BUFFERS: usize = 8;
/// The largest buffer that is kept, in bytes.
const KEPT_BUFFER_BYTES: usize = 2 << 20;

/// Buffers that are used again and again: fresh memory of this size costs as much as writing it does.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer with room for `most` bytes.
    pub(crate) fn take(&self, most: usize) -> Buffer<'_> {
        let needed = most + BLOCK_BYTES;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = kept.iter().position(|memory| memory.capacity() >= needed);
        let mut memory = fitting.map(|index| kept.swap_remove(index)).unwrap_or_default();
        drop(kept);
        memory.clear();
        memory.reserve(needed);
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        memory.resize(start, 0);
        Buffer { memory, start, buffers: self }
    }
}

/// A buffer. When dropped, it goes back to the others.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    memory: Vec<u8>,
    start: usize,
    buffers: &'a Buffers,
}

impl Buffer<'_> {
    /// To add bytes to, no more than were asked for.
    pub(crate) fn filling(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// What was added.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..).unwrap_or_default()
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let mut kept = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_BUFFERS && self.memory.capacity() <= KEPT_BUFFER_BYTES {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_a_block_and_are_used_again() {
        let buffers = Buffers::default();
        for most in [1, BLOCK_BYTES, 100_000, 600_000] {
            let mut buffer = buffers.take(most);
            assert!(buffer.bytes().is_empty());
            buffer.filling().extend(std::iter::repeat_n(7, most));
            assert_eq!(buffer.bytes().as_ptr().align_offset(BLOCK_BYTES), 0);
            assert_eq!(buffer.bytes(), vec![7; most]);
        }
        let before = buffers.take(600_000).memory.as_ptr();
        assert_eq!(buffers.take(600_000).memory.as_ptr(), before);
    }
}
