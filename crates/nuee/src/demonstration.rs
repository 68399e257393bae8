//! The demonstration: an organisation with people, two projects and a few files, for a look around.
//!
//! It is made at the first start, by the same calls as everything else: whoever runs the platform invites its owner, and she
//! does the rest. Passwords are made on the spot and shown once.
//!
//! A first start that was cut leaves a part of it, and passwords that nobody was shown. The next one finds what is there by
//! its name, makes the rest, and has everybody choose another password.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures_util::stream;
use nuee_access::{Action, FactList, Resource};
use nuee_base::{
    Assurance, BucketName, Context, ErrorKind, ObjectKey, Principal, Role, Secret, Slug, UserId,
};
use nuee_store::{
    Body, Bucket, ChecksumAlgorithm, Conditions, Described, Details, ExpectedChecksum, NewBucket,
};
use nuee_tenancy::{
    Binding, Client, Joining, KnownUser, Offer, Organisation, Profile, Project, Realm, Shown, Tenancy,
};

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

/// Somebody who is to be there.
struct Person {
    email: &'static str,
    name: &'static str,
    may: &'static str,
}

/// Makes the demonstration, or what is left to make of it.
pub(crate) async fn make(platform: &Platform) -> Result<Demonstration> {
    let operator = platform.operator();
    let place = Resource::Organisation(organisation(platform, &operator).await?.id);

    let ada = Person { email: "ada@demonstration.example", name: "Ada", may: "owns the organisation" };
    let (id, ada) = join(platform, &operator, place, (place, Role::Owner), ada).await?;
    let (owner, codes) = with_device(platform, id).await?;
    let libraries = project(platform, &owner, (place, "libraries")).await?;
    let transport = project(platform, &owner, (place, "transport")).await?;
    let mut accounts = vec![ada];
    for (within, role, email, name, may) in [
        (
            libraries.resource(),
            Role::Maintainer,
            "grace@demonstration.example",
            "Grace",
            "maintains the project libraries",
        ),
        (
            transport.resource(),
            Role::Reader,
            "alan@demonstration.example",
            "Alan",
            "reads the project transport",
        ),
        (place, Role::Auditor, "simone@demonstration.example", "Simone", "audits the organisation"),
    ] {
        let person = Person { email, name, may };
        accounts.push(join(platform, &owner, place, (within, role), person).await?.1);
    }
    for within in [place, libraries.resource(), transport.resource()] {
        revoke_invitations(platform, &owner, within).await?;
    }
    for project in [&libraries, &transport] {
        let bucket = bucket(platform, &owner, project).await?;
        for sample in samples().into_iter().filter(|sample| project.name.as_str() == sample.project) {
            write(platform, &owner, &bucket, sample).await?;
        }
    }
    Ok(Demonstration { accounts, codes })
}

async fn organisation(platform: &Platform, operator: &Context) -> Result<Organisation> {
    let (decider, name): (_, Slug) = (platform.decider(), ORGANISATION.parse()?);
    let permit = decider.decide(operator, Action::ListOrganisations, Resource::Platform)?;
    if let Some(organisation) = platform.tenancy().organisation(&permit, &name)? {
        return Ok(organisation);
    }
    let permit = decider.decide(operator, Action::CreateOrganisation, Resource::Platform)?;
    let title = Some("Demonstration".to_owned());
    let new = (name, Profile { title, ..Profile::default() });
    Ok(platform.tenancy().create_organisation(operator, &permit, new).await?)
}

/// A password of six words, for people to read and type.
fn password(platform: &Platform) -> Secret {
    let mut random = [0; 6];
    platform.environment().fill_random(&mut random);
    Secret::new(random.map(|byte| WORDS[usize::from(byte & 63)]).join("-"))
}

