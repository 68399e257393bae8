//! Answers that were given once: whoever sends the same request again, because it does not know whether the first one came
//! through, gets the same answer and makes nothing twice
//! ([Idempotency-Key](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
//!
//! A key is its principal's own, and is known for a day. An answer is kept sealed, for it may show a secret.

use std::time::Duration;

use nuee_base::{Context, OrganisationId};
use nuee_metadata::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy,
    project_keys::{decode, encode},
};

/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_hours(24);
/// How many answers to one principal are kept.
const MAX_ANSWERS: i64 = 10_000;

/// An answer: its status and its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of a request with a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: it is being answered now, by whoever asked this.
    First,
    /// It was answered so.
    Answered(KeptAnswer),
    /// It is being answered, or its answer was cut.
    UnderWay,
    /// The key was used for another request.
    Another,
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { request: [u8; 32], sealed: Option<Vec<u8>> },
}

fn sealed_context(principal: &str, key: &str) -> Vec<u8> {
    format!("answer to {principal} for {key:?}").into_bytes()
}

impl Tenancy {
    /// Notes that a principal asks something with a key of its own; `request` is a digest of what it asks. Says what is
    /// known of that.
    pub async fn begin_answer(
        &self,
        context: &Context,
        organisation: OrganisationId,
        (key, request): (&str, [u8; 32]),
    ) -> Result<Asked, Error> {
        let (principal, key) = (context.principal().to_string(), key.to_owned());
        let ends = context.now().saturating_add(LIFETIME);
        let tenancy = self.clone();
        let begin = move |transaction: &Transaction<'_>| {
            if let Some(record) = transaction.answer(&principal, &key)? {
                let Record::V1 { request: before, sealed } = decode("answers", &record)?;
                let Some(sealed) = sealed.filter(|_| before == request) else {
                    return Ok(if before == request { Asked::UnderWay } else { Asked::Another });
                };
                let bound = sealed_context(&principal, &key);
                let opened = tenancy.0.keys.unwrap(organisation, &bound, &sealed)?;
                return Ok(Asked::Answered(decode("answers", &opened)?));
            }
            if transaction.count_answers(&principal)? >= MAX_ANSWERS {
                let why = "too many requests with an Idempotency-Key in a day: send fewer, or none";
                return Err(Error::Conflict(why.to_owned()));
            }
            let record = encode(&Record::V1 { request, sealed: None })?;
            transaction.put_answer((&principal, &key), &record, ends)?;
            Ok::<_, Error>(Asked::First)
        };
        self.0.metadata.write(begin).await
    }

    /// Keeps the answer to what was begun; with none, it can be asked anew.
    pub async fn finish_answer(
        &self,
        context: &Context,
        organisation: OrganisationId,
        (key, request): (&str, [u8; 32]),
        answer: Option<KeptAnswer>,
    ) -> Result<(), Error> {
        let (principal, key) = (context.principal().to_string(), key.to_owned());
        let ends = context.now().saturating_add(LIFETIME);
        let seal = |answer: KeptAnswer| {
            let bound = sealed_context(&principal, &key);
            let sealed = self.0.keys.wrap(organisation, &bound, &encode(&answer)?)?;
            encode(&Record::V1 { request, sealed: Some(sealed) })
        };
        let record = answer.map(seal).transpose()?;
        let finish = move |transaction: &Transaction<'_>| match &record {
            Some(record) => Ok::<_, Error>(transaction.put_answer((&principal, &key), record, ends)?),
            None => Ok(transaction.delete_answer(&principal, &key)?),
        };
        self.0.metadata.write(finish).await
    }
}
