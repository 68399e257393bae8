//! `cargo xtask check-layers`: who may depend on whom.
//!
//! Two tables say everything: [`LAYERS`], lines of crates where each sees earlier lines only, and [`SEEN_BY`],
//! the heavy dependencies and the few crates that may name them. The graph is what the manifests declare; what
//! a dependency brings in by itself is cargo-deny's business.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::Workspace;

/// The layers, lowest first. A crate sees only crates of earlier lines; crates of one line do not see each other.
const LAYERS: &[&[&str]] = &[
    &["nuee-base"],
    &["nuee-metadata", "nuee-sites"],
    &["nuee-keys"],
    &["nuee-journal"],
    &["nuee-access"],
    &["nuee-tenancy", "nuee-web"],
    &["nuee-store"],
    &["nuee-lake"],
    &["nuee-opendata", "nuee-apps"],
    &["nuee-s3", "nuee-api", "nuee-portal", "nuee-console"],
    &["nuee"],
    &[TESTKIT],
];

/// Any crate's tests may use it, although it stands on the last line.
const TESTKIT: &str = "nuee-testkit";

/// These commands: outside the layers, seeing none of them and seen by none.
const XTASK: &str = "xtask";

const HTTP: &[&str] =
    &["nuee-web", "nuee-s3", "nuee-api", "nuee-portal", "nuee-console", "nuee", "nuee-testkit"];

/// Dependencies that only these crates may name, in what is shipped. Tests may look behind the curtain.
const SEEN_BY: &[(&str, &[&str])] = &[
    ("rusqlite", &["nuee-metadata", "nuee-sites"]),
    ("cedar-policy", &["nuee-access"]),
    ("s3s", &["nuee-s3"]),
    ("hyper", HTTP),
    ("hyper-util", HTTP),
    ("axum", HTTP),
    ("rustls", &["nuee-web", "nuee"]),
    ("tokio-rustls", &["nuee-web", "nuee"]),
    ("rcgen", &["nuee"]),
    ("instant-acme", &["nuee"]),
    ("datafusion", &["nuee-lake"]),
    ("aws-lc-rs", &["nuee-base", "nuee-keys", "nuee-access", "nuee-store", "nuee-s3"]),
];

/// Checks the workspace and lists every violation.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    let packages = workspace.packages.iter().map(Package::parse).collect::<Result<Vec<_>>>()?;
    let found = violations(&packages);
    for violation in &found {
        println!("{violation}");
    }
    if !found.is_empty() {
        bail!("{} violations of the layers; the tables are in xtask/src/check_layers.rs", found.len());
    }
    println!("layers: {} crates, each sees earlier lines only", packages.len());
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    Build,
    Development,
}

struct Dependency {
    name: String,
    kind: Kind,
}

struct Package {
    name: String,
    directory: String,
    dependencies: Vec<Dependency>,
}

impl Package {
    fn parse(value: &Value) -> Result<Self> {
        let name = text(value, "name")?;
        let manifest = text(value, "manifest_path")?;
        let directory = Path::new(&manifest).parent().and_then(Path::file_name);
        let listed = value["dependencies"].as_array().context("a package without dependencies field")?;
        let dependencies = listed.iter().map(Dependency::parse).collect::<Result<Vec<_>>>()?;
        let directory = directory.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, directory, dependencies })
    }
}

impl Dependency {
    fn parse(value: &Value) -> Result<Self> {
        let kind = match value["kind"].as_str() {
            None => Kind::Normal,
            Some("build") => Kind::Build,
            Some("dev") => Kind::Development,
            Some(other) => bail!("cargo metadata names an unknown kind of dependency, {other}"),
        };
        Ok(Self { name: text(value, "name")?, kind })
    }
}

fn text(value: &Value, key: &str) -> Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("cargo metadata: {key} is not a string"))
}

fn line_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&name))
}

/// Every violation, one sentence each, in the order of the packages.
fn violations(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut found = Vec::new();
    if package.directory != *name {
        found.push(format!("{name}: its directory is {}, and must have the crate's name", package.directory));
    }
    if name != XTASK && line_of(name).is_none() {
        found.push(format!("{name}: an unknown crate; give it its line in LAYERS"));
        return found;
    }
    for dependency in &package.dependencies {
        found.extend(breaks_layers(name, dependency));
        found.extend(breaks_seclusion(name, dependency));
    }
    found
}

