//! Faults that tests put into calls to the disk. Without the feature `faults` none of this is reachable.

#[cfg(any(test, feature = "faults"))]
pub use plan::FaultPlan;

/// The calls to the disk that can be made to fail.
#[cfg_attr(
    not(any(test, feature = "faults")),
    expect(unreachable_pub, reason = "public only where faults can be planned")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Make a file that was not there.
    CreateFile,
    /// Make a directory.
    CreateDirectory,
    /// Reserve space for a file.
    Preallocate,
    /// Write bytes; half of them are written before the fault.
    Write,
    /// Make a file's bytes durable; a fault leaves them as they were.
    SyncFile,
    /// Make the names in a directory durable.
    SyncDirectory,
    /// Give a file its final name.
    Rename,
    /// Shorten a file.
    Truncate,
    /// Remove a file.
    Unlink,
    /// Read what a segment says of itself: its end, its records when they are counted or moved. Reading a blob is
    /// not among it.
    Read,
}

#[cfg(any(test, feature = "faults"))]
mod plan {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::Operation;

    /// Which calls to the disk fail, and how. Clones share one plan, so a test keeps one and changes it as it goes.
    #[derive(Debug, Clone, Default)]
    pub struct FaultPlan(Arc<Mutex<[Calls; Operation::ALL.len()]>>);

    #[derive(Debug, Clone, Copy, Default)]
    struct Calls {
        made: u64,
        fault: Option<Fault>,
    }

    #[derive(Debug, Clone, Copy)]
    struct Fault {
        first: u64,
        last: u64,
        kind: io::ErrorKind,
    }

    impl Operation {
        /// Every operation.
        pub const ALL: [Self; 10] = [
            Self::CreateFile,
            Self::CreateDirectory,
            Self::Preallocate,
            Self::Write,
            Self::SyncFile,
            Self::SyncDirectory,
            Self::Rename,
            Self::Truncate,
            Self::Unlink,
            Self::Read,
        ];
    }

    impl FaultPlan {
        /// The `nth` call of `operation` from now, the next one being the first, fails with an error of this kind.
        pub fn fail_nth(&self, operation: Operation, nth: u64, kind: io::ErrorKind) {
            self.change(operation, |calls| {
                calls.fault = Some(Fault { first: calls.made + nth, last: calls.made + nth, kind });
            });
        }

        /// Every call of `operation` fails from now on, until [`heal`](Self::heal).
        pub fn fail_all(&self, operation: Operation, kind: io::ErrorKind) {
            self.change(operation, |calls| calls.fault = Some(Fault { first: 0, last: u64::MAX, kind }));
        }

        /// Nothing fails any more.
        pub fn heal(&self) {
            for operation in Operation::ALL {
                self.change(operation, |calls| calls.fault = None);
            }
        }

        /// How many calls of `operation` were made.
        pub fn calls(&self, operation: Operation) -> u64 {
            self.change(operation, |calls| calls.made)
        }

        /// Counts a call, and says whether it fails.
        pub(crate) fn call(&self, operation: Operation) -> io::Result<()> {
            self.change(operation, |calls| {
                calls.made += 1;
                match calls.fault {
                    Some(fault) if (fault.first..=fault.last).contains(&calls.made) => Err(fault.kind.into()),
                    _ => Ok(()),
                }
            })
        }

        fn change<T>(&self, operation: Operation, change: impl FnOnce(&mut Calls) -> T) -> T {
            let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut plan[operation as usize])
        }
    }
}
