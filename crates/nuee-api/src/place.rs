//! Places by their names: organisations, projects, buckets.
//!
//! A place that a caller has no part in is answered as one that does not exist, so that nobody learns names by asking.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts as Head;
use nuee_access::{Action, Resource};
use nuee_base::{BucketName, OrganisationId, Principal, Slug};
use nuee_store::Bucket;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    caller::Caller,
    failure::{Answer, Failure},
};

/// What a path names.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Head, state: &S) -> Answer<Self> {
        let axum::extract::Path(named) = axum::extract::Path::<T>::from_request_parts(head, state).await?;
        Ok(Self(named))
    }
}

/// An organisation in a path.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OrganisationPath {
    pub(crate) organisation: String,
}

/// A project in a path.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProjectPath {
    pub(crate) organisation: String,
    pub(crate) project: String,
}

impl Caller {
    fn own_organisation(&self) -> Option<OrganisationId> {
        match self.context.principal() {
            Principal::User { organisation, .. } | Principal::ServiceAccount { organisation, .. } => {
                Some(*organisation)
            }
            _ => None,
        }
    }

    /// The organisation of this name, if it is the caller's.
    pub(crate) fn organisation(&self, name: &str) -> Answer<Resource> {
        let unknown = || Failure::not_found(format!("there is no organisation {name:?} that you belong to"));
        let slug: Slug = name.parse().map_err(|_| unknown())?;
        let found = self.parts.tenancy.locate_organisation(&slug)?;
        let own = |place: &Resource| matches!(place, Resource::Organisation(id) if Some(*id) == self.own_organisation());
        found.filter(own).ok_or_else(unknown)
    }

    /// The project of this name, if the caller may see it.
    pub(crate) fn project(&self, path: &ProjectPath) -> Answer<Resource> {
        let organisation = self.organisation(&path.organisation)?;
        let name = &path.project;
        let unknown = || Failure::not_found(format!("there is no project {name:?} that you may see"));
        let Resource::Organisation(id) = organisation else { return Err(unknown()) };
        let slug: Slug = name.parse().map_err(|_| unknown())?;
        let found = self.parts.tenancy.locate_project(id, &slug)?;
        let seen = |place: &Resource| {
            self.may(Action::GetProject, *place) || self.may(Action::ListProjects, organisation)
        };
        found.filter(seen).ok_or_else(unknown)
    }

    /// The bucket of this name in a project.
    pub(crate) fn bucket(&self, project: Resource, name: &str) -> Answer<Arc<Bucket>> {
        let unknown = || Failure::not_found(format!("there is no bucket {name:?} in this project"));
        let parsed: BucketName = name.parse().map_err(|_| unknown())?;
        let bucket = self.parts.store.find_bucket(&parsed).map_err(|error| match error.kind() {
            nuee_base::ErrorKind::NotFound => unknown(),
            _ => error.into(),
        })?;
        let within = matches!(
            (bucket.resource(), project),
            (Resource::Bucket { project: of, .. }, Resource::Project { project, .. }) if of == project
        );
        if within { Ok(bucket) } else { Err(unknown()) }
    }
}
