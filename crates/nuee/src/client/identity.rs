//! Assumable roles, sessions and explanations, asked of the API by a member.

use anyhow::{Result, bail, ensure};
use http::Method;
use nuee_base::{SessionId, Slug};
use serde_json::{Value, json};

use super::{
    Client,
    requests::{read, text},
    segment,
};
use crate::{
    Reply, Request,
    administration::{AccessAnswer, AccessQuestion, AssumableRole, Place, Session, Terms},
};

impl Client {
    /// Carries out what is about roles, sessions and decisions; nothing else is left that members ask.
    pub(super) async fn execute_on_access(&self, request: Request) -> Result<Reply> {
        match request {
            Request::CreateAssumableRole { place, name, terms } => {
                self.create_role(&place, &name, terms).await
            }
            Request::ListAssumableRoles { place } => self.list_roles(&place).await,
            Request::DeleteAssumableRole { place, name } => self.delete_role(&place, &name).await,
            Request::ListSessions { place } => self.list_sessions(&place).await,
            Request::RevokeSession { place, id } => self.revoke_session(&place, id).await,
            Request::ExplainAccess(question) => self.explain(question).await,
            _ => {
                bail!("only whoever runs the platform can do this: run it there with --operator, or ask them")
            }
        }
    }

    async fn create_role(&self, place: &Place, name: &Slug, terms: Terms) -> Result<Reply> {
        ensure!(
            !terms.is_default,
            "only whoever runs the platform can make the role that users of an issuer have by default"
        );
        let mut asked = serde_json::to_value(terms)?;
        if let Some(asked) = asked.as_object_mut() {
            asked.remove("is_default");
            asked.insert("name".to_owned(), json!(name.as_str()));
        }
        let made = self.create(&format!("{}/roles", self.project(place)?), asked).await?;
        Ok(Reply::AssumableRoleCreated(role(made)?))
    }

    async fn list_roles(&self, place: &Place) -> Result<Reply> {
        let found = self.items(&format!("{}/roles", self.project(place)?), 0).await?;
        Ok(Reply::AssumableRoles { roles: found.into_iter().map(role).collect::<Result<_>>()? })
    }

    async fn delete_role(&self, place: &Place, name: &Slug) -> Result<Reply> {
        let path = format!("{}/roles/{}", self.project(place)?, segment(name.as_str()));
        let deleted = self.call(Method::DELETE, &path, None).await?;
        Ok(Reply::AssumableRoleDeleted { ended: read(deleted["ended"].clone())? })
    }

    async fn list_sessions(&self, place: &Place) -> Result<Reply> {
        let found = self.items(&format!("{}/sessions", self.project(place)?), 0).await?;
        let sessions = found.into_iter().map(read::<Session>).collect::<Result<_>>()?;
        Ok(Reply::Sessions { sessions })
    }

    async fn revoke_session(&self, place: &Place, id: SessionId) -> Result<Reply> {
        self.call(Method::DELETE, &format!("{}/sessions/{id}", self.project(place)?), None).await?;
        Ok(Reply::SessionRevoked)
    }

    /// Asks about the project of the resource; where that is in a bucket, about the one that is named.
    async fn explain(&self, question: AccessQuestion) -> Result<Reply> {
        let AccessQuestion { principal, action, resource, from, place } = question;
        let named = resource.split_once('/').filter(|_| !resource.starts_with("s3://"));
        let place = match named {
            Some((organisation, project)) => {
                Place { organisation: organisation.parse()?, project: project.parse()? }
            }
            None => place,
        };
        let asked = json!({ "principal": principal, "action": action, "resource": resource, "from": from });
        let path = format!("{}/access/explanations", self.project(&place)?);
        let answer = self.call(Method::POST, &path, Some(asked)).await?;
        Ok(Reply::Access(read::<AccessAnswer>(answer)?))
    }
}

fn role(mut value: Value) -> Result<AssumableRole> {
    let terms = json!({
        "grants": value["grants"].take(), "issuer": value["issuer"].take(), "conditions": value["conditions"].take(),
        "is_default": value["is_default"].take(), "longest_seconds": value["longest_seconds"].take(),
        "policy": value["policy"].take(),
    });
    Ok(AssumableRole {
        name: text(&value, "name")?,
        arn: text(&value, "arn")?,
        terms: read::<Terms>(terms)?,
        created_at: text(&value, "created_at")?,
    })
}
