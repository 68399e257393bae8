//! The S3 clients that people have: their own programs, each against a server of the test's own.
//!
//! `cargo xtask test` installs the programs and says where they are in `NUEE_CLIENTS`. Without it these tests fail,
//! since a test that skips itself proves nothing.

mod aws;
mod boto3;
mod files;
mod libraries;
mod rclone;
mod readme;
mod s3cmd;
mod s3fs;
mod scripts;
pub(crate) mod session;
mod tls;
