//! The aws CLI and rclone, inside TLS.

use crate::clients::{
    files::{MIB, assert_same_file, write_file},
    session::{Session, succeeds},
};

#[test]
fn the_aws_cli_sends_and_gets_a_file_in_parts() {
    let session = Session::start_secure();
    write_file(&session.path("there"), 20 * MIB, 1);
    for words in [
        &["s3", "mb", "s3://papers"][..],
        &["s3", "cp", "there", "s3://papers/file", "--only-show-errors"],
        &["s3", "cp", "s3://papers/file", "back", "--only-show-errors"],
    ] {
        succeeds(session.command("aws").args(words));
    }
    assert_same_file(&session.path("there"), &session.path("back"));
    assert_eq!(session.parts("file").as_deref(), Some("3"));
}

#[test]
fn rclone_sends_and_gets_a_file() {
    let session = Session::start_secure();
    write_file(&session.path("there"), 20 * MIB, 1);
    for words in [
        &["mkdir", ":s3:papers"][..],
        &["copyto", "there", ":s3:papers/file"],
        &["copyto", ":s3:papers/file", "back"],
    ] {
        let mut command = session.command("rclone");
        command.env("RCLONE_S3_PROVIDER", "Other").env("RCLONE_S3_ENV_AUTH", "true");
        command.env("RCLONE_S3_ENDPOINT", session.server().endpoint()).env("RCLONE_S3_REGION", "fr1");
        succeeds(command.args(["--retries", "1", "--config", ""]).args(words));
    }
    assert_same_file(&session.path("there"), &session.path("back"));
}
