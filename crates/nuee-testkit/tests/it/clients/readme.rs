//! What README says works as it is pasted.

use crate::clients::{
    files::{assert_same_tree, write_file, write_tree},
    session::{Session, clients_directory, succeeds},
};

const README: &str = include_str!("../../../../../README.md");

/// The blocks of this language in README's tour.
fn blocks(language: &str) -> Vec<&'static str> {
    let tour = README.split_once("\n## A tour\n").unwrap().1;
    let tour = tour.split("\n## ").next().unwrap();
    let start = format!("```{language}\n");
    tour.split(start.as_str()).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

#[test]
fn its_settings_and_commands_work_as_they_are_pasted() {
    let session = Session::start();
    let owner = session.owner();
    write_file(&session.path("report.pdf"), 1_000, 1);
    write_tree(&session.path("documents"), &["a", "b/c"]);
    let shell = blocks("sh");
    let [aws, rclone] = shell[..] else { panic!("README's tour has blocks of aws and rclone: {shell:?}") };
    let python = blocks("python");
    let [boto3] = python[..] else { panic!("README's tour has a block of boto3: {python:?}") };
    let script = format!(
        "set -eu\n{aws}\npython - <<'END'\n{boto3}\nEND\n{rclone}\nrclone sync :s3:papers/documents ./back\n"
    );
    let endpoint = session.server().endpoint();
    assert!(script.contains("http://127.0.0.1:9000"), "{script}");
    let script = script
        .replace("http://127.0.0.1:9000", &endpoint)
        .replace("AWS_ACCESS_KEY_ID=…", &format!("AWS_ACCESS_KEY_ID={}", owner.access_key_id))
        .replace("AWS_SECRET_ACCESS_KEY=…", &format!("AWS_SECRET_ACCESS_KEY={}", owner.secret.expose()));
    let mut command = session.command("bash");
    // README's reader does not have the settings that a session gives.
    for name in ["AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    let path = format!("{}:{}", clients_directory().display(), std::env::var("PATH").unwrap());
    let told = succeeds(command.arg("-c").arg(script).env("PATH", path));
    assert!(told.contains("report.pdf"), "{told}");
    assert_same_tree(&session.path("documents"), &session.path("back"));
}
