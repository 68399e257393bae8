//! The few kinds of failure that callers tell apart.

/// What went wrong, as far as a caller can act on it. Each crate's error maps to exactly one of these; a surface maps
/// these to its protocol's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The named thing does not exist. Do not retry.
    NotFound,
    /// A thing of that name exists, or the state forbids the change. Do not retry unchanged.
    Conflict,
    /// The request itself is wrong. Correct it.
    Invalid,
    /// The principal may not do this.
    Denied,
    /// A condition of the request did not hold.
    PreconditionFailed,
    /// A limit was met: size, number, rate, or disk space.
    LimitExceeded,
    /// Something below does not answer, or the service is stopping. Retry later.
    Unavailable,
    /// Stored bytes or rows are not what was written. Never retried; an operator must look.
    Corrupt,
    /// The caller went away. Not a failure of the service.
    Cancelled,
    /// A defect of Nuée. Report it.
    Internal,
}
