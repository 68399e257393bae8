//! Scripts in the language of a client library: each of their functions is a test, with a server of its own.

use nuee_testkit::{Account, Place};

use crate::clients::session::{Session, clients_directory, script as beside, succeeds};

/// What runs a script.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Language {
    /// Python, with the clients of `xtask/clients.txt`.
    Python,
    /// Python, with those of `xtask/clients-apart.txt` before them.
    PythonApart,
    /// JavaScript, with the clients of `xtask/package.json`.
    JavaScript,
}

/// Runs a function of a script, against a server that speaks TLS or one that does not.
pub(crate) fn run(language: Language, path: &str, function: &str, secure: bool) {
    let session = if secure { Session::start_secure() } else { Session::start() };
    let keys =
        |account: &Account| format!("[\"{}\", \"{}\"]", account.access_key_id, account.secret.expose());
    let accounts = format!(
        "{{\"reader\": {}, \"neighbour\": {}, \"stranger\": {}}}",
        keys(&session.create_reader()),
        keys(session.server().owner(Place::Exams)),
        keys(session.server().owner(Place::Hospitals)),
    );
    let (program, runner, packages) = match language {
        Language::Python => ("python", "scripts/run.py", None),
        Language::PythonApart => ("python", "scripts/run.py", Some(("PYTHONPATH", "apart"))),
        Language::JavaScript => ("node", "scripts/run.js", Some(("NODE_PATH", "npm/node_modules"))),
    };
    let mut command = session.command(program);
    command.arg(beside(runner)).arg(beside(path)).arg(function).env("NUEE_ACCOUNTS", accounts);
    command.envs(packages.map(|(variable, directory)| (variable, clients_directory().join(directory))));
    succeeds(&mut command);
}

/// The functions that a script offers: in Python those whose names begin with a letter, in JavaScript what it exports.
pub(crate) fn functions(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("def ").or_else(|| line.strip_prefix("exports."))?;
        rest.split(['(', ' ']).next()
    });
    names.filter(|name| !name.starts_with('_')).collect()
}

/// The functions of a script, each of them a test, and none of them forgotten. With `inside TLS`, servers speak that.
macro_rules! script {
    ($name:ident = $language:ident $path:literal $(inside $tls:ident)?: $($function:ident)*) => {
        mod $name {
            const SECURE: bool = !stringify!($($tls)?).is_empty();

            $(
                #[test]
                fn $function() {
                    let language = crate::clients::scripts::Language::$language;
                    crate::clients::scripts::run(language, $path, stringify!($function), SECURE);
                }
            )*

            #[test]
            fn every_function_of_the_script_is_a_test() {
                let functions = crate::clients::scripts::functions(include_str!($path));
                assert_eq!(functions, [$(stringify!($function)),*]);
            }
        }
    };
}
pub(crate) use script;
