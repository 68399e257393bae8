//! What is asked of a platform, asked of its API by a member.

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::TryStreamExt;
use http::Method;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{Client, segment};
use crate::{
    Reply, Request,
    administration::{
        Exposure, ExposureRequest, ExposureTerms, JournalLeaf, JournalQuery, Place, Placement, Project,
        ProjectDetails, Quota, ServiceAccount,
    },
};

/// The organisation that commands name where none is named.
const UNNAMED: &str = "local";

impl Client {
    /// Carries out what somebody asks who is signed in.
    pub(crate) async fn execute(&self, request: Request) -> Result<Reply> {
        if self.login.operator {
            return read(self.call(Method::POST, "/requests", Some(serde_json::to_value(request)?)).await?);
        }
        self.execute_as_member(request).await
    }

    async fn execute_as_member(&self, request: Request) -> Result<Reply> {
        match request {
            Request::CreateProject { organisation, name } => {
                let path = format!("{}/projects", self.organisation(organisation.as_str())?);
                let made = self.create(&path, json!({ "name": name.as_str() })).await?;
                Ok(Reply::ProjectCreated(read(made)?))
            }
            Request::ListProjects { organisation } => {
                let path = format!("{}/projects", self.organisation(organisation.as_str())?);
                let projects = self.items(&path, 0).await?.into_iter().map(read::<Project>);
                Ok(Reply::Projects { projects: projects.collect::<Result<_>>()? })
            }
            Request::ShowProject { place } => self.show_project(&place).await,
            Request::SetQuota { place, quota } => self.change_project(&place, "quota", json!(quota)).await,
            Request::SetPlacement { place, placement } => {
                self.change_project(&place, "placement", json!(placement)).await
            }
            Request::CreateServiceAccount { place, name, role } => {
                let path = format!("{}/service-accounts", self.project(&place)?);
                let made =
                    self.create(&path, json!({ "name": name.as_str(), "role": role.as_str() })).await?;
                let account = read::<ServiceAccount>(made["account"].clone())?;
                Ok(Reply::ServiceAccountCreated { account, secret_access_key: secret(&made["key"])? })
            }
            Request::ListServiceAccounts { place } => {
                let path = format!("{}/service-accounts", self.project(&place)?);
                let accounts = self.items(&path, 0).await?.into_iter().map(read::<ServiceAccount>);
                Ok(Reply::ServiceAccounts { accounts: accounts.collect::<Result<_>>()? })
            }
            Request::RevokeServiceAccount { place, name } => {
                let path = format!("{}/service-accounts/{}", self.project(&place)?, segment(name.as_str()));
                self.call(Method::DELETE, &path, None).await?;
                Ok(Reply::ServiceAccountRevoked)
            }
            Request::CreateAccessKey { place, account, days } => {
                let account = segment(account.as_str());
                let path = format!("{}/service-accounts/{account}/access-keys", self.project(&place)?);
                let made = self.create(&path, json!({ "days": days })).await?;
                Ok(Reply::AccessKeyCreated {
                    access_key_id: text(&made, "access_key_id")?,
                    secret_access_key: secret(&made)?,
                    expires_at: made["expires_at"].as_str().map(str::to_owned),
                })
            }
            Request::DeleteAccessKey { place, account, key } => {
                let (account, key) = (segment(account.as_str()), segment(key.as_str()));
                let path = format!("{}/service-accounts/{account}/access-keys/{key}", self.project(&place)?);
                self.call(Method::DELETE, &path, None).await?;
                Ok(Reply::AccessKeyDeleted)
            }
            Request::Exposures { place, exposures } => self.exposures(&place, exposures).await,
            Request::ListJournal { organisation, query } => self.journal(organisation.as_str(), query).await,
            Request::JournalKey => {
                let shown = self.call(Method::GET, "/journal/key", None).await?;
                Ok(Reply::JournalKey { key: text(&shown, "key")? })
            }
            Request::ExportJournal { organisation, since, until, file } => {
                let path = format!("{}/journal/export", self.organisation(organisation.as_str())?);
                let asked = query(&[("since", since), ("until", until)]);
                self.download(&format!("{path}{asked}"), &file, |_| {}).await?;
                Ok(Reply::JournalReceived { file })
            }
            other => self.execute_on_access(other).await,
        }
    }

    /// The path of the organisation: that of whoever is signed in.
    pub(crate) fn organisation(&self, named: &str) -> Result<String> {
        let own = &self.login.organisation;
        ensure!(
            !self.login.operator,
            "you are signed in as an operator, who has no part in what organisations store: `nuee login` as a member"
        );
        ensure!(named == UNNAMED || named == own, "you belong to the organisation {own}, and not to {named}");
        Ok(format!("/organisations/{}", segment(own)))
    }

    /// The path of a project.
    pub(crate) fn project(&self, place: &Place) -> Result<String> {
        let organisation = self.organisation(place.organisation.as_str())?;
        Ok(format!("{organisation}/projects/{}", segment(place.project.as_str())))
    }

