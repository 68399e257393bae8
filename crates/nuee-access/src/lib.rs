//! Who may do what: policies, the one decision, and the permits that it mints.
//!
//! A *permit* says that a principal may do one action on one resource. [`Decider::decide`] alone mints permits, and the
//! layers below demand one as an argument, so that no path reaches data without a decision. For example, to read an
//! object a surface asks `decide(context, Action::GetObject, bucket)`; the store takes the permit, and
//! [`Permit::require_bucket`] refuses it for another action or another bucket.
//!
//! A bucket can have a policy of its own, in AWS's language: [`Decider::decide_in_bucket`] takes it into account, and
//! the [`Facts`] of the request that it looks at.
//!
//! A *session* acts in a role, narrowed by policies that its [`Principal`](nuee_base::Principal) carries: whatever is
//! decided about it, each of them must allow too. [`Decider::decide_in_project`] is for what is done on no bucket yet.
//!
//! A request that came in from a *zone* reaches what is exposed there, and nothing else: [`Exposures`] says what that is, at
//! each decision.
//!
//! Promised: what no policy permits is denied, and so is what cannot be evaluated; nothing crosses organisations; a
//! decision without a bucket's policy, where no zone is in play, depends on the principal, the action and the resource alone. Policies are Cedar's,
//! in `policies/`, checked against their schema in strict mode when they are compiled; those of buckets are compiled
//! into Cedar's.
//!
//! For people who have an account here there are [`PasswordHash`], [`TotpSecret`], [`RecoveryCodes`] and [`Attempts`]; for
//! those who sign in elsewhere, [`RelyingParty`].
//!
//! Deliberately absent: input and output, authentication by access keys (a principal is known by the time it comes here;
//! [`Issuer`] tells whom a token makes known), and the
//! logging of denials, which is the caller's; what is decided is told to an [`Observer`].

mod action;
mod attempts;
mod bucket_policy;
mod decider;
mod json;
mod password;
mod policies;
mod question;
mod sign_in;
mod totp;
mod web_identity;

pub use action::Action;
pub use attempts::{Attempts, Locked};
pub use bucket_policy::{
    BucketPolicy, ConditionKey, FactList, Facts, MalformedPolicy, SessionPolicy, Values,
};
pub use decider::{
    Approach, BucketRules, Decider, Decision, Denied, Explanation, Exposures, Extent, Mismatch, Observer,
    Permit, PublicAccessBlock,
};
pub use password::{PasswordHash, UnfitPassword, UnusableHash, check_choice, check_password};
pub use policies::Reason;
pub use question::Resource;
pub use sign_in::{
    Asked, Callback, Expected, InvalidReturn, IssuerSays, KnownByToken, Leave, MalformedCallback, Parameters,
    PendingSignIn, PendingSignIns, Profile, Prompt, RelyingParty, ReturnTo, SignInRefused, SignedIn,
    TooManySignIns, UnknownSignIn, UnsupportedWish, Userinfo, Wishes, random_secret,
};
pub use totp::{RecoveryCodes, TotpSecret};
pub use web_identity::{
    Algorithm, ClaimComparison, ClaimCondition, Claims, Identity, InvalidKeys, InvalidToken, Issuer, KeySet,
    Token, UnusableClaim,
};