/// Has somebody join with a role, or choose another password if they have joined.
async fn join(
    platform: &Platform,
    by: &Context,
    organisation: Resource,
    (place, role): (Resource, Role),
    Person { email, name, may }: Person,
) -> Result<(UserId, DemonstrationAccount)> {
    let tenancy = platform.tenancy();
    let nobody = nobody(platform);
    let password = password(platform);
    let account = DemonstrationAccount { email, may, password: password.clone() };
    if let Some(id) = tenancy.locate_user(organisation, &email.parse()?)? {
        // Whoever runs the platform resets nobody: the owner does so herself.
        let by = match by.principal() {
            Principal::Operator => {
                let known = sign_in(platform, id).await?;
                acting(&known, &nobody)
            }
            _ => by.clone(),
        };
        let permit = platform.decider().decide(&by, Action::ResetSignIn, organisation)?;
        let token = tenancy.reset_sign_in(&by, &permit, id).await?;
        tenancy.finish_reset(&nobody, (Realm::Organisations, &token), password).await?;
        return Ok((id, account));
    }
    let permit = platform.decider().decide(by, Action::CreateInvitation, place)?;
    let offer = Offer { email: email.parse()?, role, role_expires_at: None };
    let (_, token) = tenancy.invite(by, &permit, offer).await?;
    let credential = tenancy.new_credential(&email.parse()?, password).await?;
    let joining = (name.to_owned(), Joining::Local(credential));
    let user = tenancy.accept_invitation(&nobody, (Realm::Organisations, &token), joining).await?;
    Ok((user.id, account))
}

/// Takes back what is left of invitations that nobody has the token of.
async fn revoke_invitations(platform: &Platform, by: &Context, place: Resource) -> Result<()> {
    let (decider, tenancy) = (platform.decider(), platform.tenancy());
    let permit = decider.decide(by, Action::ListInvitations, place)?;
    for invitation in tenancy.invitations(by, &permit)? {
        let permit = decider.decide(by, Action::RevokeInvitation, place)?;
        tenancy.revoke_invitation(by, &permit, invitation.id).await?;
    }
    Ok(())
}

fn nobody(platform: &Platform) -> Context {
    Context::new(platform.environment().clone(), Principal::Anonymous)
}

/// Signs somebody in by two factors; nobody keeps the token.
async fn sign_in(platform: &Platform, id: UserId) -> Result<Arc<KnownUser>> {
    let (tenancy, nobody): (&Tenancy, _) = (platform.tenancy(), nobody(platform));
    let binding = Binding { client: Client::CommandLine, zone: "local".to_owned() };
    let shown = Shown { assurance: Assurance::MultiFactor, by: "the first start".to_owned() };
    let given = tenancy.begin_sign_in(&nobody, id, (binding, shown)).await?;
    Ok(tenancy.known_user(&nobody, &given.token, (Realm::Organisations, "local")).await?)
}

/// Gives somebody a second factor of codes on paper; gives a context in which she acts, and the codes.
async fn with_device(platform: &Platform, id: UserId) -> Result<(Context, Vec<Secret>)> {
    let (tenancy, nobody) = (platform.tenancy(), nobody(platform));
    let known = sign_in(platform, id).await?;
    let device = tenancy.begin_enrolment(&nobody, &known).await?;
    let enrolled = tenancy.finish_enrolment(&nobody, &known, device.code_at(nobody.now())).await?;
    let context = acting(&known, &nobody);
    // What the token could do ends with this start.
    tenancy.sign_out(&nobody, &known).await?;
    Ok((context, enrolled.recovery_codes))
}

/// A context in which somebody acts.
fn acting(known: &KnownUser, context: &Context) -> Context {
    Context::new(context.environment().clone(), known.principal(context.now()))
}

async fn project(
    platform: &Platform,
    by: &Context,
    (organisation, name): (Resource, &str),
) -> Result<Project> {
    let (decider, tenancy) = (platform.decider(), platform.tenancy());
    let name: Slug = name.parse()?;
    let permit = decider.decide(by, Action::ListProjects, organisation)?;
    if let Some(project) = tenancy.projects(&permit)?.into_iter().find(|project| project.name == name) {
        return Ok(project);
    }
    let permit = decider.decide(by, Action::CreateProject, organisation)?;
    Ok(tenancy.create_project(by, &permit, name).await?)
}

async fn bucket(platform: &Platform, by: &Context, project: &Project) -> Result<Arc<Bucket>> {
    let name: BucketName = format!("{ORGANISATION}-{}", project.name).parse()?;
    match platform.store().find_bucket(&name) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return Ok(found?),
    }
    let permit = platform.decider().decide(by, Action::CreateBucket, project.resource())?;
    platform.store().create_bucket(by, &permit, name.clone(), NewBucket::default()).await?;
    Ok(platform.store().find_bucket(&name)?)
}

