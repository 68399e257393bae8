//! The content of every object, and of every part of an upload under way.

use std::sync::Arc;

use futures_util::StreamExt;
use nuee_base::UploadId;
use nuee_metadata::{PartRow, VersionRow};

use super::{BATCH, VerifyReport, rows::version_name};
use crate::{
    Bucket, Error, Hasher, Store,
    blob_read::Piece,
    blob_write::blocking,
    record::{BlobRecord, ChecksumRecord, Content as Stored, Part, Version},
    upload::checksum_of,
};

impl Store {
    pub(super) async fn verify_all_content(
        &self,
        report: &mut VerifyReport,
        progress: impl Fn(&VerifyReport) + Send + Sync,
    ) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.versions(after, BATCH))?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in &rows {
                match self.verify_object(row).await {
                    Ok(bytes) => report.bytes += bytes,
                    // Rows were looked at before; what was deleted or replaced since is nobody's concern.
                    Err(_) if self.version_is_gone(row)? => {}
                    Err(error) => report.add(version_name(row), error),
                }
                tokio::task::yield_now().await;
            }
            progress(report);
        }
        self.verify_parts_under_way(report).await
    }

    fn version_is_gone(&self, row: &VersionRow) -> Result<bool, Error> {
        let now = self.0.metadata.read(|snapshot| snapshot.version(row.id))?;
        Ok(now.as_ref() != Some(row))
    }

    /// Reads an object to its end and compares its checksums. Gives the bytes that were read; none if its row does not
    /// open, which is told of elsewhere.
    async fn verify_object(&self, row: &VersionRow) -> Result<u64, Error> {
        let bucket = self.0.metadata.read(|snapshot| snapshot.bucket_by_number(row.bucket))?;
        let Some(Ok(bucket)) = bucket.map(|bucket| self.open_bucket(&bucket)) else { return Ok(0) };
        let Ok(version) = self.open_version(&bucket, row) else { return Ok(0) };
        match &version.content {
            Stored::Blob(blob) => {
                let checksum = version.checksum.as_ref();
                self.verify_blob(&bucket, (blob, version.size), checksum).await
            }
            Stored::Parts { upload, .. } => {
                let upload = UploadId::from_bytes(*upload);
                let _lease = self.0.leases.take(upload.to_bytes());
                self.verify_object_of_parts(&bucket, upload, &version).await
            }
        }
    }

    async fn verify_object_of_parts(
        &self,
        bucket: &Bucket,
        upload: UploadId,
        version: &Version,
    ) -> Result<u64, Error> {
        let (store, owner) = (self.clone(), bucket.parts_owner());
        let parts = blocking(&self.0.listing, move || {
            let rows = store.0.metadata.read(|snapshot| snapshot.parts(upload, 0, u32::MAX))?;
            let open = |row: &PartRow| Ok((row.number, store.open_part(owner, row)?));
            rows.iter().map(open).collect::<Result<Vec<_>, Error>>()
        });
        let parts = parts.await?;
        let mut bytes = 0;
        for (_, part) in &parts {
            bytes += self.verify_part(bucket, part).await?;
        }
        if let Some(kept) = &version.checksum {
            let parts: Vec<_> = parts.iter().map(|(number, part)| (*number, part)).collect();
            if checksum_of(Some((kept.algorithm, kept.kind)), &parts)?.as_ref() != Some(kept) {
                return Err(Error::damaged("an object", "its checksum is not that of its parts"));
            }
        }
        Ok(bytes)
    }

    async fn verify_part(&self, bucket: &Bucket, part: &Part) -> Result<u64, Error> {
        self.verify_blob(bucket, (&part.blob, part.size), Some(&part.checksum)).await
    }

    /// Reads a blob to its end and compares its checksum.
    async fn verify_blob(
        &self,
        bucket: &Bucket,
        (blob, size): (&BlobRecord, u64),
        checksum: Option<&ChecksumRecord>,
    ) -> Result<u64, Error> {
        let piece = Piece { blob: blob.clone(), size, range: 0..size };
        let mut hasher = checksum.map(|checksum| Hasher::new(checksum.algorithm));
        let mut stream = self.read_pieces(bucket, vec![piece], None).await?.into_stream();
        let mut read = 0;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            read += bytes.len() as u64;
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
        }
        if read != size {
            return Err(Error::damaged("a blob", format!("{read} of {size} bytes could be read")));
        }
        match (hasher.map(Hasher::finish), checksum) {
            (Some(computed), Some(kept)) if computed.value != kept.value => {
                Err(Error::BadChecksum(kept.algorithm))
            }
            _ => Ok(read),
        }
    }

    async fn verify_parts_under_way(&self, report: &mut VerifyReport) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.all_buckets(after, BATCH))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            for bucket in rows.iter().filter_map(|row| self.open_bucket(row).ok()) {
                self.verify_parts_of_bucket(&Arc::new(bucket), report).await?;
            }
        }
    }

    async fn verify_parts_of_bucket(&self, bucket: &Bucket, report: &mut VerifyReport) -> Result<(), Error> {
        let (mut key, mut id) = (Vec::new(), [0; 16]);
        loop {
            let uploads =
                self.0.metadata.read(|snapshot| snapshot.uploads(bucket.number, &key, id, BATCH))?;
            let Some(last) = uploads.last() else { return Ok(()) };
            (key, id) = (last.key.as_bytes().to_vec(), last.id.to_bytes());
            for upload in &uploads {
                for row in self.0.metadata.read(|snapshot| snapshot.parts(upload.id, 0, u32::MAX))? {
                    let Ok(part) = self.open_part(bucket.parts_owner(), &row) else { continue };
                    match self.verify_part(bucket, &part).await {
                        Ok(bytes) => report.bytes += bytes,
                        Err(_) if self.part_is_gone(&row)? => {}
                        Err(error) => {
                            report.add(format!("part {} of upload {}", row.number, row.upload), error);
                        }
                    }
                }
            }
        }
    }

    fn part_is_gone(&self, row: &PartRow) -> Result<bool, Error> {
        let now = self.0.metadata.read(|snapshot| snapshot.part(row.upload, row.number))?;
        Ok(now.as_ref() != Some(row))
    }
}
