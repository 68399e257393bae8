//! The demonstration: an organisation with people, two projects and a few files, for a look around.
//!
//! It is made at the first start, once, by the same calls as everything else: whoever runs the platform invites its owner,
//! and she does the rest. Passwords are made on the spot and shown once.

use anyhow::{Context as _, Result};
use futures_util::stream;
use nuee_access::{Action, FactList, Resource};
use nuee_base::{Assurance, Context, ObjectKey, Principal, Role, Secret};
use nuee_store::{
    Body, Bucket, ChecksumAlgorithm, Conditions, Described, Details, ExpectedChecksum, NewBucket,
};
use nuee_tenancy::{Binding, Client, Joining, KnownUser, Offer, Profile, Project, Realm, Shown, User};

use crate::Platform;

const ORGANISATION: &str = "demonstration";

/// Words of which passwords are made: 64 of them, so that six give 36 bits, and lock-out does the rest.
const WORDS: [&str; 64] = [
    "amber", "anchor", "apple", "arrow", "autumn", "bakery", "basket", "beacon", "birch", "bridge", "candle",
    "canyon", "cedar", "cherry", "circle", "clover", "copper", "coral", "cotton", "crayon", "daisy",
    "desert", "dolphin", "ember", "falcon", "feather", "forest", "garden", "ginger", "granite", "harbour",
    "hazel", "honey", "island", "ivory", "jasmine", "kettle", "lagoon", "lantern", "lemon", "linen", "maple",
    "marble", "meadow", "mirror", "nectar", "oasis", "olive", "orchard", "otter", "pebble", "pepper",
    "prairie", "quartz", "raven", "river", "saffron", "silver", "sparrow", "thistle", "timber", "tulip",
    "velvet", "willow",
];

/// What is shown once of a demonstration.
#[derive(Debug)]
pub(crate) struct Demonstration {
    /// Its people.
    pub(crate) accounts: Vec<DemonstrationAccount>,
    /// Codes that stand for one of the owner's device, once each.
    pub(crate) codes: Vec<Secret>,
}

/// Somebody of a demonstration.
#[derive(Debug)]
pub(crate) struct DemonstrationAccount {
    /// By what she or he signs in.
    pub(crate) email: &'static str,
    /// What she or he may do.
    pub(crate) may: &'static str,
    /// The password.
    pub(crate) password: Secret,
}

/// A file of a demonstration.
struct Sample {
    project: &'static str,
    key: &'static str,
    content_type: &'static str,
    content: String,
}

/// Makes the demonstration, unless there is one.
pub(crate) async fn make(platform: &Platform) -> Result<Option<Demonstration>> {
    let operator = platform.operator();
    let permit = platform.decider().decide(&operator, Action::ListOrganisations, Resource::Platform)?;
    if platform.tenancy().organisation(&permit, &ORGANISATION.parse()?)?.is_some() {
        return Ok(None);
    }
    let permit = platform.decider().decide(&operator, Action::CreateOrganisation, Resource::Platform)?;
    let title = Some("Demonstration".to_owned());
    let new = (ORGANISATION.parse()?, Profile { title, ..Profile::default() });
    let organisation = platform.tenancy().create_organisation(&operator, &permit, new).await?;
    let place = Resource::Organisation(organisation.id);

    let ada = ("ada@demonstration.example", "Ada", "owns the organisation");
    let (owner, ada) = invite(platform, &operator, (place, Role::Owner), ada).await?;
    let (owner, codes) = with_device(platform, &owner).await?;
    let libraries = create_project(platform, &owner, (place, "libraries")).await?;
    let transport = create_project(platform, &owner, (place, "transport")).await?;
    let mut accounts = vec![ada];
    for (within, role, who) in [
        (
            libraries.resource(),
            Role::Maintainer,
            ("grace@demonstration.example", "Grace", "maintains the project libraries"),
        ),
        (
            transport.resource(),
            Role::Reader,
            ("alan@demonstration.example", "Alan", "reads the project transport"),
        ),
        (place, Role::Auditor, ("simone@demonstration.example", "Simone", "audits the organisation")),
    ] {
        accounts.push(invite(platform, &owner, (within, role), who).await?.1);
    }
    for project in [&libraries, &transport] {
        let bucket = create_bucket(platform, &owner, project).await?;
        for sample in samples().into_iter().filter(|sample| project.name.as_str() == sample.project) {
            write(platform, &owner, &bucket, sample).await?;
        }
    }
    Ok(Some(Demonstration { accounts, codes }))
}

