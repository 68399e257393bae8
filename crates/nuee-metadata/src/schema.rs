//! The tables, and how an older database becomes a newer one.
//!
//! `versions` is keyed by a growing integer so that a burst of writes touches neighbouring pages; only `latest` is
//! keyed by name, and has what a listing shows, so that a page of one is neighbouring rows however many there are;
//! `history` has the same of what a key no longer names. Rows that nothing looks up by name carry their meaning in `record`.

use std::path::Path;

use rusqlite::Connection;

use crate::Error;

/// One entry per schema version; entry `n` brings version `n` to version `n + 1`. Never edited once released.
const MIGRATIONS: [&str; 4] = ["
    CREATE TABLE platform (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE organisations (
        id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE projects (
        id BLOB PRIMARY KEY, organisation BLOB NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        UNIQUE (organisation, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE project_keys (
        project BLOB NOT NULL, version INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (project, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE service_accounts (
        id BLOB PRIMARY KEY, project BLOB NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        UNIQUE (project, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE access_keys (
        id TEXT PRIMARY KEY, service_account BLOB NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX access_keys_by_account ON access_keys (service_account);
    CREATE TABLE buckets (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
        organisation BLOB NOT NULL, project BLOB NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT;
    CREATE INDEX buckets_by_project ON buckets (project, name);
    CREATE TABLE versions (
        id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT;
    CREATE TABLE latest (
        bucket INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (bucket, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE uploads (
        bucket INTEGER NOT NULL, key BLOB NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (bucket, key, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE parts (
        upload BLOB NOT NULL, number INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (upload, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE shares (id BLOB PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE garbage (
        id INTEGER PRIMARY KEY, not_before INTEGER NOT NULL, blob BLOB NOT NULL, locator BLOB NOT NULL
    ) STRICT;
    CREATE INDEX garbage_by_time ON garbage (not_before);
    CREATE TABLE pending_blobs (blob BLOB PRIMARY KEY, started_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE moved_blobs (blob BLOB PRIMARY KEY, locator BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE usage (
        bucket INTEGER PRIMARY KEY, objects INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, organisation BLOB NOT NULL, body BLOB NOT NULL
    ) STRICT;
", "
    CREATE TABLE history (
        bucket INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, is_null INTEGER NOT NULL,
        is_marker INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (bucket, key, version DESC)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX null_versions ON history (bucket, key) WHERE is_null = 1;
    CREATE TABLE bucket_settings (
        bucket INTEGER NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (bucket, name)
    ) STRICT, WITHOUT ROWID;
", "
    CREATE TABLE access_key_uses (id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE upload_usage (
        id BLOB PRIMARY KEY, bucket INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX upload_usage_by_bucket ON upload_usage (bucket);
    CREATE TABLE project_usage (
        project BLOB PRIMARY KEY, objects INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE assumable_roles (
        project BLOB NOT NULL, name TEXT NOT NULL, default_of TEXT UNIQUE, record BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (project, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        access_key TEXT PRIMARY KEY, id BLOB NOT NULL, project BLOB NOT NULL, role TEXT NOT NULL, parent TEXT NOT NULL,
        expires_at INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX sessions_by_project ON sessions (project, id);
    CREATE INDEX sessions_by_role ON sessions (project, role);
    CREATE INDEX sessions_by_parent ON sessions (parent);
    CREATE INDEX sessions_by_end ON sessions (expires_at);
    CREATE TABLE journal_bodies (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE journal_heads (organisation BLOB PRIMARY KEY, leaf INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE journal_tiles (
        level INTEGER NOT NULL, number INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, number)
    ) STRICT;
", "
    CREATE TABLE users (
        id BLOB PRIMARY KEY, organisation BLOB NOT NULL, login BLOB NOT NULL UNIQUE, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX users_by_organisation ON users (organisation, id);
    CREATE TABLE credentials (user BLOB PRIMARY KEY, record BLOB NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE identities (
        issuer TEXT NOT NULL, subject BLOB NOT NULL, user BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (issuer, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX identities_by_user ON identities (user);
    CREATE TABLE grants (
        scope BLOB NOT NULL, user BLOB NOT NULL, role TEXT NOT NULL, organisation BLOB NOT NULL, record BLOB NOT NULL,
        mac BLOB NOT NULL, PRIMARY KEY (scope, user, role)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX grants_by_user ON grants (user);
    CREATE TABLE invitations (
        id BLOB PRIMARY KEY, scope BLOB NOT NULL, organisation BLOB NOT NULL, token BLOB NOT NULL UNIQUE,
        expires_at INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX invitations_by_scope ON invitations (scope, id);
    CREATE INDEX invitations_by_end ON invitations (expires_at);
    CREATE TABLE sign_ins (
        id BLOB PRIMARY KEY, user BLOB NOT NULL, token BLOB NOT NULL UNIQUE, previous BLOB UNIQUE,
        expires_at INTEGER NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sign_ins_by_user ON sign_ins (user, id);
    CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);
    CREATE TABLE answers (
        principal TEXT NOT NULL, key TEXT NOT NULL, expires_at INTEGER NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (principal, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX answers_by_end ON answers (expires_at);
    CREATE TABLE exposures (
        project BLOB NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (project, id)
    ) STRICT, WITHOUT ROWID;
"];

/// Creates or upgrades the tables of the database at `path`, in one transaction.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(Error::TooNew { path: path.to_path_buf(), found, known });
    }
    if done == MIGRATIONS.len() {
        // A disk that is full takes no write, and none is needed.
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}
