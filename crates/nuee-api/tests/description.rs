//! The descriptions of the APIs that are kept beside their guides.
//!
//! `NUEE_WRITE_DOCS=1 cargo test --release -p nuee-api` writes them; without that, they must be those that the handlers give.

use std::{env, fs, path::Path};

use nuee_tenancy::Realm;

#[test]
fn the_guide_says_what_the_api_is() {
    for (realm, name) in [(Realm::Organisations, "openapi.json"), (Realm::Platform, "openapi-operators.json")]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let written = serde_json::to_string_pretty(&nuee_api::document(realm)).unwrap() + "\n";
        if env::var_os("NUEE_WRITE_DOCS").is_some() {
            fs::write(&path, &written).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let differs = kept.lines().zip(written.lines()).position(|(kept, written)| kept != written);
        assert!(
            kept == written,
            "write {name} anew with NUEE_WRITE_DOCS=1: it differs from line {differs:?} on"
        );
    }
}
