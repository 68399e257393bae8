//! The reference page of settings: a `nuee.toml` that explains every key.

use std::{collections::BTreeMap, fmt::Write};

use anyhow::Result;
use toml::Table;

use super::{EXPLANATIONS, Settings, WEBHOOK_EXAMPLE, listeners::EXAMPLE};

/// The settings as a file that explains every key. Keys that have their default are commented out.
pub(crate) fn show(settings: &Settings) -> Result<String> {
    let (effective, defaults) = (Table::try_from(settings)?, Table::try_from(Settings::default())?);
    let mut text =
        "# The settings in effect. A line that begins with `#` and a key shows a default.\n".to_owned();
    for section in EXPLANATIONS {
        text.push('\n');
        explain(&mut text, section.lines);
        writeln!(text, "[{}]", section.name)?;
        for (key, lines) in section.keys {
            text.push('\n');
            explain(&mut text, lines);
            let of = |table: &Table| table.get(section.name).and_then(|keys| keys.get(key)).cloned();
            let (value, default) = (of(&effective), of(&defaults));
            match &value {
                None => writeln!(text, "#{key} =")?,
                Some(value) if Some(value) == default.as_ref() => writeln!(text, "#{key} = {value}")?,
                Some(value) => writeln!(text, "{key} = {value}")?,
            }
        }
    }
    text.push('\n');
    text.push_str(WEBHOOK_EXAMPLE);
    if !settings.webhooks.is_empty() {
        let webhooks = [("webhooks", &settings.webhooks)].into_iter().collect::<BTreeMap<_, _>>();
        write!(text, "\n{}", toml::to_string(&webhooks)?)?;
    }
    text.push('\n');
    text.push_str(EXAMPLE);
    if !settings.listeners.is_empty() {
        let listeners = [("listeners", &settings.listeners)].into_iter().collect::<BTreeMap<_, _>>();
        write!(text, "\n{}", toml::to_string(&listeners)?)?;
    }
    Ok(text)
}

fn explain(text: &mut String, lines: &[&str]) {
    for line in lines {
        text.push('#');
        text.push_str(line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same() {
        let mut settings = Settings::default();
        settings.limits.connections = 12;
        settings.storage.data_dir = Some("/srv/\"nuee\"".into());
        settings.s3.domains.push("s3.example.test".into());
        let webhook = crate::WebhookSettings {
            url: "https://portal.example.test/".into(),
            secret_file: "/etc/nuee/secret".into(),
            projects: vec!["local/default".into()],
            ca_bundle: None,
        };
        settings.webhooks.insert("portal".into(), webhook);
        let listener = crate::ListenerSettings {
            address: "10.0.0.1:443".parse().unwrap(),
            zone: nuee_base::Zone::Rie,
            services: vec![crate::ListenerService::S3],
            device: Some("eth1".into()),
            trusted_proxies: vec!["10.0.0.9".into()],
            tls: Some(false),
        };
        settings.listeners.insert("inside".into(), listener);
        let shown = show(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&shown).unwrap(), settings, "{shown}");
        assert!(shown.contains("\nconnections = 12\n"), "{shown}");
        assert!(shown.contains("\n#header_timeout_seconds = 15\n"), "{shown}");
    }

    #[test]
    fn every_key_is_explained() {
        for section in EXPLANATIONS {
            assert!(!section.lines.is_empty(), "{}", section.name);
            for (key, lines) in section.keys {
                assert!(!lines.is_empty(), "{}.{key}", section.name);
            }
        }
    }
}
