//! Temporary keys: roles that service accounts and users of an issuer assume, and what sessions in them may do.

mod accounts;
mod bench;
mod boto3;
mod browser;
mod tokens;
mod web;
