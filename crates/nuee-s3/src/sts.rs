//! The Security Token Service: temporary keys for those who prove who they are
//! ([AWS's reference](https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html)).
//!
//! Three actions are offered, at `/` of the same address as S3, with their fields in the query or in a form:
//! `AssumeRoleWithWebIdentity`, for whoever has a token of an issuer of the settings; `AssumeRole`, for service accounts;
//! and `GetCallerIdentity`, for whoever signs. For example, a browser sends
//! `POST /?Action=AssumeRoleWithWebIdentity&WebIdentityToken=…`, and is answered an access key, its secret and a session
//! token.
//!
//! Promised: a session has at most what its role grants, whatever is asked for; a duration is brought into the bounds of
//! the role; a field that would change what is meant and is not offered is refused; an issuer that cannot be reached
//! makes nobody known.
//!
//! Deliberately absent: presigned requests, tags and managed policies of sessions, and roles assumed from roles.

mod answer;
mod fields;
mod signature;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use nuee_access::{Action, Decider, Identity, InvalidToken, Resource};
use nuee_base::{Context, Environment, ErrorKind, Principal};
use nuee_tenancy::{AssumableRole, Beginner, TemporaryKey, Tenancy, Wanted, parse_role_arn, role_arn};
use nuee_web::Arrival;

use self::{
    answer::{Caller, Fault},
    fields::Fields,
};
use crate::{Credentials, RequestId};

/// The largest body, in bytes: room for a token and a policy, encoded.
const MAX_BODY_BYTES: usize = 128 << 10;
/// The largest policy of a request, in bytes.
const MAX_POLICY_BYTES: usize = 10_240;

/// Why a token makes nobody known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// It is the token.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// Its issuer does not answer, or answers nothing of use. For logs: whoever sent the token is told that it is so.
    #[error("the issuer {issuer} cannot be asked: {why}")]
    Issuer {
        /// Its name in the settings.
        issuer: String,
        /// What happened.
        why: String,
    },
}

/// Who somebody is, by a token of the web.
#[async_trait::async_trait]
pub trait WebIdentities: Send + Sync + 'static {
    /// The identity that a token makes known.
    async fn identify(&self, token: &str) -> Result<Identity, Unidentified>;
}

/// No issuer is known: no token makes anybody known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIssuers;

#[async_trait::async_trait]
impl WebIdentities for NoIssuers {
    async fn identify(&self, _: &str) -> Result<Identity, Unidentified> {
        Err(InvalidToken::UnknownIssuer.into())
    }
}

/// What answers.
pub(crate) struct Sts {
    pub(crate) tenancy: Tenancy,
    pub(crate) decider: Decider,
    pub(crate) environment: Environment,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) identities: Arc<dyn WebIdentities>,
}

/// Whether a request to `/` is for this service, and not for S3.
pub(crate) fn is_meant(parts: &Parts) -> bool {
    let names_an_action = || {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        form_urlencoded::parse(query).any(|(name, _)| name == "Action")
    };
    match parts.method {
        Method::POST => is_form(parts) || names_an_action(),
        Method::GET => names_an_action(),
        _ => false,
    }
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
    let form = b"application/x-www-form-urlencoded";
    kind.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
}