fn breaks_layers(name: &str, dependency: &Dependency) -> Option<String> {
    let on = &dependency.name;
    if on == XTASK {
        return Some(format!("{name}: depends on xtask, which is no part of the product"));
    }
    let below = line_of(on)?;
    if name == XTASK {
        return Some(format!("{name}: depends on {on}, and must depend on no crate of the product"));
    }
    let for_tests = dependency.kind == Kind::Development && on == TESTKIT && name != TESTKIT;
    let earlier = line_of(name).is_some_and(|line| below < line);
    (!earlier && !for_tests).then(|| format!("{name}: depends on {on}, which is not on an earlier line"))
}

fn breaks_seclusion(name: &str, dependency: &Dependency) -> Option<String> {
    if dependency.kind == Kind::Development {
        return None;
    }
    let (on, seers) = SEEN_BY.iter().find(|(on, _)| *on == dependency.name)?;
    (!seers.contains(&name))
        .then(|| format!("{name}: depends on {on}, which only {} may see", seers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: *kind })
            .collect();
        Package { name: name.to_owned(), directory: name.to_owned(), dependencies }
    }

    fn single(name: &str, on: &str, kind: Kind) -> Vec<String> {
        violations(&[package(name, &[(on, kind)])])
    }

    #[test]
    fn a_graph_that_follows_the_lines_passes() {
        let graph = [
            package("nuee-base", &[("aws-lc-rs", Kind::Normal)]),
            package("nuee-metadata", &[("nuee-base", Kind::Normal), ("rusqlite", Kind::Normal)]),
            package("nuee-store", &[("nuee-metadata", Kind::Normal), (TESTKIT, Kind::Development)]),
            package("nuee", &[("nuee-store", Kind::Build), ("hyper", Kind::Normal)]),
            package(TESTKIT, &[("nuee", Kind::Normal)]),
            package(XTASK, &[("anyhow", Kind::Normal)]),
        ];
        assert_eq!(violations(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_later_line_is_refused_for_every_kind() {
        for kind in [Kind::Normal, Kind::Build, Kind::Development] {
            let found = single("nuee-keys", "nuee-store", kind);
            assert_eq!(found, ["nuee-keys: depends on nuee-store, which is not on an earlier line"]);
        }
    }

    #[test]
    fn crates_of_one_line_do_not_see_each_other() {
        assert_eq!(single("nuee-metadata", "nuee-sites", Kind::Normal).len(), 1);
        assert_eq!(single("nuee-s3", "nuee-api", Kind::Normal).len(), 1);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert_eq!(single("nuee-store", TESTKIT, Kind::Normal).len(), 1);
        assert_eq!(single("nuee-store", TESTKIT, Kind::Development).len(), 0);
    }

    #[test]
    fn an_unknown_crate_is_refused() {
        let found = violations(&[package("nuee-surprise", &[])]);
        assert_eq!(found, ["nuee-surprise: an unknown crate; give it its line in LAYERS"]);
    }

    #[test]
    fn a_directory_with_another_name_is_refused() {
        let moved = Package { directory: "metadata".to_owned(), ..package("nuee-metadata", &[]) };
        assert_eq!(violations(&[moved]).len(), 1);
    }

    #[test]
    fn xtask_sees_no_layer_and_no_layer_sees_it() {
        assert_eq!(single(XTASK, "nuee-base", Kind::Normal).len(), 1);
        assert_eq!(single("nuee", XTASK, Kind::Development).len(), 1);
    }

    #[test]
    fn a_heavy_dependency_is_seen_by_its_crates_only() {
        let found = single("nuee-store", "rusqlite", Kind::Normal);
        assert_eq!(found, ["nuee-store: depends on rusqlite, which only nuee-metadata, nuee-sites may see"]);
        assert_eq!(single("nuee-store", "rusqlite", Kind::Development).len(), 0);
        assert_eq!(single("nuee-store", "hyper", Kind::Build).len(), 1);
    }
}
