//! A store in memory, behind the surface or behind `s3s` alone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use nuee_base::{
    AccessKeyId, Environment, OrganisationId, Principal, ProjectId, Role, Secret, ServiceAccountId,
};
use nuee_s3::{
    Authenticator, Credential, Credentials, Error, Filter, Front, Gate, Hosts, Upload, service_with_detour,
};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    dto::{
        CopyObjectInput, CopyObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput,
        GetObjectOutput, ListBucketsInput, ListBucketsOutput, PutObjectInput, PutObjectOutput,
    },
    service::{S3Service, S3ServiceBuilder},
};

use crate::signer::{ACCESS_KEY, SECRET};

/// The operation that a request was taken for, and who was taken to ask.
type Call = (&'static str, Option<Principal>);

#[derive(Clone, Default)]
pub(crate) struct Memory {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// What the last request that reached a handler was taken for.
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Memory {
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.lock().unwrap().get(key).cloned()
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.objects.lock().unwrap().is_empty() && self.calls.lock().unwrap().is_empty()
    }

    pub(crate) fn last_call(&self) -> Option<Call> {
        self.calls.lock().unwrap().last().cloned()
    }

    fn note<T>(&self, name: &'static str, request: &S3Request<T>) {
        let principal = request.extensions.get::<Principal>().cloned();
        self.calls.lock().unwrap().push((name, principal));
    }
}

#[async_trait]
impl Credentials for Memory {
    async fn find(&self, id: &AccessKeyId) -> Result<Option<Credential>, Error> {
        let principal = Principal::ServiceAccount {
            id: ServiceAccountId::from_bytes([1; 16]),
            organisation: OrganisationId::from_bytes([2; 16]),
            project: ProjectId::from_bytes([3; 16]),
            role: Role::Owner,
        };
        let known = id.as_str() == ACCESS_KEY;
        Ok(known.then(|| Credential { principal, secret: Secret::new(SECRET.into()), session: None }))
    }
}

#[async_trait]
impl S3 for Memory {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut content = Vec::new();
        if let Ok(mut upload) = Upload::take(&request) {
            while let Some(piece) = upload.next().await {
                content.extend_from_slice(&piece?);
            }
            assert_eq!(
                upload.trailer().is_some(),
                upload.trailer().and_then(|trailer| trailer.value()).is_some()
            );
        } else {
            let mut body = request.input.body.take().unwrap();
            while let Some(piece) = body.next().await {
                let piece =
                    piece.map_err(|error| S3Error::with_source(S3ErrorCode::InvalidRequest, error))?;
                content.extend_from_slice(&piece);
            }
        }
        self.note("PutObject", &request);
        self.objects.lock().unwrap().insert(request.input.key.clone(), content);
        Ok(S3Response::new(PutObjectOutput::default()))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        self.note("CopyObject", &request);
        Ok(S3Response::new(CopyObjectOutput::default()))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.note("GetObject", &request);
        Ok(S3Response::new(GetObjectOutput::default()))
    }

    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.note("ListBuckets", &request);
        Ok(S3Response::new(ListBucketsOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.note("DeleteObjects", &request);
        let mut objects = self.objects.lock().unwrap();
        for object in request.input.delete.objects {
            objects.remove(&object.key);
        }
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }
}

/// Lets everybody in, and notes who `s3s` takes them for.
struct Everybody;

#[async_trait]
impl S3Access for Everybody {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            context.extensions_mut().insert(Principal::Anonymous);
        }
        Ok(())
    }
}

fn s3s_alone(memory: &Memory) -> S3Service {
    let mut builder = S3ServiceBuilder::new(memory.clone());
    builder.set_auth(Authenticator::new(Arc::new(memory.clone())));
    builder.set_access(Everybody);
    builder.set_host(Hosts::new([]).unwrap());
    builder.build()
}

/// An answer: status, S3 code if it is an error, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) body: String,
}

async fn answer(response: Response<s3s::Body>) -> Answer {
    let status = response.status();
    let body = BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    Answer { status, code: code.map(|(code, _)| code.to_owned()).unwrap_or_default(), body }
}

/// The surface over this memory.
pub(crate) fn front(memory: &Memory) -> Front {
    let (credentials, hosts) = (Arc::new(memory.clone()), Hosts::new([]).unwrap());
    let gate = Gate::new(Arc::new(memory.clone()), Environment::system());
    let service = service_with_detour(memory.clone(), credentials, gate, hosts.clone());
    Front::new(Filter::new(hosts), service, Environment::system())
}

/// Sends a request through the filter.
pub(crate) async fn send(memory: &Memory, request: Request<Full<Bytes>>) -> Answer {
    answer(front(memory).call(request).await).await
}

/// Sends a request to `s3s` without the filter.
pub(crate) async fn send_to_s3s_alone(memory: &Memory, request: Request<Full<Bytes>>) -> Answer {
    answer(s3s_alone(memory).call(request.map(s3s::Body::http_body)).await.unwrap()).await
}