/// A password of six words, for people to read and type.
fn password(platform: &Platform) -> Secret {
    let mut random = [0; 6];
    platform.environment().fill_random(&mut random);
    Secret::new(random.map(|byte| WORDS[usize::from(byte & 63)]).join("-"))
}

/// Has somebody join with a role.
async fn invite(
    platform: &Platform,
    by: &Context,
    (place, role): (Resource, Role),
    (email, name, may): (&'static str, &str, &'static str),
) -> Result<(User, DemonstrationAccount)> {
    let tenancy = platform.tenancy();
    let permit = platform.decider().decide(by, Action::CreateInvitation, place)?;
    let offer = Offer { email: email.parse()?, role, role_expires_at: None };
    let (_, token) = tenancy.invite(by, &permit, offer).await?;
    let password = password(platform);
    let credential = tenancy.new_credential(&email.parse()?, password.clone()).await?;
    let joining = (name.to_owned(), Joining::Local(credential));
    let nobody = Context::new(platform.environment().clone(), Principal::Anonymous);
    let user = tenancy.accept_invitation(&nobody, (Realm::Organisations, &token), joining).await?;
    Ok((user, DemonstrationAccount { email, may, password }))
}

/// Gives somebody a second factor of codes on paper; gives a context in which she acts, and the codes.
async fn with_device(platform: &Platform, user: &User) -> Result<(Context, Vec<Secret>)> {
    let (tenancy, environment) = (platform.tenancy(), platform.environment());
    let nobody = Context::new(environment.clone(), Principal::Anonymous);
    let binding = Binding { client: Client::CommandLine, zone: "local".to_owned() };
    let shown = Shown { assurance: Assurance::MultiFactor, by: "the first start".to_owned() };
    let given = tenancy.begin_sign_in(&nobody, user.id, (binding, shown)).await?;
    let known = tenancy.known_user(&nobody, &given.token, (Realm::Organisations, "local")).await?;
    let device = tenancy.begin_enrolment(&nobody, &known).await?;
    let enrolled = tenancy.finish_enrolment(&nobody, &known, device.code_at(nobody.now())).await?;
    let context = Context::new(environment.clone(), acting(&known, &nobody));
    // Nobody keeps the token: what it could do ends with this start.
    tenancy.sign_out(&nobody, &known).await?;
    Ok((context, enrolled.recovery_codes))
}

fn acting(known: &KnownUser, context: &Context) -> Principal {
    known.principal(context.now())
}

async fn create_project(
    platform: &Platform,
    by: &Context,
    (organisation, name): (Resource, &str),
) -> Result<Project> {
    let permit = platform.decider().decide(by, Action::CreateProject, organisation)?;
    Ok(platform.tenancy().create_project(by, &permit, name.parse()?).await?)
}

async fn create_bucket(platform: &Platform, by: &Context, project: &Project) -> Result<Bucket> {
    let permit = platform.decider().decide(by, Action::CreateBucket, project.resource())?;
    let name = format!("{ORGANISATION}-{}", project.name).parse()?;
    Ok(platform.store().create_bucket(by, &permit, name, NewBucket::default()).await?)
}

