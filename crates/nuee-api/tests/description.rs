//! The description of the API that is kept beside its guide.
//!
//! `NUEE_WRITE_DOCS=1 cargo test --release -p nuee-api` writes it; without that, it must be the one that the handlers give.

use std::{env, fs, path::Path};

#[test]
fn the_guide_says_what_the_api_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let written = serde_json::to_string_pretty(&nuee_api::document()).unwrap() + "\n";
    if env::var_os("NUEE_WRITE_DOCS").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(written.lines()).position(|(kept, written)| kept != written);
    assert!(kept == written, "write it anew with NUEE_WRITE_DOCS=1: it differs from line {differs:?} on");
}
