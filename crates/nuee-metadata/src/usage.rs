//! How much each bucket holds, and each project that has a quota, counted in the transaction that changes it.

use nuee_base::ProjectId;
use rusqlite::Row;

use crate::{Error, Snapshot, Transaction, row::Columns};

/// What a bucket or a project holds. As a change, numbers may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects.
    pub objects: i64,
    /// Bytes of the objects, as their owners wrote them; of a project, those of parts of uploads too.
    pub bytes: i64,
}

fn convert(row: &Row<'_>) -> Result<Usage, Error> {
    let columns = Columns::new("usage", row);
    Ok(Usage { objects: columns.integer(0)?, bytes: columns.integer(1)? })
}

impl Snapshot<'_> {
    /// What the bucket of this number holds.
    pub fn usage(&self, bucket: i64) -> Result<Usage, Error> {
        let sql = "SELECT objects, bytes FROM usage WHERE bucket = ?1";
        Ok(self.find(sql, (bucket,), convert)?.unwrap_or_default())
    }

    /// What each bucket holds, by its number.
    pub fn all_usage(&self) -> Result<Vec<(i64, Usage)>, Error> {
        self.collect("SELECT bucket, objects, bytes FROM usage", (), |row| {
            let columns = Columns::new("usage", row);
            let usage = Usage { objects: columns.integer(1)?, bytes: columns.integer(2)? };
            Ok((columns.integer(0)?, usage))
        })
    }

    /// What a project that has a quota holds; `None` of one that is not counted.
    pub fn counted_usage(&self, project: ProjectId) -> Result<Option<Usage>, Error> {
        let sql = "SELECT objects, bytes FROM project_usage WHERE project = ?1";
        self.find(sql, (project.to_bytes(),), convert)
    }

    /// What a project holds, summed up over its buckets.
    pub fn summed_usage(&self, project: ProjectId) -> Result<Usage, Error> {
        let sql = "SELECT COALESCE(SUM(usage.objects), 0), COALESCE(SUM(usage.bytes), 0)
                + (SELECT COALESCE(SUM(upload_usage.bytes), 0) FROM upload_usage JOIN buckets ON number = bucket
                    WHERE project = ?1)
            FROM buckets JOIN usage ON number = bucket WHERE project = ?1";
        Ok(self.find(sql, (project.to_bytes(),), convert)?.unwrap_or_default())
    }

    /// How many buckets a project has.
    pub fn count_buckets(&self, project: ProjectId) -> Result<i64, Error> {
        let sql = "SELECT COUNT(*) FROM buckets WHERE project = ?1";
        let found = self.find(sql, (project.to_bytes(),), |row| Columns::new("buckets", row).integer(0))?;
        Ok(found.unwrap_or(0))
    }
}

impl Transaction<'_> {
    /// Adds `change` to what a bucket of this number and its project hold.
    pub fn add_usage(&self, (bucket, project): (i64, ProjectId), change: Usage) -> Result<(), Error> {
        let sql = "INSERT INTO usage (bucket, objects, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (bucket) DO UPDATE SET objects = objects + ?2, bytes = bytes + ?3";
        self.execute(sql, (bucket, change.objects, change.bytes))?;
        self.add_project_usage(project, change)
    }

    /// Adds `change` to what a project holds, if that is counted.
    pub(crate) fn add_project_usage(&self, project: ProjectId, change: Usage) -> Result<(), Error> {
        let sql = "UPDATE project_usage SET objects = objects + ?2, bytes = bytes + ?3 WHERE project = ?1";
        self.execute(sql, (project.to_bytes(), change.objects, change.bytes)).map(drop)
    }

    /// Counts what a project holds from now on.
    pub fn count_usage(&self, project: ProjectId) -> Result<(), Error> {
        let usage = self.summed_usage(project)?;
        let sql = "INSERT INTO project_usage (project, objects, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (project) DO UPDATE SET objects = ?2, bytes = ?3";
        self.execute(sql, (project.to_bytes(), usage.objects, usage.bytes)).map(drop)
    }
}
