//! What buckets are set to beside their records: policies, rules, tags. Sealed at rest, since tenants write it.
//!
//! Each is a row of its own. They are read with their bucket, and kept in memory with it.

use nuee_access::{Action, Permit};
use nuee_base::Context;
use nuee_journal::Subject;
use nuee_keys::RowBuilder;
use nuee_metadata::{BucketSettingRow, Snapshot, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Bucket, BucketPolicy, CorsRules, Error, Lifecycle, Notifications, PublicAccess, Store, TagSet, record,
};

/// What sealed settings are for, so that no other sealed record passes for them.
pub(crate) const SETTING: &str = "setting";

/// One setting. The order of these is part of the format: new ones come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// Tags.
    Tags(TagSet),
    /// Which sites may script its content.
    Cors(CorsRules),
    /// Who may do what in it, beside its project's members.
    Policy(BucketPolicy),
    /// What is blocked of public access to it.
    PublicAccess(PublicAccess),
    /// By which objects, versions and uploads go by themselves.
    Lifecycle(Lifecycle),
    /// Which of its events are told to whom.
    Notifications(Notifications),
}

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingName {
    /// Tags.
    Tags,
    /// Which sites may script its content.
    Cors,
    /// Who may do what in it, beside its project's members.
    Policy,
    /// What is blocked of public access to it.
    PublicAccess,
    /// Lifecycle rules.
    Lifecycle,
    /// Which of its events are told to whom.
    Notifications,
}

impl SettingName {
    /// Its name in rows and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Cors => "cors",
            Self::Policy => "policy",
            Self::PublicAccess => "public-access",
            Self::Lifecycle => "lifecycle",
            Self::Notifications => "notifications",
        }
    }
}

impl Setting {
    fn name(&self) -> SettingName {
        match self {
            Self::Tags(_) => SettingName::Tags,
            Self::Cors(_) => SettingName::Cors,
            Self::Policy(_) => SettingName::Policy,
            Self::PublicAccess(_) => SettingName::PublicAccess,
            Self::Lifecycle(_) => SettingName::Lifecycle,
            Self::Notifications(_) => SettingName::Notifications,
        }
    }
}

/// All settings of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its tags.
    pub tags: Option<TagSet>,
    /// Which sites may script its content.
    pub cors: Option<CorsRules>,
    /// The text of its policy.
    pub policy: Option<BucketPolicy>,
    /// What is blocked of public access to it.
    pub public_access: PublicAccess,
    /// Its lifecycle rules.
    pub lifecycle: Option<Lifecycle>,
    /// Which of its events are told to whom.
    pub notifications: Option<Notifications>,
}

impl Settings {
    fn add(&mut self, setting: Setting) {
        match setting {
            Setting::Tags(tags) => self.tags = Some(tags),
            Setting::Cors(rules) => self.cors = Some(rules),
            Setting::Policy(policy) => self.policy = Some(policy),
            Setting::PublicAccess(access) => self.public_access = access,
            Setting::Lifecycle(lifecycle) => self.lifecycle = Some(lifecycle),
            Setting::Notifications(notifications) => self.notifications = Some(notifications),
        }
    }
}

/// The fields that the code of a row of `bucket_settings` covers.
fn fields(bucket: &Bucket, name: &str, record: &[u8]) -> RowBuilder {
    RowBuilder::new("bucket_settings")
        .bytes(&bucket.organisation.to_bytes())
        .bytes(&bucket.id.to_bytes())
        .bytes(name.as_bytes())
        .bytes(record)
}

/// What the journal says of a setting that was taken back.
pub(crate) const REMOVED: &str = "removed";

/// What the journal calls a setting of a bucket.
pub(crate) fn on(bucket: &str, name: &str) -> String {
    format!("{bucket} {name}")
}

