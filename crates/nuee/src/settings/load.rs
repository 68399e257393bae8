//! Reading settings: the file, then the environment.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::{EXPLANATIONS, Settings};

/// The file that is read if it is in the working directory and no other is named.
const USUAL_FILE: &str = "nuee.toml";
/// The most characters of what people call something.
const MAX_NAME: usize = 200;
const PREFIX: &str = "NUEE_";
const LOG_LEVEL: &str = "NUEE_LOG";

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The file that was named.
    pub(crate) file: Option<PathBuf>,
    /// Environment variables.
    pub(crate) variables: Vec<(String, String)>,
}

impl Source {
    /// The file that was named, and this process's environment.
    pub(crate) fn of_process(file: Option<PathBuf>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, variables: env::vars_os().filter_map(text).collect() }
    }

    /// The file that is read, if any.
    pub(crate) fn effective_file(&self) -> Option<PathBuf> {
        let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|usual| usual.exists());
        self.file.clone().or_else(usual)
    }
}

/// The settings of this source.
pub(crate) fn load(source: &Source) -> Result<Settings> {
    let mut table = match source.effective_file() {
        Some(file) => {
            check_file(&file)?;
            read(&file)?.parse::<Table>()?
        }
        None => Table::new(),
    };
    let names: Vec<String> = source
        .variables
        .iter()
        .filter_map(|(name, value)| override_key(&mut table, name, value).transpose())
        .collect::<Result<_>>()?;
    let settings = table.try_into::<Settings>();
    let settings =
        settings.with_context(|| format!("among the environment variables {}", names.join(", ")))?;
    validate(&settings)?;
    Ok(settings)
}