async fn write(platform: &Platform, by: &Context, bucket: &Bucket, sample: Sample) -> Result<()> {
    let bucket = platform.store().find_bucket(&bucket.name)?;
    let key: ObjectKey = sample.key.parse()?;
    let facts = FactList::of_object(key.clone()).in_bucket(bucket.name.clone());
    let (place, rules) = (bucket.resource(), bucket.rules());
    let permit = platform.decider().decide_in_bucket(by, Action::PutObject, place, rules, &facts)?;
    let content = bytes::Bytes::from(sample.content);
    let body = Body {
        size: Some(content.len() as u64),
        stream: Box::pin(stream::iter([Ok(content)])),
        md5: None,
        checksum: ExpectedChecksum::Compute(ChecksumAlgorithm::Crc64Nvme),
        encryption: None,
    };
    let details = Details { content_type: Some(sample.content_type.to_owned()), ..Details::default() };
    let described = Described { details, ..Described::default() };
    let written = platform
        .store()
        .put_object(by, &permit, (&bucket, key), (body, described), Conditions::default())
        .await;
    written.map(drop).with_context(|| format!("cannot write {}", sample.key))
}

/// A table (RFC 4180, with line feeds) of rows below a title.
fn table(titles: &str, rows: impl Iterator<Item = String>) -> String {
    std::iter::once(titles.to_owned()).chain(rows).map(|row| row + "\n").collect()
}

/// The files, made of numbers that are the same each time.
fn samples() -> Vec<Sample> {
    let number = |seed: usize, most: usize| (seed * 7_919 + 104_729) % most;
    let months = (1..=12).flat_map(|month| (1..=20).map(move |library| (month, library)));
    let loans = months.map(|(month, library)| {
        let (loans, visitors) = (number(month * library, 900) + 100, number(month + library, 4_000) + 300);
        format!("2026-{month:02},library-{library:02},{loans},{visitors}")
    });
    let hours = (1..=40).flat_map(|stop| (5..24).map(move |hour| (stop, hour)));
    let passages = hours
        .map(|(stop, hour)| format!("stop-{stop:02},T{},{hour},{}", stop % 4 + 1, number(stop * hour, 250)));
    let (loans, passages) =
        (table("month,library,loans,visitors", loans), table("stop,line,hour,passengers", passages));
    let features: Vec<_> = (1..=40)
        .map(|stop: u32| {
            let at = [2.30 + f64::from(stop) * 0.003, 48.83 + f64::from(stop % 7) * 0.006];
            serde_json::json!({
                "type": "Feature", "properties": { "stop": format!("stop-{stop:02}") },
                "geometry": { "type": "Point", "coordinates": at },
            })
        })
        .collect();
    let stops = serde_json::json!({ "type": "FeatureCollection", "features": features }).to_string();
    let readme =
        "# Libraries\n\nLoans and visitors of twenty libraries in 2026, by month. The numbers are made up.\n";
    vec![
        Sample {
            project: "libraries",
            key: "README.md",
            content_type: "text/markdown",
            content: readme.to_owned(),
        },
        Sample { project: "libraries", key: "2026/loans.csv", content_type: "text/csv", content: loans },
        Sample {
            project: "transport",
            key: "2026/passages.csv",
            content_type: "text/csv",
            content: passages,
        },
        Sample {
            project: "transport",
            key: "stops.geojson",
            content_type: "application/geo+json",
            content: stops,
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_word_is_there_once() {
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), 64);
    }

    #[test]
    fn files_are_what_they_say() {
        for sample in samples() {
            match sample.content_type {
                "text/csv" => {
                    let columns = sample.content.lines().map(|line| line.split(',').count());
                    assert_eq!(columns.collect::<BTreeSet<_>>(), BTreeSet::from([4]), "{}", sample.key);
                }
                "application/geo+json" => {
                    let read: serde_json::Value = serde_json::from_str(&sample.content).unwrap();
                    assert_eq!(read["features"].as_array().unwrap().len(), 40);
                }
                _ => assert!(sample.content.starts_with("# ")),
            }
        }
    }
}