    async fn exposures(&self, place: &Place, asked: ExposureRequest) -> Result<Reply> {
        let path = format!("{}/exposures", self.project(place)?);
        match asked {
            ExposureRequest::Create(terms) => {
                let made = self.create(&path, serde_json::to_value(terms)?).await?;
                Ok(Reply::ExposureCreated(exposure(made)?))
            }
            ExposureRequest::List => {
                let exposures = self.items(&path, 0).await?.into_iter().map(exposure);
                Ok(Reply::Exposures { exposures: exposures.collect::<Result<_>>()? })
            }
            ExposureRequest::Delete(id) => {
                self.call(Method::DELETE, &format!("{path}/{id}"), None).await?;
                Ok(Reply::ExposureDeleted)
            }
        }
    }

    /// Sets what bounds a project; gives the project then.
    async fn change_project(&self, place: &Place, what: &str, value: Value) -> Result<Reply> {
        let path = format!("{}/{what}", self.project(place)?);
        self.call(Method::PUT, &path, Some(value)).await?;
        self.show_project(place).await
    }

    async fn show_project(&self, place: &Place) -> Result<Reply> {
        let path = self.project(place)?;
        let project = self.call(Method::GET, &path, None).await?;
        let usage = self.call(Method::GET, &format!("{path}/usage"), None).await?;
        let number = |name: &str| usage[name].as_u64().unwrap_or_default();
        Ok(Reply::Project(ProjectDetails {
            bytes: number("bytes"),
            objects: number("objects"),
            buckets: number("buckets"),
            quota: read::<Quota>(usage["quota"].clone())?,
            ceiling: text(&project, "ceiling")?,
            placement: read::<Placement>(project["placement"].clone())?,
            project: read(project)?,
        }))
    }

    async fn journal(&self, organisation: &str, wanted: JournalQuery) -> Result<Reply> {
        let JournalQuery { action, by, on, since, until, before: _, limit } = wanted;
        let asked = query(&[("action", action), ("by", by), ("on", on), ("since", since), ("until", until)]);
        let path = format!("{}/journal{asked}", self.organisation(organisation)?);
        let leaves = self.items(&path, limit).await?.into_iter().map(|mut event| {
            for name in ["by", "action", "on"] {
                if event[name].is_null() {
                    event[name] = Value::from("");
                }
            }
            read::<JournalLeaf>(event)
        });
        Ok(Reply::Journal { leaves: leaves.collect::<Result<_>>()? })
    }

    /// The items of every page of a list; `most` of them, if that is not zero.
    pub(crate) async fn items(&self, path: &str, most: usize) -> Result<Vec<Value>> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let limit = if most == 0 { 1_000 } else { (most - found.len()).min(1_000) };
            let next = after.map(|after| format!("&after={}", segment(&after))).unwrap_or_default();
            let mut page = self.call(Method::GET, &format!("{path}{joint}limit={limit}{next}"), None).await?;
            let Value::Array(items) = page["items"].take() else { bail!("the server's answer is no list") };
            found.extend(items);
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() || (most != 0 && found.len() >= most) {
                return Ok(found);
            }
        }
    }

    /// Writes what the server answers to a new file; `progress` is told how many bytes came.
    pub(crate) async fn download(
        &self,
        path: &str,
        file: &std::path::Path,
        progress: impl Fn(u64),
    ) -> Result<u64> {
        let response = self.receive(path).await?;
        let open = tokio::fs::File::options().write(true).create_new(true).mode(0o600).open(file).await;
        let mut out = open.with_context(|| format!("cannot make {}", file.display()))?;
        let mut body = response.into_body().into_data_stream();
        let written = async {
            let mut written = 0;
            while let Some(bytes) = body.try_next().await? {
                out.write_all(&bytes).await?;
                written += bytes.len() as u64;
                progress(written);
            }
            out.sync_all().await?;
            Ok::<_, anyhow::Error>(written)
        };
        let written = written.await;
        if written.is_err() {
            // A part is not the whole.
            let _ = tokio::fs::remove_file(file).await;
        }
        written.with_context(|| format!("{} was not written", file.display()))
    }
}

/// A query of what is given.
pub(crate) fn query(named: &[(&str, Option<String>)]) -> String {
    let given = named
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", segment(value))));
    let given = given.collect::<Vec<_>>().join("&");
    if given.is_empty() { given } else { format!("?{given}") }
}

pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("the server's answer is of another version than this program")
}

fn exposure(mut value: Value) -> Result<Exposure> {
    let terms = json!({
        "bucket": value["bucket"].take(), "prefix": value["prefix"].take(), "zone": value["zone"].take(),
        "audience": value["audience"].take(), "expires_at": value["expires_at"].take(),
        "networks": value["networks"].take(),
    });
    Ok(Exposure {
        id: text(&value, "id")?,
        terms: read::<ExposureTerms>(terms)?,
        created_by: text(&value, "created_by")?,
        created_at: text(&value, "created_at")?,
    })
}

pub(crate) fn text(value: &Value, name: &str) -> Result<String> {
    let found = value[name].as_str().map(str::to_owned);
    found.with_context(|| format!("the server's answer has no {name}"))
}

fn secret(value: &Value) -> Result<nuee_base::Secret> {
    text(value, "secret_access_key").map(nuee_base::Secret::new)
}