async fn write(platform: &Platform, by: &Context, bucket: &Arc<Bucket>, sample: Sample) -> Result<()> {
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
        .put_object(by, &permit, (bucket, key), (body, described), Conditions::default())
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
    use std::{
        collections::BTreeSet,
        pin::pin,
        task::{Poll, ready},
    };

    use nuee_base::Environment;
    use nuee_store::ListQuery;
    use nuee_tenancy::Presented;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{FirstStart, Settings, Tuning};

    /// Lets a future wait so many times, and drops it then, as a kill would; gives what it came to.
    async fn cut<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
        let (mut future, mut left) = (pin!(future), times);
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            Poll::Ready(Some(ready!(future.as_mut().poll(context))))
        })
        .await
    }

    /// Whether somebody signs in by what a first start shows.
    async fn signs_in(platform: &Platform, account: &DemonstrationAccount, code: Option<&Secret>) -> bool {
        let (email, password) = (account.email.parse().unwrap(), account.password.clone());
        let presented = Presented { realm: Realm::Organisations, email, password, code: code.cloned() };
        platform.tenancy().check_credential(&nobody(platform), presented).await.is_ok()
    }

    /// That everything is there, once.
    async fn check(platform: &Platform, Demonstration { accounts, codes }: &Demonstration) {
        assert_eq!((accounts.len(), codes.len()), (4, 10));
        for account in accounts {
            let code = codes.first().filter(|_| account.email.starts_with("ada@"));
            assert!(signs_in(platform, account, code).await, "{}", account.email);
        }
        let (decider, tenancy) = (platform.decider(), platform.tenancy());
        let place = Resource::Organisation(organisation(platform, &platform.operator()).await.unwrap().id);
        let ada = tenancy.locate_user(place, &accounts[0].email.parse().unwrap()).unwrap().unwrap();
        let ada = acting(&sign_in(platform, ada).await.unwrap(), &nobody(platform));
        let permit = |action, place| decider.decide(&ada, action, place).unwrap();
        assert_eq!(tenancy.users(&permit(Action::ListUsers, place), None, 10).unwrap().len(), 4);
        let projects = tenancy.projects(&permit(Action::ListProjects, place)).unwrap();
        assert_eq!(projects.len(), 2);
        for within in projects.iter().map(Project::resource).chain([place]) {
            let invitations = tenancy.invitations(&ada, &permit(Action::ListInvitations, within)).unwrap();
            assert_eq!(invitations, [], "{within}");
        }
        for project in &projects {
            let bucket = bucket(platform, &ada, project).await.unwrap();
            let (place, rules, facts) = (bucket.resource(), bucket.rules(), FactList::of_bucket());
            let facts = facts.in_bucket(bucket.name.clone());
            let permit = decider.decide_in_bucket(&ada, Action::ListObjects, place, rules, &facts).unwrap();
            let query = ListQuery { limit: 10, ..ListQuery::default() };
            assert_eq!(
                platform.store().list_objects(&permit, &bucket, query).await.unwrap().objects.len(),
                2
            );
        }
    }

    #[test]
    fn what_a_cut_first_start_has_left_is_finished_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.storage.data_dir = Some(directory.path().join("data"));
        settings.storage.key_dir = Some(directory.path().join("keys"));
        Runtime::new().unwrap().block_on(async {
            let first = FirstStart::WithDemonstration;
            let environment = Environment::system();
            let platform = Platform::open(&settings, &environment, first, Tuning::default());
            let platform = platform.await.unwrap();
            let mut cuts = 0;
            let made = loop {
                match cut(1 + 3 * cuts, make(&platform)).await {
                    Some(made) => break made.unwrap(),
                    None => cuts += 1,
                }
            };
            println!("it was cut {cuts} times");
            assert!(cuts > 5);
            check(&platform, &made).await;
            let again = make(&platform).await.unwrap();
            assert!(!signs_in(&platform, &made.accounts[1], None).await, "nobody may have read it");
            check(&platform, &again).await;
        });
    }

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
