//! What `nuee up` prints and what README says works as it is pasted.

use std::fs;

use nuee_testkit::{Program, Running};
use tempfile::TempDir;

use crate::clients::{
    files::{assert_same_file, assert_same_tree, write_file, write_tree},
    session::{bare_command, succeeds},
};

const README: &str = include_str!("../../../../../README.md");

/// The blocks of this language in README's tour.
fn blocks(language: &str) -> Vec<&'static str> {
    let tour = README.split_once("\n## A tour\n").unwrap().1;
    let tour = tour.split("\n## ").next().unwrap();
    let start = format!("```{language}\n");
    tour.split(start.as_str()).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

/// Somebody who has started a server, and a directory with things to store.
struct Reader {
    program: Program,
    running: Running,
    directory: TempDir,
}

impl Reader {
    fn new() -> Self {
        let program =
            Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &[("NUEE_PASSPHRASE", "several words")]);
        let program = program.unwrap();
        let (running, directory) = (program.up().unwrap(), TempDir::new().unwrap());
        write_file(&directory.path().join("report.pdf"), 1_000, 1);
        write_tree(&directory.path().join("documents"), &["a", "b/c"]);
        Self { program, running, directory }
    }

    /// The lines that the last start printed apart, below the line that begins so, without their margin.
    fn printed(&self, title: &str) -> String {
        let welcome = self.program.welcome().unwrap();
        let below = welcome.lines().skip_while(|line| !line.starts_with(title)).skip(2);
        let lines: Vec<_> = below.map_while(|line| line.strip_prefix("  ")).collect();
        assert!(!lines.is_empty(), "nothing stands below {title}: {welcome}");
        lines.join("\n")
    }

    /// Pastes into a shell.
    fn paste(&self, script: &str) -> String {
        let script = format!("set -eu\n{script}");
        succeeds(bare_command("bash", self.directory.path()).args(["-c", &script]))
    }

    fn assert_is_back(&self) {
        let path = |name| self.directory.path().join(name);
        assert_same_file(&path("report.pdf"), &path("back.pdf"));
        assert_same_tree(&path("documents"), &path("back"));
    }
}

#[test]
fn what_the_first_start_prints_works_as_it_is_pasted() {
    let reader = Reader::new();
    let (aws, boto3) = (reader.printed("aws, boto3"), reader.printed("boto3, with"));
    let told = reader.paste(&aws);
    assert!(told.contains("make_bucket: papers") && told.ends_with(" papers\n"), "{told}");
    // Whoever goes on does not make the bucket again.
    let settings = aws.replace("aws s3 mb", "#");
    reader.paste(&format!(
        "{settings}\naws s3 cp report.pdf s3://papers/\npython - <<'END'\n{boto3}\n\
        s3.download_file(\"papers\", \"report.pdf\", \"back.pdf\")\nEND"
    ));
    // Without the variables: the file says all.
    let configuration = reader.directory.path().join(".config/rclone");
    fs::create_dir_all(&configuration).unwrap();
    fs::write(configuration.join("rclone.conf"), reader.printed("rclone, in")).unwrap();
    reader.paste("rclone sync documents nuee:papers/documents\nrclone sync nuee:papers/documents back");
    reader.assert_is_back();
    reader.running.stop().unwrap();
}

#[test]
fn what_a_later_start_prints_works_with_the_secret_of_the_first() {
    let mut reader = Reader::new();
    let secret = reader.running.key().unwrap().1.to_owned();
    reader.running.stop().unwrap();
    reader.running = reader.program.up().unwrap();
    let told =
        reader.paste(&format!("export AWS_SECRET_ACCESS_KEY={secret}\n{}", reader.printed("aws, boto3")));
    assert!(told.ends_with(" papers\n"), "{told}");
    assert!(!reader.program.welcome().unwrap().contains(&secret));
    reader.running.stop().unwrap();
}

#[test]
fn the_copy_of_the_keys_is_made_by_the_line_that_is_printed() {
    let reader = Reader::new();
    let welcome = reader.program.welcome().unwrap();
    let line = welcome.lines().find_map(|line| line.strip_prefix("  nuee key backup ")).unwrap();
    reader.program.run(&[&["key", "backup"][..], &line.split(' ').collect::<Vec<_>>()].concat()).unwrap();
    assert!(reader.program.path("nuee-keys.backup").is_file());
    reader.running.stop().unwrap();
}

#[test]
fn readmes_settings_and_commands_work_as_they_are_pasted() {
    assert!(
        README.contains("```console\n$ cargo run --release -- up\n```"),
        "this is what the test has started"
    );
    let reader = Reader::new();
    let shell = blocks("sh");
    let [aws, rclone] = shell[..] else { panic!("README's tour has blocks of aws and rclone: {shell:?}") };
    let python = blocks("python");
    let [boto3] = python[..] else { panic!("README's tour has a block of boto3: {python:?}") };
    // README shows the address of a server with the settings that it has by itself, and leaves out the key.
    let (id, secret) = reader.running.key().unwrap();
    let mut settings = aws.to_owned();
    for (shown, value) in [
        ("http://127.0.0.1:9000", format!("http://{}", reader.running.address())),
        ("AWS_ACCESS_KEY_ID=…", format!("AWS_ACCESS_KEY_ID={id}")),
        ("AWS_SECRET_ACCESS_KEY=…", format!("AWS_SECRET_ACCESS_KEY={secret}")),
    ] {
        assert!(settings.contains(shown), "{settings}");
        settings = settings.replace(shown, &value);
    }
    let told = reader.paste(&format!(
        "{settings}\npython - <<'END'\n{boto3}\ns3.download_file(\"papers\", \"report.pdf\", \"back.pdf\")\nEND\n\
        {rclone}\nrclone sync :s3:papers/documents ./back"
    ));
    assert!(told.contains("report.pdf"), "{told}");
    reader.assert_is_back();
    reader.running.stop().unwrap();
}
