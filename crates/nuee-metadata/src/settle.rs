//! Settling what an earlier process left, before anything is built on it.
//!
//! What that process could not fsync may be in the log and in the page cache only. As a rule the log is copied into the
//! database and emptied. Where the disk has no room for that, the log stays, and is made durable where it is: a server
//! on a full disk must start, for how else would anything be deleted?

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

use rusqlite::{Connection, ErrorCode};

use crate::{
    Error,
    ballast::{Ballast, beside},
    checkpoint::{Emptied, TRUNCATE, empty_log},
};

/// How much of the log is written at once.
const PIECE_BYTES: usize = 256 << 10;

/// Brings all that was committed to the disk. Nobody writes to the database meanwhile.
pub(crate) fn settle(connection: &Connection, database: &Path, ballast: &mut Ballast) -> Result<(), Error> {
    loop {
        match empty_log(connection, TRUNCATE).map_err(Error::from) {
            Ok(Emptied::Whole) => return Ok(()),
            Ok(Emptied::InPart) => break,
            Err(error) if !error.is_full() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the disk has no room to empty the write-ahead log");
                if !ballast.release() {
                    break;
                }
            }
        }
    }
    rewrite(&beside(database, "-wal")).map_err(|error| {
        tracing::error!(%error, "the write-ahead log of an earlier process could not be made durable");
        let code = rusqlite::ffi::Error {
            code: ErrorCode::SystemIoFailure,
            extended_code: rusqlite::ffi::SQLITE_IOERR,
        };
        rusqlite::Error::SqliteFailure(code, Some(error.to_string())).into()
    })
}

/// Writes a file over with what is in it, which takes no room. After an fsync that failed, the system takes pages for
/// written that are not; so fsync alone would not do.
fn rewrite(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mut piece, mut offset) = (vec![0; PIECE_BYTES], 0);
    loop {
        let length = file.read_at(&mut piece, offset)?;
        if length == 0 {
            return file.sync_all();
        }
        file.write_all_at(&piece[..length], offset)?;
        offset += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_written_over_with_itself_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        rewrite(&path).unwrap();
        let content: Vec<u8> = (0..=250).cycle().take(PIECE_BYTES + 100).collect();
        std::fs::write(&path, &content).unwrap();
        rewrite(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}
