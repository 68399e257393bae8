//! Whoever has the database: no change of any row with a code goes unseen, nor a row that is deleted or brought back.
//!
//! The tables are asked of the database itself, so that a new one with a code is tampered with too.

use std::collections::BTreeMap;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, Principal, Role};
use nuee_journal::Checkpoint;
use nuee_store::Encryption;
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::platform::{Platform, content};

/// Of a long value, each how many bytes one is altered.
const STRIDE: usize = 5;

/// A row, with the values of all its columns.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    table: String,
    columns: Vec<String>,
    values: Vec<Value>,
}

impl Row {
    fn with(&self, column: usize, value: Value) -> Self {
        let mut row = self.clone();
        row.values[column] = value;
        row
    }

    fn insert(&self, connection: &Connection) {
        let marks = vec!["?"; self.values.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", self.table, self.columns.join(", "));
        connection.execute(&sql, params_from_iter(&self.values)).unwrap();
    }

    fn delete(&self, connection: &Connection) {
        let same: Vec<_> = self.columns.iter().map(|column| format!("{column} IS ?")).collect();
        let sql = format!("DELETE FROM {} WHERE {}", self.table, same.join(" AND "));
        assert_eq!(connection.execute(&sql, params_from_iter(&self.values)).unwrap(), 1, "{self:?}");
    }
}

/// The database, as its thief sees it.
struct Thief {
    connection: Connection,
}

impl Thief {
    fn new(platform: &Platform) -> Self {
        let connection = Connection::open(platform.database()).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        Self { connection }
    }