/// Reads one file alone, to say what is wrong with it and where.
fn check_file(file: &Path) -> Result<()> {
    let text = read(file)?;
    match toml::from_str::<Settings>(&text) {
        Ok(settings) => validate(&settings).with_context(|| format!("in {}", file.display())),
        Err(error) => {
            let (line, column) = error.span().map_or((1, 1), |span| position(&text, span.start));
            bail!("{}:{line}:{column}: {}", file.display(), error.message().trim_end())
        }
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read the settings in {}", file.display()))
}

/// Line and column, from 1, of a byte of a text.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Takes a variable over into the table if it is one of ours; gives its name then.
fn override_key(table: &mut Table, name: &str, value: &str) -> Result<Option<String>> {
    let (section, key) = if name == LOG_LEVEL {
        ("log".to_owned(), "level".to_owned())
    } else {
        let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"));
        let Some((section, key)) = parts else { return Ok(None) };
        (section.to_ascii_lowercase(), key.to_ascii_lowercase())
    };
    let known = EXPLANATIONS.iter().find(|known| known.name == section);
    if !known.is_some_and(|known| known.keys.iter().any(|(known, _)| *known == key)) {
        bail!("the environment variable {name} names no setting: `nuee config show` lists them all");
    }
    let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(keys) = entry else { bail!("`{section}` is not a section") };
    keys.insert(key.clone(), typed(&section, &key, name, value)?);
    Ok(Some(name.to_owned()))
}

/// The value that a variable's text stands for; a list is separated by commas.
fn typed(section: &str, key: &str, name: &str, text: &str) -> Result<Value> {
    let defaults = Table::try_from(Settings::default())?;
    match defaults.get(section).and_then(|keys| keys.get(key)) {
        Some(Value::Integer(_)) => {
            let number = text.trim().parse();
            Ok(Value::Integer(number.with_context(|| format!("{name} is {text:?}, and must be a number"))?))
        }
        Some(Value::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        // What has no value by itself does not say what it is: it is a number if it may be one.
        None if takes_number(section, key, text) => Ok(Value::Integer(text.trim().parse()?)),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Whether a text is a number, and the setting takes it as one.
fn takes_number(section: &str, key: &str, text: &str) -> bool {
    let Ok(number) = text.trim().parse() else { return false };
    let one = Table::from_iter([(key.to_owned(), Value::Integer(number))]);
    Table::from_iter([(section.to_owned(), Value::Table(one))]).try_into::<Settings>().is_ok()
}

/// Refuses values that their types allow and that cannot work.
fn validate(settings: &Settings) -> Result<()> {
    settings.web_limits().validate()?;
    let region = &settings.s3.region;
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(valid) {
        bail!("s3.region is {region:?}: use lower-case letters, digits and hyphens");
    }
    for (key, text) in [("data_centre", &settings.site.data_centre), ("operator", &settings.site.operator)] {
        let shown = |text: &String| {
            (1..=MAX_NAME).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        if let Some(text) = text.as_ref().filter(|text| !shown(text)) {
            bail!("site.{key} is {text:?}: use 1 to {MAX_NAME} characters on one line");
        }
    }
    crate::logging::filter(&settings.log.level)?;
    super::listeners::validate(settings)?;
    crate::issuers::validate(settings)?;
    crate::sign_in::validate(settings)?;
    crate::retention::validate(settings.journal.retention_months)?;
    for witness in &settings.journal.witnesses {
        crate::witnesses::parse(witness).with_context(|| format!("journal.witnesses: {witness:?}"))?;
    }
    for (name, webhook) in &settings.webhooks {
        crate::webhooks::validate(name, webhook).with_context(|| format!("webhooks.{name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Source) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("nuee.toml");
        fs::write(&file, text).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        (directory, Source { file: Some(file), variables })
    }

    fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
        let (_directory, source) = source(text, variables);
        format!("{:#}", load(&source).unwrap_err())
    }

    #[test]
    fn variables_win_over_the_file_and_the_file_over_defaults() {
        let (_directory, source) = source(
            "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n",
            &[
                ("NUEE_SERVER__LISTEN", "127.0.0.1:3"),
                ("NUEE_LIMITS__CONNECTIONS", "7"),
                ("NUEE_S3__DOMAINS", "s3.example.test, s3.localhost"),
                ("NUEE_STORAGE__DATA_DIR", "/srv/nuee"),
                ("NUEE_JOURNAL__RETENTION_MONTHS", "24"),
                ("NUEE_SITE__COUNTRY", "FR"),
                ("NUEE_LOG", "debug"),
                ("NUEE_PASSPHRASE", "no setting"),
            ],
        );
        let settings = load(&source).unwrap();
        assert_eq!(settings.server.listen.port(), 3);
        assert_eq!(settings.server.admin_listen.port(), 2);
        assert_eq!(settings.limits.connections, 7);
        assert_eq!(settings.s3.domains, ["s3.example.test", "s3.localhost"]);
        assert_eq!(settings.storage.data_dir, Some("/srv/nuee".into()));
        assert_eq!(settings.journal.retention_months, Some(24));
        assert_eq!(settings.site.country, Some("FR".parse().unwrap()));
        assert_eq!(settings.log.level, "debug");
        assert_eq!(settings.s3.region, "fr1");
    }

    #[test]
    fn an_error_in_the_file_has_its_line_and_column() {
        let said = refusal("[server]\nlisten = \"127.0.0.1:1\"\n  lisen = 1\n", &[]);
        assert!(said.contains("nuee.toml:3:3: ") && said.contains("lisen"), "{said}");
        let said = refusal("[limits]\nconnections = \"many\"\n", &[]);
        assert!(said.contains("nuee.toml:2:15: "), "{said}");
    }

    #[test]
    fn a_variable_that_names_no_setting_is_refused() {
        let said = refusal("", &[("NUEE_SERVER__LISTNE", "127.0.0.1:3")]);
        assert!(said.contains("NUEE_SERVER__LISTNE") && said.contains("nuee config show"), "{said}");
        let said = refusal("", &[("NUEE_LIMITS__CONNECTIONS", "many")]);
        assert!(said.contains("must be a number"), "{said}");
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        assert!(refusal("[limits]\nconnections = 0\n", &[]).contains("connections"));
        assert!(refusal("[s3]\nregion = \"FR 1\"\n", &[]).contains("region"));
        assert!(
            refusal("[site]\ncountry = \"fr\"\n", &[]).contains("nuee.toml:2:11: \"fr\" is not a country")
        );
        assert!(refusal("[site]\noperator = \"\"\n", &[]).contains("site.operator"));
        let issuer = "[identity.issuers.lab]\nurl = \"https://login.example.org\"\n";
        assert!(refusal(&format!("{issuer}audiences = []\n"), &[]).contains("audiences"));
        let with = |line: &str| refusal(&format!("{issuer}audiences = [\"a\"]\n{line}\n"), &[]);
        for algorithm in ["none", "HS256", "rs256"] {
            assert!(with(&format!("algorithms = [\"{algorithm}\"]")).contains("algorithm"), "{algorithm}");
        }
        assert!(
            refusal("[identity]\nbrowser_origins = [\"https://lab.example.org/\"]\n", &[]).contains("origin")
        );
        assert!(refusal("[log]\nlevel = \"nuee_s3=loud\"\n", &[]).contains("level"));
    }
}