impl Store {
    pub(crate) fn open_settings(&self, snapshot: &Snapshot<'_>, bucket: &Bucket) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for row in snapshot.bucket_settings(bucket.number)? {
            let (setting, _) = self.open_setting(bucket, &row)?;
            settings.add(setting);
        }
        Ok(settings)
    }

    /// A setting, and its plain record.
    pub(crate) fn open_setting(
        &self,
        bucket: &Bucket,
        row: &BucketSettingRow,
    ) -> Result<(Setting, Vec<u8>), Error> {
        let what = || format!("the setting {} of bucket {}", row.name, bucket.name);
        let row_key = self.row_key(bucket.organisation)?;
        if fields(bucket, &row.name, &row.record).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(what(), "its row's code is wrong"));
        }
        let plain = self.open_sealed(bucket, SETTING, &row.record)?;
        let setting: Setting = record::decode("bucket_settings", &plain)?;
        if setting.name().as_str() != row.name {
            return Err(Error::damaged(what(), "it is another one"));
        }
        Ok((setting, plain))
    }

    /// The row of a setting with this plain record.
    pub(crate) fn setting_row(
        &self,
        bucket: &Bucket,
        name: String,
        plain: &[u8],
    ) -> Result<BucketSettingRow, Error> {
        let record = self.seal(bucket, SETTING, plain)?;
        let mac = fields(bucket, &name, &record).mac(&*self.row_key(bucket.organisation)?);
        Ok(BucketSettingRow { bucket: bucket.number, name, record, mac })
    }

    /// Stands for what is sealed, in the journal: enough to tell whether a row is the one that was written, and nothing
    /// for who has not the organisation's key.
    pub(crate) fn fingerprint(&self, bucket: &Bucket, plain: &[u8]) -> Result<String, Error> {
        let row_key = self.row_key(bucket.organisation)?;
        let code = RowBuilder::new("fingerprint").bytes(&bucket.id.to_bytes()).bytes(plain).mac(&row_key);
        Ok(hex::encode(code))
    }

    /// Sets a bucket to something. `action` is what the permit is for.
    pub async fn put_setting(
        &self,
        context: &Context,
        (permit, action): (&Permit, Action),
        bucket: &Bucket,
        mut setting: Setting,
    ) -> Result<(), Error> {
        permit.require_bucket(action, bucket.id)?;
        self.require_room()?;
        if let Setting::Notifications(notifications) = &mut setting {
            notifications.since = self.last_leaf()?;
        }
        let (row, detail) = self.setting_to_put(bucket, &setting)?;
        let (entry, forget) = (self.entry(context, bucket)?, self.forget_bucket(bucket));
        let bucket_name = bucket.name.clone();
        let put = move |transaction: &Transaction<'_>| {
            if transaction.bucket_record(row.bucket)?.is_none() {
                return Err(Error::NoSuchBucket(bucket_name.to_string()));
            }
            transaction.put_bucket_setting(&row)?;
            entry.append(transaction, action.as_str(), Subject::detail(&detail))?;
            Ok(forget)
        };
        self.0.metadata.write(put).await.map(drop)
    }

    /// The row of a setting, and what the journal says of it.
    pub(crate) fn setting_to_put(
        &self,
        bucket: &Bucket,
        setting: &Setting,
    ) -> Result<(BucketSettingRow, String), Error> {
        let plain = record::encode(setting)?;
        let name = setting.name().as_str();
        let row = self.setting_row(bucket, name.to_owned(), &plain)?;
        Ok((row, format!("{name} {}", self.fingerprint(bucket, &plain)?)))
    }

    /// Takes a setting back; `false` if there was none.
    pub async fn delete_setting(
        &self,
        context: &Context,
        (permit, action): (&Permit, Action),
        bucket: &Bucket,
        name: SettingName,
    ) -> Result<bool, Error> {
        permit.require_bucket(action, bucket.id)?;
        let (entry, forget) = (self.entry(context, bucket)?, self.forget_bucket(bucket));
        let number = bucket.number;
        let delete = move |transaction: &Transaction<'_>| {
            let found = transaction.delete_bucket_setting(number, name.as_str())?;
            if found {
                let detail = format!("{} {REMOVED}", name.as_str());
                entry.append(transaction, action.as_str(), Subject::detail(&detail))?;
            }
            Ok::<_, Error>((found, forget))
        };
        self.0.metadata.write(delete).await.map(|(found, _forget)| found)
    }
}