    /// The tables whose rows have a code.
    fn tables(&self) -> Vec<String> {
        let sql =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '% mac BLOB%' ORDER BY name";
        let mut statement = self.connection.prepare(sql).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn rows(&self, table: &str) -> Vec<Row> {
        let mut statement = self.connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map((), |row| (0..columns.len()).map(|column| row.get(column)).collect());
        let values: Vec<Vec<Value>> = rows.unwrap().map(Result::unwrap).collect();
        let row = |values| Row { table: table.to_owned(), columns: columns.clone(), values };
        values.into_iter().map(row).collect()
    }

    fn all_rows(&self) -> Vec<Row> {
        self.tables().iter().flat_map(|table| self.rows(table)).collect()
    }
}

/// What a verification finds, without looking at content. A row that cannot be read at all ends it.
async fn findings(platform: &Platform, checkpoint: &Checkpoint) -> Vec<String> {
    let rows = match platform.tenancy.verify(&verifier(platform), Some(checkpoint)) {
        Ok(rows) => rows,
        Err(error) => return vec![error.to_string()],
    };
    let report = match platform.store.verify(&verifier(platform), false, |_| ()).await {
        Ok(report) => report,
        Err(error) => return vec![error.to_string()],
    };
    let found = report.findings.into_iter().map(|finding| (finding.what, finding.detail));
    rows.into_iter().chain(found).map(|(what, detail)| format!("{what}: {detail}")).collect()
}

fn verifier(platform: &Platform) -> Permit {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    platform.decider.decide(&operator, Action::Verify, Resource::Platform).unwrap()
}

async fn checkpoint(platform: &Platform) -> Checkpoint {
    platform.tenancy.checkpoint(&verifier(platform)).await.unwrap().checkpoint
}

/// Everything that has rows, in two organisations.
async fn furnish(platform: &Platform) {
    for (bucket, seed) in [(&platform.home, 1), (&platform.next_door, 2), (&platform.abroad, 3)] {
        platform.put(bucket, "small", &content(1_000, seed)).await;
        platform.put(bucket, "to be replaced", &content(2_000, seed)).await;
        platform.put(bucket, "to be deleted", &content(3_000, seed)).await;
        platform.upload(bucket, "parts", &[content(150_000, seed), content(10, seed)]).await;
        platform.begin_upload(bucket, "open", &content(150_000, seed)).await;
    }
    platform.copy(&platform.home, "small", &platform.home, "copy").await;
    for name in ["working", "leaving"] {
        account(platform, Action::CreateServiceAccount, name).await;
    }
}

/// What makes older forms of rows: each of them is worth something to somebody.
async fn change(platform: &Platform) {
    for bucket in [&platform.home, &platform.abroad] {
        platform.put(bucket, "to be replaced", &content(2_500, 9)).await;
        platform.delete(bucket, &["to be deleted"]).await;
        let permit = platform.permit(bucket, Action::PutBucketEncryption);
        let owner = platform.owner(bucket);
        platform.store.set_bucket_encryption(&owner, &permit, bucket, Encryption::AwsKms).await.unwrap();
    }
    platform.replace_part(&platform.home, "open", &content(160_000, 9)).await;
    account(platform, Action::RevokeServiceAccount, "leaving").await;
}

async fn account(platform: &Platform, action: Action, name: &str) {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    let Resource::Bucket { organisation, project, .. } = platform.home.resource() else { unreachable!() };
    let permit =
        platform.decider.decide(&operator, action, Resource::Project { organisation, project }).unwrap();
    let (tenancy, name) = (&platform.tenancy, name.parse().unwrap());
    if action == Action::CreateServiceAccount {
        tenancy.create_service_account(&operator, &permit, name, Role::Developer).await.unwrap();
    } else {
        tenancy.revoke_service_account(&operator, &permit, &name).await.unwrap();
    }
}

/// Every alteration of a value that is tried: a bit of many bytes, a byte less, a byte more.
fn alterations(value: &Value) -> Vec<Value> {
    let of_bytes = |bytes: &[u8]| {
        let flipped = (0..bytes.len()).step_by(if bytes.len() > 64 { STRIDE } else { 1 }).map(|at| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let shorter = bytes.split_last().map(|(_, rest)| rest.to_vec());
        flipped.chain(shorter).chain([[bytes, &[0]].concat()]).collect::<Vec<_>>()
    };
    match value {
        Value::Blob(bytes) => of_bytes(bytes).into_iter().map(Value::Blob).collect(),
        // Names are letters, digits and hyphens: what is tried is one too.
        Value::Text(text) => {
            let other = |at: usize| if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            let altered =
                (0..text.len()).map(|at| format!("{}{}{}", &text[..at], other(at), &text[at + 1..]));
            altered.map(Value::Text).collect()
        }
        Value::Integer(number) => vec![Value::Integer(number + 1_000_000), Value::Integer(-number)],
        // No row with a code has one.
        Value::Null | Value::Real(_) => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_alteration_of_a_row_goes_unseen() {
    let platform = Platform::new().await;
    furnish(&platform).await;
    let checkpoint = checkpoint(&platform).await;
    assert_eq!(findings(&platform, &checkpoint).await, Vec::<String>::new());
    let thief = Thief::new(&platform);
    let mut tried = BTreeMap::<String, usize>::new();
    for table in thief.tables() {
        let rows = thief.rows(&table);
        for (index, row) in rows.iter().enumerate() {
            let mut forms = Vec::new();
            for (column, value) in row.values.iter().enumerate() {
                forms.extend(alterations(value).into_iter().map(|value| row.with(column, value)));
                // What stands in another row, a neighbour's or another tenant's, in each column alone.
                let others = rows.iter().enumerate().filter(|(other, _)| *other != index);
                forms.extend(others.map(|(_, other)| row.with(column, other.values[column].clone())));
            }
            // All of another row's record and code.
            let from = row.columns.iter().position(|column| column == "record").unwrap();
            forms.extend(rows.iter().map(|other| Row {
                values: [&row.values[..from], &other.values[from..]].concat(),
                ..row.clone()
            }));
            forms.retain(|form| form != row);
            row.delete(&thief.connection);
            assert!(!findings(&platform, &checkpoint).await.is_empty(), "the deletion of {row:?}");
            for form in forms {
                let taken = rows.iter().any(|other| other != row && collide(other, &form));
                if taken {
                    continue;
                }
                form.insert(&thief.connection);
                assert!(!findings(&platform, &checkpoint).await.is_empty(), "{row:?} became {form:?}");
                form.delete(&thief.connection);
                *tried.entry(table.clone()).or_default() += 1;
            }
            row.insert(&thief.connection);
        }
    }
    println!("alterations found: {tried:?}");
    assert!(tried.len() >= 9 && tried.values().all(|tried| *tried >= 100), "{tried:?}");
    assert_eq!(findings(&platform, &checkpoint).await, Vec::<String>::new());
}

/// Whether the database refuses two rows because they have the same key: it has its first column, or what the second
/// to fourth have, or all before the record.
fn collide(one: &Row, other: &Row) -> bool {
    let same = |columns: &[&str]| {
        columns.iter().all(|column| {
            one.columns
                .iter()
                .position(|name| name == column)
                .is_some_and(|at| one.values[at] == other.values[at])
        })
    };
    let keys: &[&[&str]] = match one.table.as_str() {
        "organisations" => &[&["id"], &["name"]],
        "projects" => &[&["id"], &["organisation", "name"]],
        "project_keys" => &[&["project", "version"]],
        "service_accounts" => &[&["id"], &["project", "name"]],
        "buckets" => &[&["number"], &["id"], &["name"]],
        "uploads" => &[&["bucket", "key", "id"]],
        "parts" => &[&["upload", "number"]],
        "latest" => &[&["bucket", "key"]],
        _ => &[&["id"]],
    };
    keys.iter().any(|key| same(key))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_form_of_a_row_is_found() {
    let platform = Platform::new().await;
    furnish(&platform).await;
    let thief = Thief::new(&platform);
    let before = thief.all_rows();
    change(&platform).await;
    let checkpoint = checkpoint(&platform).await;
    let after = thief.all_rows();
    assert_eq!(findings(&platform, &checkpoint).await, Vec::<String>::new());
    let mut brought_back = BTreeMap::<&str, usize>::new();
    for old in before.iter().filter(|old| !after.contains(old)) {
        let replaced: Vec<_> =
            after.iter().filter(|new| new.table == old.table && collide(new, old)).collect();
        for new in &replaced {
            new.delete(&thief.connection);
        }
        old.insert(&thief.connection);
        assert!(!findings(&platform, &checkpoint).await.is_empty(), "{old:?} came back");
        old.delete(&thief.connection);
        for new in &replaced {
            new.insert(&thief.connection);
        }
        *brought_back.entry(&old.table).or_default() += 1;
    }
    let tables: Vec<_> = brought_back.keys().copied().collect();
    assert_eq!(tables, ["access_keys", "buckets", "latest", "parts", "service_accounts", "versions"]);
    assert_eq!(findings(&platform, &checkpoint).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_brought_back_with_its_name_is_found() {
    let platform = Platform::new().await;
    furnish(&platform).await;
    let thief = Thief::new(&platform);
    let tables = ["versions", "latest", "usage"];
    let rows = || tables.map(|table| thief.rows(table));
    let before = rows();
    platform.delete(&platform.home, &["to be deleted"]).await;
    let checkpoint = checkpoint(&platform).await;
    let after = rows();
    let put = |rows: &[Vec<Row>; 3]| {
        for (table, rows) in tables.iter().zip(rows) {
            thief.connection.execute(&format!("DELETE FROM {table}"), ()).unwrap();
            for row in rows {
                row.insert(&thief.connection);
            }
        }
    };
    put(&before);
    let found = findings(&platform, &checkpoint).await;
    assert!(found.iter().any(|found| found.contains("the journal does not say that it exists")), "{found:?}");
    put(&after);
    assert_eq!(findings(&platform, &checkpoint).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_changed_is_found_against_a_checkpoint() {
    let platform = Platform::new().await;
    furnish(&platform).await;
    let empty = Checkpoint { size: 0, ..checkpoint(&platform).await };
    let early = checkpoint(&platform).await;
    change(&platform).await;
    let late = checkpoint(&platform).await;
    for sound in [&early, &late] {
        assert_eq!(findings(&platform, sound).await, Vec::<String>::new());
    }
    assert!(!findings(&platform, &empty).await.is_empty(), "a root that is none of an empty tree");
    let thief = Thief::new(&platform);
    let tables = ["journal", "journal_bodies", "journal_tiles", "platform"];
    let rows = tables.map(|table| thief.rows(table));
    let leaves = &rows[0];
    let last = i64::try_from(leaves.len()).unwrap();
    let first_change = i64::try_from(early.size).unwrap() + 1;
    for (sql, against) in [
        (format!("DELETE FROM journal WHERE id = {last}"), &late),
        (format!("DELETE FROM journal WHERE id >= {first_change}"), &late),
        ("DELETE FROM journal WHERE id = 3".into(), &early),
        ("UPDATE journal SET id = 1000000 WHERE id = 3".into(), &early),
        ("UPDATE journal SET at = at + 1 WHERE id = 3".into(), &early),
        ("UPDATE journal SET organisation = zeroblob(16) WHERE id = 3".into(), &early),
        (
            "UPDATE journal SET body = CAST(substr(body, 1, 20) || x'00ff' || substr(body, 23) AS BLOB) WHERE id = 2"
                .into(),
            &early,
        ),
        ("UPDATE journal SET body = (SELECT body FROM journal WHERE id = 4) WHERE id = 3".into(), &early),
        ("DELETE FROM journal_bodies WHERE id = 3".into(), &early),
        ("UPDATE journal_bodies SET sealed = zeroblob(length(sealed)) WHERE id = 3".into(), &early),
        (
            "UPDATE journal_bodies SET sealed = (SELECT sealed FROM journal_bodies WHERE id = 4) WHERE id = 3"
                .into(),
            &early,
        ),
        ("UPDATE journal_tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0".into(), &late),
        ("DELETE FROM journal_tiles".into(), &late),
        (
            "UPDATE platform SET value = CAST(replace(value, char(10), char(10) || '1') AS BLOB)
                WHERE name = 'journal-checkpoint'"
                .into(),
            &late,
        ),
        (format!("UPDATE journal SET id = -id; UPDATE journal SET id = {last} + 1 + id"), &early),
    ] {
        thief.connection.execute_batch(&sql).unwrap();
        let found = findings(&platform, against).await;
        assert!(found.iter().any(|found| found.starts_with("the journal: ")), "{sql}: {found:?}");
        for (table, rows) in tables.iter().zip(&rows) {
            thief.connection.execute(&format!("DELETE FROM {table}"), ()).unwrap();
            for row in rows {
                row.insert(&thief.connection);
            }
        }
    }
    assert_eq!(findings(&platform, &late).await, Vec::<String>::new());
}

/// A thief who also takes the leaves away: nothing contradicts anything any more, but the checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_checkpoint_shows_a_platform_that_was_set_back() {
    let platform = Platform::new().await;
    furnish(&platform).await;
    let thief = Thief::new(&platform);
    let early = checkpoint(&platform).await;
    let kept = platform.dump();
    change(&platform).await;
    let late = checkpoint(&platform).await;
    thief.connection.execute("ATTACH ?1 AS kept", (kept.to_str().unwrap(),)).unwrap();
    let sql = "SELECT name FROM kept.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = thief.connection.prepare(sql).unwrap();
    let tables: Vec<String> =
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        let set_back =
            format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept.{table};");
        thief.connection.execute_batch(&set_back).unwrap();
    }
    assert_eq!(findings(&platform, &early).await, Vec::<String>::new());
    let found = findings(&platform, &late).await;
    assert!(matches!(&found[..], [only] if only.starts_with("the journal: it has ")), "{found:?}");
}
