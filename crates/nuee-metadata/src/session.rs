//! Rows of sessions, each with its temporary access key.

use nuee_base::{AccessKeyId, ProjectId, SessionId, Slug, Timestamp};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

const COLUMNS: &str = "access_key, id, project, role, parent, expires_at, record, mac";

/// A session in an assumable role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The public half of its access key.
    pub access_key: AccessKeyId,
    /// Its id.
    pub id: SessionId,
    /// The project that it acts in.
    pub project: ProjectId,
    /// The name of the role.
    pub role: Slug,
    /// Who assumed it, in words of the layer above.
    pub parent: String,
    /// When its access key ends.
    pub expires_at: Timestamp,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<SessionRow, Error> {
    let columns = Columns::new("sessions", row);
    Ok(SessionRow {
        access_key: columns.text(0)?,
        id: SessionId::from_bytes(columns.array(1)?),
        project: ProjectId::from_bytes(columns.array(2)?),
        role: columns.text(3)?,
        parent: columns.text(4)?,
        expires_at: Timestamp::from_micros(columns.integer(5)?),
        record: columns.blob(6)?,
        mac: columns.array(7)?,
    })
}

impl Snapshot<'_> {
    /// The session with this access key.
    pub fn session(&self, access_key: &AccessKeyId) -> Result<Option<SessionRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE access_key = ?1");
        self.find(&sql, (access_key.as_str(),), convert)
    }

    /// The sessions of a project that begin after another, by age; at most `limit`.
    pub fn sessions(
        &self,
        project: ProjectId,
        after: SessionId,
        limit: u32,
    ) -> Result<Vec<SessionRow>, Error> {
        let sql =
            format!("SELECT {COLUMNS} FROM sessions WHERE project = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
        self.collect(&sql, (project.to_bytes(), after.to_bytes(), limit), convert)
    }
}

impl Transaction<'_> {
    /// Adds a session.
    pub fn insert_session(&self, row: &SessionRow) -> Result<(), Error> {
        let sql = format!("INSERT INTO sessions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        let (id, project, expires_at) =
            (row.id.to_bytes(), row.project.to_bytes(), row.expires_at.as_micros());
        let (key, role) = (row.access_key.as_str(), row.role.as_str());
        self.execute(&sql, (key, id, project, role, &row.parent, expires_at, &row.record, row.mac)).map(drop)
    }

    /// Removes a session of a project; says whether it was there.
    pub fn delete_session(&self, project: ProjectId, id: SessionId) -> Result<bool, Error> {
        let sql = "DELETE FROM sessions WHERE project = ?1 AND id = ?2";
        Ok(self.execute(sql, (project.to_bytes(), id.to_bytes()))? > 0)
    }

    /// Removes the sessions in a role; gives how many there were.
    pub fn delete_sessions_in(&self, project: ProjectId, role: &Slug) -> Result<usize, Error> {
        let sql = "DELETE FROM sessions WHERE project = ?1 AND role = ?2";
        self.execute(sql, (project.to_bytes(), role.as_str()))
    }

    /// Removes the sessions of whoever assumed them; gives how many there were.
    pub fn delete_sessions_of(&self, parent: &str) -> Result<usize, Error> {
        self.execute("DELETE FROM sessions WHERE parent = ?1", (parent,))
    }

    /// Removes up to `limit` sessions that ended before `before`; gives how many there were.
    pub fn delete_sessions_ended(&self, before: Timestamp, limit: u32) -> Result<usize, Error> {
        let sql = "DELETE FROM sessions WHERE access_key IN \
                   (SELECT access_key FROM sessions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        self.execute(sql, (before.as_micros(), limit))
    }
}
