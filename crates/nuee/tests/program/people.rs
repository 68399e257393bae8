//! The demonstration, and the command line as somebody of it.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Home, Running, text};

/// A home with a server and the people whom its first start showed.
struct Stage {
    home: Home,
    running: Running,
    url: String,
}

impl Stage {
    fn set() -> Self {
        Self::at(Home::new())
    }

    fn at(home: Home) -> Self {
        let running = home.start(&["up"]);
        let url = running.setting("AWS_ENDPOINT_URL").unwrap();
        Self { home, running, url }
    }

    /// What stands in the last column of the line that begins so.
    fn shown(&self, begins: &str) -> String {
        let line = self.running.welcome.lines().find(|line| line.trim().starts_with(begins)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    /// Signs somebody of the demonstration in.
    fn login(&self, name: &str, code: Option<&str>) -> crate::support::Finished {
        let email = format!("{name}@demonstration.example");
        let (password, code_file) = (self.home.path("password"), self.home.path("code"));
        fs::write(&password, self.shown(&email) + "\n").unwrap();
        let mut arguments = vec!["login", &email, "--url", &self.url, "--password-file", text(&password)];
        if let Some(code) = code {
            fs::write(&code_file, code).unwrap();
            arguments.extend(["--code-file", text(&code_file)]);
        }
        self.home.run(&arguments)
    }

    fn code(&self) -> String {
        let after = self.running.welcome.split_once("each of these does once").unwrap().1;
        after.split_whitespace().find(|word| word.len() == 19).unwrap().to_owned()
    }

    /// How a command ends.
    fn exit_code(&self, arguments: &[&str]) -> i32 {
        self.home.command(arguments).output().unwrap().status.code().unwrap()
    }
}

#[test]
fn somebody_of_the_demonstration_signs_in_and_works() {
    let stage = Stage::set();
    let home = &stage.home;
    assert_eq!(stage.exit_code(&["whoami"]), 3, "nobody is signed in");
    let finished = stage.login("ada", Some(&stage.code()));
    assert!(finished.success, "{}", finished.stderr);
    let who = home.json(&["whoami"]);
    assert_eq!((&who["organisation"], &who["multi_factor"]), (&json!("demonstration"), &json!(true)));
    let projects = home.json(&["project", "list"]);
    assert_eq!(projects["projects"].as_array().unwrap().len(), 2, "{projects}");
    assert_eq!(
        home.json(&["organisation", "list", "--operator"])["organisations"].as_array().unwrap().len(),
        2
    );

    home.json(&["project", "create", "schools"]);
    home.json(&["bucket", "create", "registers", "--project", "schools"]);
    fs::write(home.path("a.csv"), "a,b\n1,2\n").unwrap();
    assert!(
        home.run(&["object", "put", "registers", text(&home.path("a.csv")), "--project", "schools"]).success
    );
    let listed = home.json(&["object", "list", "registers", "--project", "schools"]);
    assert_eq!(listed[0]["key"], "a.csv", "{listed}");
    let schools = ["--project", "schools"];
    let signed_in = |words: &[&str]| home.json(&[words, &schools[..]].concat());
    let role = signed_in(&["assumable-role", "create", "ci", "--service-accounts", "--grants", "reader"]);
    assert_eq!(role["terms"]["grants"], "reader", "{role}");
    assert_eq!(signed_in(&["assumable-role", "list"])["roles"][0]["arn"], role["arn"]);
    assert_eq!(signed_in(&["session", "list"])["sessions"], json!([]));
    assert_eq!(signed_in(&["assumable-role", "delete", "ci"])["ended"], 0);
    let asked = ["access", "explain", "anonymous", "s3:GetObject", "s3://registers/a.csv"];
    let explained = home.run(&[&asked[..], &schools].concat());
    assert_eq!(explained.stdout, "Denied: anonymous.\n", "{}", explained.stderr);
    let of_project = ["access", "explain", "operator", "nuee:GetUsage", "demonstration/schools"];
    assert_eq!(home.json(&of_project)["policies"], json!(["operators-administer-the-platform"]));
    let back = home.path("back.csv");
    let get = ["object", "get", "registers", "a.csv", text(&back), "--project", "schools"];
    assert!(home.run(&get).success);
    assert_eq!(fs::read_to_string(&back).unwrap(), "a,b\n1,2\n");
    assert_eq!(stage.exit_code(&get), 1, "a file is not written over");

    let account = home.json(&["service-account", "create", "pipeline", "--project", "schools"]);
    assert!(account["secret_access_key"].is_string(), "{account}");
    let export = home.path("journal");
    assert!(home.run(&["journal", "export", text(&export)]).success);
    let key = home.json(&["journal", "key"])["key"].as_str().unwrap().to_owned();
    let verified = home.run(&["journal", "verify", text(&export), "--key", &key]);
    assert!(verified.success, "{}", verified.stderr);

    assert_eq!(stage.exit_code(&["project", "show", "nowhere"]), 5);
    assert_eq!(stage.exit_code(&["project", "create", "schools"]), 6);
    assert_eq!(stage.exit_code(&["member", "grant", "simone@demonstration.example", "owner"]), 6);
    assert!(home.run(&["logout"]).success);
    assert_eq!(stage.exit_code(&["whoami"]), 3);
}

#[test]
fn one_factor_reads_and_gives_nothing_away() {
    let stage = Stage::set();
    let finished = stage.login("grace", None);
    assert!(finished.success, "{}", finished.stderr);
    let libraries = ["--project", "libraries"];
    let listed = stage.home.json(&["object", "list", "demonstration-libraries", "--project", "libraries"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(stage.exit_code(&[&["member", "invite", "bob@example.org"][..], &libraries].concat()), 4);
    assert_eq!(stage.exit_code(&["project", "show", "transport"]), 5);
    let said = stage.home.refusal(&["verify"]);
    assert!(said.contains("--operator"), "{said}");
    assert_eq!(
        stage.login("ada", Some("000000")).stderr.trim(),
        "nuee: the address, the password or the code is wrong"
    );
}

#[test]
fn an_operator_has_an_account_of_its_own_and_nothing_of_tenants() {
    let stage = Stage::set();
    let home = &stage.home;
    let invited = home.json(&["operator", "invite", "oscar@state.example", "--operator"]);
    let url = invited["url"].as_str().unwrap();
    let (token, password) = (home.path("token"), home.path("password"));
    fs::write(&token, invited["token"].as_str().unwrap()).unwrap();
    fs::write(&password, "a password of an operator").unwrap();
    let files = ["--token-file", text(&token), "--password-file", text(&password)];
    let joined = home.run(&[&["join", "Oscar Wilde", "--url", url][..], &files].concat());
    assert!(joined.success, "{}", joined.stderr);
    let login = |url: &str| {
        stage.exit_code(&["login", "oscar@state.example", "--url", url, "--password-file", text(&password)])
    };
    assert_eq!(login(&stage.url), 3, "where tenants sign in nobody knows them");
    assert_eq!(login(url), 0);
    let who = home.json(&["whoami"]);
    assert_eq!((&who["organisation"], &who["rights"][0]["role"]), (&json!(null), &json!("owner")), "{who}");
    assert!(home.run(&["whoami"]).stdout.contains("the platform"));

    assert_eq!(stage.exit_code(&["organisation", "list"]), 4, "one factor is too few");
    let said = home.refusal(&["bucket", "list", "--project", "libraries"]);
    assert!(said.contains("as an operator"), "{said}");
    let listed = home.json(&["operator", "list", "--operator"]);
    assert_eq!(listed["operators"][0]["email"], "oscar@state.example", "{listed}");
    home.json(&["operator", "suspend", "oscar@state.example", "--operator"]);
    assert_eq!(stage.exit_code(&["whoami"]), 3);
    let leaves = home.json(&["journal", "list", "--platform", "--operator"])["leaves"].to_string();
    assert!(leaves.contains("nuee:SuspendUser"), "{leaves}");
}

#[test]
fn a_first_start_whose_words_nobody_could_read_is_finished_by_the_next() {
    let home = Home::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ports = ["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let cut = home.command(&ports).stdout(full).output().unwrap();
    assert!(!cut.status.success(), "its words went nowhere");

    let stage = Stage::at(home);
    let finished = stage.login("ada", Some(&stage.code()));
    assert!(finished.success, "{}", finished.stderr);
    let users = stage.home.json(&["org", "users"]);
    assert_eq!(users.as_array().map(Vec::len), Some(4), "{users}");
    for name in ["grace", "alan", "simone"] {
        let finished = stage.login(name, None);
        assert!(finished.success, "{}", finished.stderr);
    }
    let Stage { home, running, .. } = stage;
    running.stop(Signal::TERM);
    assert_eq!(home.json(&["verify", "--operator"])["damaged"], 0);
    let running = home.start(&["up"]);
    assert!(!running.welcome.contains("demonstration.example"), "they were shown once");
}

#[test]
fn operators_are_told_to_sign_in_inside_tls_where_their_listener_speaks_it() {
    let home = Home::new();
    let listener = |zone: &str, services: &str| {
        format!("address = \"127.0.0.1:0\"\nzone = \"{zone}\"\nservices = [{services}]\ntls = true\n")
    };
    let settings = home.path("nuee.toml");
    let text_of = format!(
        "[tls]\nmode = \"self-signed\"\n[listeners.objects]\n{}[listeners.watch]\n{}",
        listener("local", "\"s3\", \"api\""),
        listener("rie", "\"admin\"")
    );
    fs::write(&settings, text_of).unwrap();
    let running = home.start_where_settings_say(&["up", "--empty", "--config", text(&settings)]);
    let ca_bundle = running.setting("AWS_CA_BUNDLE").unwrap();
    let invite = ["operator", "invite", "oscar@state.example", "--config", text(&settings)];
    let invited = home.json(&invite);
    let url = invited["url"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{invited}");
    let (token, password) = (home.path("token"), home.path("password"));
    fs::write(&token, invited["token"].as_str().unwrap()).unwrap();
    fs::write(&password, "a password of an operator").unwrap();
    let server = ["--url", url, "--ca-bundle", &ca_bundle, "--password-file", text(&password)];
    let joined = home.run(&[&["join", "Oscar", "--token-file", text(&token)][..], &server].concat());
    assert!(joined.success, "{}", joined.stderr);
    assert!(home.run(&[&["login", "oscar@state.example"][..], &server].concat()).success);
    assert_eq!(home.json(&["whoami"])["organisation"], json!(null));
}