impl Sts {
    /// Answers a request. Every failure is an answer.
    pub(crate) async fn answer<B>(&self, parts: &Parts, body: B, id: &RequestId) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.carry_out(parts, body).await {
            Ok((action, result)) => answer::success(action, &result, id),
            Err(fault) => answer::fault(&fault, id),
        }
    }

    async fn carry_out<B>(&self, parts: &Parts, body: B) -> Result<(&'static str, String), Fault>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|_| {
            Fault::validation(format!("The body did not come, or has more than {MAX_BODY_BYTES} bytes."))
        })?;
        let body = body.to_bytes();
        let fields = Fields::read(parts.uri.query(), if is_form(parts) { &body } else { b"" })?;
        // A credential that comes along is checked, also where none is needed.
        let signed = self.signer(parts, &body).await?;
        match fields.get("Action").unwrap_or_default() {
            "AssumeRoleWithWebIdentity" => {
                let result = self.assume_with_web_identity(parts, &fields).await?;
                Ok(("AssumeRoleWithWebIdentity", result))
            }
            "AssumeRole" => {
                let caller = signed.ok_or_else(Fault::unsigned)?;
                Ok(("AssumeRole", self.assume(self.context(parts, caller), &fields).await?))
            }
            "GetCallerIdentity" => {
                fields.only(&[])?;
                let caller = signed.ok_or_else(Fault::unsigned)?;
                let (organisation, project) = caller.place().ok_or_else(Fault::unsigned)?;
                let context = self.context(parts, caller);
                self.begins_in(&context, Resource::Project { organisation, project }, "GetCallerIdentity")?;
                Ok(("GetCallerIdentity", Caller::of(context.principal())?.document()))
            }
            other => Err(Fault::invalid_action(other)),
        }
    }

    /// Who signed a request; `None` if nobody did.
    async fn signer(&self, parts: &Parts, body: &[u8]) -> Result<Option<Principal>, Fault> {
        let now = self.environment.now();
        let Some(signed) = signature::Signed::of(parts, body, now)? else { return Ok(None) };
        let found = crate::auth::find(self.credentials.as_ref(), signed.access_key()).await;
        let credential = found.map_err(|error| Fault::of_credential(&error))?;
        signed.check(&credential.secret)?;
        let token = crate::auth::session_token(&parts.headers);
        credential.check(token, now).map_err(Fault::of_unusable)?;
        Ok(Some(credential.principal))
    }

    /// A context in which `principal` acts, where the request came in.
    fn context(&self, parts: &Parts, principal: Principal) -> Context {
        let context = Context::new(self.environment.clone(), principal);
        match parts.extensions.get::<Arrival>() {
            Some(arrival) => context.arriving(arrival.origin()),
            None => context,
        }
    }

    /// That the project is exposed where the request came in, to who has proved who they are.
    fn begins_in(&self, context: &Context, project: Resource, action: &str) -> Result<(), Fault> {
        self.decider.decide_session(context, project).map_err(|error| {
            tracing::info!(principal = %context.principal(), resource = %project, reason = %error.reason(), "denied");
            Fault::denied(action)
        })
    }

    async fn assume_with_web_identity(&self, parts: &Parts, fields: &Fields) -> Result<String, Fault> {
        fields.only(&["WebIdentityToken", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy"])?;
        let identity = self.identities.identify(fields.needed("WebIdentityToken")?).await;
        let identity = identity.map_err(|error| Fault::of_unidentified(&error))?;
        let role = match fields.get("RoleArn") {
            Some(arn) => self.role(arn)?,
            None => {
                self.tenancy.find_default_role(identity.issuer()).map_err(|error| Fault::inside(&error))?
            }
        };
        let context = self.context(parts, Principal::Anonymous);
        // What is not exposed is not there.
        let role =
            role.filter(|role| self.begins_in(&context, role.into(), "AssumeRoleWithWebIdentity").is_ok());
        let denied = |why: &str| {
            let (issuer, subject, role) = (identity.issuer(), identity.subject(), fields.get("RoleArn"));
            tracing::info!(%issuer, subject, ?role, why, "denied");
        };
        let Some(role) = role else {
            denied("there is no such role");
            return Err(match fields.get("RoleArn") {
                Some(_) => Fault::denied("AssumeRoleWithWebIdentity"),
                None => Fault::validation("RoleArn is needed: no role is the default of the token's issuer."),
            });
        };
        let begun =
            self.tenancy.begin_session(&context, &role, Beginner::Identity(&identity), wanted(fields)?);
        let key = begun.await.map_err(|error| {
            if error.kind() == ErrorKind::Denied {
                denied(&error.to_string());
            }
            Fault::of_session(&error, "AssumeRoleWithWebIdentity")
        })?;
        Ok(answer::assumed(&role, &key, Some(identity.subject())))
    }

    async fn assume(&self, context: Context, fields: &Fields) -> Result<String, Fault> {
        fields.only(&["RoleArn", "RoleSessionName", "DurationSeconds", "Policy"])?;
        let named = fields.needed("RoleArn")?;
        let denied = |why: &str| {
            tracing::info!(principal = %context.principal(), role = named, why, "denied");
            Fault::denied("AssumeRole")
        };
        let role = self.role(named)?.ok_or_else(|| denied("there is no such role"))?;
        let permit = self.decider.decide(&context, Action::AssumeRole, (&role).into());
        let permit = permit.map_err(|error| denied(&error.reason().to_string()))?;
        let Principal::ServiceAccount { role: own, .. } = context.principal() else {
            return Err(denied("a session assumes no role"));
        };
        let beginner = Beginner::Account(&permit, *own);
        let begun = self.tenancy.begin_session(&context, &role, beginner, wanted(fields)?);
        let key = begun.await.map_err(|error| match error.kind() {
            ErrorKind::Denied => denied(&error.to_string()),
            _ => Fault::of_session(&error, "AssumeRole"),
        })?;
        Ok(answer::assumed(&role, &key, None))
    }

    fn role(&self, arn: &str) -> Result<Option<AssumableRole>, Fault> {
        let Some((project, name)) = parse_role_arn(arn) else {
            let expected =
                "RoleArn must be arn:aws:iam::<project id>:role/<name>: `nuee assumable-role list` shows it.";
            return Err(Fault::validation(expected));
        };
        self.tenancy.find_assumable_role(project, &name).map_err(|error| Fault::inside(&error))
    }
}

/// How the session is to be.
fn wanted(fields: &Fields) -> Result<Wanted, Fault> {
    let seconds =
        |text: &str| text.parse::<u64>().map_err(|_| Fault::validation("DurationSeconds is a number."));
    let policy = fields.get("Policy").filter(|policy| !policy.is_empty());
    if policy.is_some_and(|policy| policy.len() > MAX_POLICY_BYTES) {
        return Err(Fault::packed_policy_too_large(MAX_POLICY_BYTES));
    }
    Ok(Wanted {
        duration: fields.get("DurationSeconds").map(seconds).transpose()?.map(Duration::from_secs),
        name: fields.get("RoleSessionName").filter(|name| !name.is_empty()).map(str::to_owned),
        policy: policy.map(str::to_owned),
    })
}

/// What answers say of who acts in a session: its ARN and its id.
fn assumed_user(role: &AssumableRole, key: &TemporaryKey) -> (String, String) {
    match &key.principal {
        Principal::Session { id, name, .. } => {
            let arn = role_arn(role.project, &role.name);
            (session_arn(&arn, name), format!("{id}:{name}"))
        }
        other => (other.to_string(), other.to_string()),
    }
}

/// The ARN of a session in a role.
fn session_arn(role: &str, name: &str) -> String {
    let role = role.replacen(":iam::", ":sts::", 1).replacen(":role/", ":assumed-role/", 1);
    format!("{role}/{name}")
}
