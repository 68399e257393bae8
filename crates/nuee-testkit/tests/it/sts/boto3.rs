//! boto3, whose client of the token service is that of AWS.

use nuee_base::Role;
use nuee_tenancy::Trusted;
use nuee_testkit::Place;

use super::{
    bench::{Bench, Issuer},
    web::LAB,
};
use crate::clients::session::{bare_command, script, succeeds};

#[test]
fn boto3_assumes_roles_and_acts_in_them() {
    let issuer = Issuer::start(0, None);
    let section = issuer.settings();
    let bench = Bench::start(|settings| drop(settings.identity.issuers.insert("lab".to_owned(), section)));
    let lab = Trusted::Issuer { name: "lab".parse().unwrap(), conditions: Vec::new(), is_default: true };
    let lab = bench.role("lab", Role::Maintainer, lab, Some(LAB));
    let accounts = bench.role("accounts", Role::Developer, Trusted::ServiceAccounts, None);
    let owner = bench.server().owner(Place::Schools);
    let directory = tempfile::tempdir().unwrap();
    let mut command = bare_command("python", directory.path());
    command.arg(script("boto3/sts.py")).env("PYTHONPATH", script("scripts"));
    command.env("AWS_ENDPOINT_URL", bench.server().endpoint()).env("AWS_DEFAULT_REGION", "fr1");
    command.env("AWS_ACCESS_KEY_ID", owner.access_key_id.as_str());
    command.env("AWS_SECRET_ACCESS_KEY", owner.secret.expose());
    command.env("AWS_MAX_ATTEMPTS", "1").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("NUEE_ROLE_LAB", lab).env("NUEE_ROLE_ACCOUNTS", accounts);
    command.env("NUEE_TOKEN", issuer.token(0));
    succeeds(&mut command);
    bench.assert_sound();
}
