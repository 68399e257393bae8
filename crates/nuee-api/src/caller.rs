//! Who calls.
//!
//! A credential that is present but of no use is refused, never passed over.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header, request::Parts as Head};
use nuee_access::{Action, Denied, Permit, Reason, Resource};
use nuee_base::{AccessKeyId, Context, Principal, Secret, Zone};
use nuee_tenancy::{Binding, Client, KnownUser, Realm, SecondFactor};
use nuee_web::Arrival;

use crate::{
    failure::{Answer, Failure},
    router::Parts,
};

/// Whoever calls, known.
pub(crate) struct Caller {
    pub(crate) parts: Arc<Parts>,
    pub(crate) context: Context,
    /// How its request came in.
    pub(crate) arrival: Option<Arrival>,
    /// The user and the sign-in, unless a service account calls.
    known: Option<Arc<KnownUser>>,
}

/// Whoever calls without showing anything: where anybody may.
pub(crate) struct Visitor {
    pub(crate) parts: Arc<Parts>,
    pub(crate) context: Context,
    pub(crate) zone: Zone,
}

/// A user who calls.
pub(crate) struct SignedIn {
    pub(crate) caller: Caller,
    pub(crate) known: Arc<KnownUser>,
}

impl Caller {
    /// The permit for an action on a resource.
    pub(crate) fn permit(&self, action: Action, resource: Resource) -> Answer<Permit> {
        self.parts.decider.decide(&self.context, action, resource).map_err(|denied| self.refused(denied))
    }

    /// Why it may not do something, and how it could.
    pub(crate) fn refused(&self, denied: Denied) -> Failure {
        let lacks_factor = denied.reason() == Reason::SingleFactor;
        let failure = Failure::from(denied);
        let Some(known) = self.known.as_ref().filter(|_| lacks_factor) else { return failure };
        let way = match self.parts.tenancy.second_factor(known) {
            Ok(SecondFactor::Device) => "sign in again with a code of your device",
            Ok(SecondFactor::Missing) => {
                "you have no device yet that shows codes: add one by `nuee account second-factor`, or at \
                 /api/v1/account/second-factor"
            }
            Ok(SecondFactor::AtIssuer) => {
                "sign in again with two factors at your issuer: `nuee login --two-factors --issuer NAME`"
            }
            Err(error) => return error.into(),
        };
        failure.with_way(way)
    }

    /// Whether it may do something, for lists of what it may.
    pub(crate) fn may(&self, action: Action, resource: Resource) -> bool {
        self.parts.decider.may(self.context.principal(), action, resource)
    }

    /// Those of some actions that it may do on a resource.
    pub(crate) fn capabilities(&self, actions: &[Action], resource: Resource) -> Vec<&'static str> {
        actions.iter().filter(|action| self.may(**action, resource)).map(|action| action.as_str()).collect()
    }

    /// The user and the sign-in, unless a service account calls.
    pub(crate) fn known(&self) -> Option<&Arc<KnownUser>> {
        self.known.as_ref()
    }
}

impl Visitor {
    /// Where a sign-in of this client holds that begins now.
    pub(crate) fn binding(&self, client: Client) -> Binding {
        Binding { client, zone: self.zone.to_string() }
    }
}

/// A context in which `principal` acts whose request came in so.
fn context(parts: &Parts, head: &Head, principal: Principal) -> Context {
    let context = Context::new(parts.environment.clone(), principal);
    match head.extensions.get::<Arrival>() {
        Some(arrival) => context.arriving(arrival.origin()),
        None => context,
    }
}

fn zone(head: &Head) -> Zone {
    head.extensions.get::<Arrival>().map_or(Zone::Local, |arrival| arrival.zone)
}

/// What an `Authorization` header shows.
enum Shown {
    Token(Secret),
    Key(AccessKeyId, Secret),
}

fn shown(headers: &HeaderMap) -> Answer<Shown> {
    let unusable = || {
        Failure::unauthenticated(
            "the Authorization header is of no use: send `Bearer` and the token of a sign-in, or `Basic` with an access \
             key's id and secret",
        )
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Failure::unauthenticated("sign in first: POST /api/v1/sign-ins, or `nuee login`"));
    };
    if values.next().is_some() {
        return Err(unusable());
    }
    let text = value.to_str().map_err(|_| unusable())?;
    let (scheme, credential) = text.split_once(' ').ok_or_else(unusable)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Shown::Token(Secret::new(credential.trim().to_owned()))),
        "basic" => {
            let decoded = STANDARD.decode(credential.trim()).map_err(|_| unusable())?;
            let decoded = Secret::new(String::from_utf8(decoded).map_err(|_| unusable())?);
            let (id, secret) = decoded.expose().split_once(':').ok_or_else(unusable)?;
            Ok(Shown::Key(id.parse().map_err(|_| unusable())?, Secret::new(secret.to_owned())))
        }
        _ => Err(unusable()),
    }
}

impl FromRequestParts<Arc<Parts>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Head, parts: &Arc<Parts>) -> Answer<Self> {
        let context = context(parts, head, Principal::Anonymous);
        Ok(Self { parts: Arc::clone(parts), context, zone: zone(head) })
    }
}

impl FromRequestParts<Arc<Parts>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Head, parts: &Arc<Parts>) -> Answer<Self> {
        let nobody = context(parts, head, Principal::Anonymous);
        let arrival = head.extensions.get::<Arrival>().copied();
        match shown(&head.headers)? {
            Shown::Token(token) => {
                // The kind of client is the bearer's own word, which the sign-in holds it to.
                let zone = zone(head).to_string();
                let known = parts.tenancy.known_user(&nobody, &token, (parts.realm(), &zone)).await?;
                let context = context(parts, head, known.principal(nobody.now()));
                Ok(Self { parts: Arc::clone(parts), context, arrival, known: Some(known) })
            }
            Shown::Key(id, secret) => {
                let unknown =
                    || Failure::unauthenticated("the access key is unknown, or its secret is another");
                if parts.realm() == Realm::Platform {
                    return Err(unknown());
                }
                let key = parts.tenancy.credentials(&id)?.ok_or_else(unknown)?;
                if !key.has_secret(&secret) {
                    return Err(unknown());
                }
                let context = context(parts, head, key.principal.clone());
                Ok(Self { parts: Arc::clone(parts), context, arrival, known: None })
            }
        }
    }
}

impl FromRequestParts<Arc<Parts>> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Head, parts: &Arc<Parts>) -> Answer<Self> {
        let caller = Caller::from_request_parts(head, parts).await?;
        let known = caller.known().cloned();
        let known = known.ok_or_else(|| Failure::unauthenticated("this is for people: sign in as a user"))?;
        Ok(Self { caller, known })
    }
}
