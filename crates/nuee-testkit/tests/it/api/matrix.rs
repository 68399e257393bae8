//! Every route of the API, asked for by everybody who may or may not: who gets in is written down here.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_access::Resource;
use nuee_base::{Assurance, Role};
use nuee_tenancy::Realm;
use nuee_testkit::Place;
use serde_json::{Value, json};

use super::{Bench, Person, access::begin, bench::PASSWORD};

/// The columns are those who ask. Of the organisation `education`: its owner, maintainer and auditor (`O M A`); of its
/// project `schools` the owner, maintainer, developer, reader and auditor (`o m d r a`); the owner of its project `exams`
/// (`e`); the owner of another organisation (`h`); a service account that owns `schools`, by its key (`s`); the owner of
/// `schools` by one factor (`1`); whoever owned `schools` until a moment ago (`x`); whoever is suspended (`p`); nobody
/// (`n`); a token that is none (`w`).
///
/// The marks: `y` gets in, whatever the answer is then; `-` is `denied`; `2` must show two factors; `4` finds nothing;
/// `n` is not signed in.
const EXPECTED: &str = "
operation                     O M A  o m d r a  e h  s 1  x p n w
describe                      y y y  y y y y y  y y  y y  y y y y
getJournalKey                 y y y  y y y y y  y y  y y  y y y y
listIssuers                   y y y  y y y y y  y y  y y  y y y y
beginIssuerSignIn             4 4 4  4 4 4 4 4  4 4  4 4  4 4 4 4
finishIssuerSignIn            n n n  n n n n n  n n  n n  n n n n
finishIssuerSignOut           4 4 4  4 4 4 4 4  4 4  4 4  4 4 4 4
exchangeCode                  n n n  n n n n n  n n  n n  n n n n
signIn                        n n n  n n n n n  n n  n n  n n n n
resetPassword                 n n n  n n n n n  n n  n n  n n n n
acceptInvitation              n n n  n n n n n  n n  n n  n n n n
acceptOwnInvitation           n n n  n n n n n  n n  n n  n n n n
changePassword                n n n  n n n n n  n n  n n  n n n n
listSignIns                   y y y  y y y y y  y y  n y  y n n n
whoami                        y y y  y y y y y  y y  n y  y n n n
renewSignIn                   y y y  y y y y y  y y  n y  y n n n
signOut                       y y y  y y y y y  y y  n y  y n n n
confirmSecondFactor           y y y  y y y y y  y y  n y  y n n n
beginSecondFactor             y y y  y y y y y  y y  n y  y n n n
listOrganisations             y y y  y y y y y  y y  n y  y n n n
getOrganisation               y y y  y y y y y  y 4  - y  y n n n
updateOrganisation            y - -  - - - - -  - 4  - 2  - n n n
listUsers                     y y y  - - - - -  - 4  - -  - n n n
listRights                    y y y  - - - - -  - 4  - -  - n n n
suspendUser                   y - -  - - - - -  - 4  - 2  - n n n
resumeUser                    y - -  - - - - -  - 4  - 2  - n n n
resetSignIn                   y - -  - - - - -  - 4  - 2  - n n n
listOrganisationMembers       y y y  - - - - -  - 4  - -  - n n n
grantOrganisationRole         y - -  - - - - -  - 4  - 2  - n n n
revokeOrganisationRole        y - -  - - - - -  - 4  - 2  - n n n
inviteToOrganisation          y - -  - - - - -  - 4  - 2  - n n n
listOrganisationInvitations   y - y  - - - - -  - 4  - -  - n n n
revokeOrganisationInvitation  y - -  - - - - -  - 4  - -  - n n n
listEvents                    y - y  - - - - -  - 4  - -  - n n n
exportJournal                 y - y  - - - - -  - 4  - -  - n n n
listProjects                  y y y  y y y y y  y 4  y y  y n n n
createProject                 y y -  - - - - -  - 4  - -  - n n n
getProject                    y y y  y y y y y  4 4  y y  4 n n n
getUsage                      y y y  y y y y y  4 4  y y  4 n n n
setQuota                      y - -  - - - - -  4 4  - -  4 n n n
setPlacement                  y - -  - - - - -  4 4  - 2  4 n n n
listMembers                   y y y  y y - - y  4 4  y y  4 n n n
grantRole                     y - -  y - - - -  4 4  y 2  4 n n n
revokeRole                    y - -  y - - - -  4 4  y 2  4 n n n
invite                        y - -  y - - - -  4 4  y 2  4 n n n
listInvitations               y - -  y - - - -  4 4  y y  4 n n n
revokeInvitation              y - -  y - - - -  4 4  y y  4 n n n
listServiceAccounts           y y y  y y - - y  4 4  y y  4 n n n
createServiceAccount          y - -  y - - - -  4 4  y 2  4 n n n
revokeServiceAccount          y - -  y - - - -  4 4  y y  4 n n n
createAccessKey               y - -  y - - - -  4 4  y 2  4 n n n
deleteAccessKey               y - -  y - - - -  4 4  y y  4 n n n
listAssumableRoles            y y y  y y - - y  4 4  y y  4 n n n
createAssumableRole           y - -  y - - - -  4 4  y 2  4 n n n
deleteAssumableRole           y - -  y - - - -  4 4  y y  4 n n n
listSessions                  y y y  y y - - y  4 4  y y  4 n n n
revokeSession                 y - -  y - - - -  4 4  y y  4 n n n
explainAccess                 y y y  y y - - y  4 4  y y  4 n n n
listExposures                 y y y  y y - - y  4 4  y y  4 n n n
createExposure                y - -  y - - - -  4 4  y 2  4 n n n
deleteExposure                y - -  y - - - -  4 4  y y  4 n n n
listBuckets                   y y y  y y y y y  4 4  y y  4 n n n
createBucket                  y y -  y y - - -  4 4  y y  4 n n n
deleteBucket                  y y -  y y - - -  4 4  y y  4 n n n
listObjects                   y y y  y y y y y  4 4  y y  4 n n n
getObject                     y y -  y y y y -  4 4  y y  4 n n n
putObject                     y y -  y y y - -  4 4  y y  4 n n n
deleteObject                  y y -  y y y - -  4 4  y y  4 n n n
";

/// Every operation of a realm: its method, its path, its name.
pub(super) fn operations(realm: Realm) -> Vec<(String, String, String)> {
    let document = serde_json::to_value(nuee_api::document(realm)).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            found.push((method.to_uppercase(), path.strip_prefix("/api/v1").unwrap().to_owned(), name));
        }
    }
    found
}

fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = EXPECTED.trim().lines().skip(1);
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .map(|words| (words[0], words[1..].to_vec()))
        .collect()
}

#[test]
fn every_route_has_a_row() {
    let offered: BTreeSet<_> =
        operations(Realm::Organisations).into_iter().map(|(_, _, name)| name).collect();
    let rows = rows();
    let tried: BTreeSet<_> = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
    let differences: Vec<_> = offered.symmetric_difference(&tried).collect();
    assert!(differences.is_empty(), "offered without a row, or the other way round: {differences:?}");
    assert_eq!(rows.len(), tried.len(), "a row is there twice");
}

/// Whoever asks.
struct Asker {
    name: &'static str,
    authorization: Option<String>,
    person: Option<Person>,
    assurance: Assurance,
}

/// The server with everybody, and with something for each row.
struct Stage {
    bench: Bench,
    askers: Vec<Asker>,
    /// An owner of the organisation who makes what is needed.
    maker: Person,
    victim: Person,
    made: usize,
}

const ORGANISATION: &str = "/organisations/education";
const SCHOOLS: &str = "/organisations/education/projects/schools";

impl Stage {
    fn set() -> Self {
        let bench = Bench::start();
        let key = bench.server.owner(Place::Schools).clone();
        let (organisation, other) =
            (bench.organisation(Place::Schools), bench.organisation(Place::Hospitals));
        let schools = bench.server.project(Place::Schools).resource();
        let exams = bench.server.project(Place::Exams).resource();
        let maker = bench.join("maker@education.example", organisation, Role::Owner);
        let victim = bench.join("victim@education.example", schools, Role::Reader);
        let mut stage = Self { bench, askers: Vec::new(), maker, victim, made: 0 };
        let joining: [(&str, Resource, Role); 10] = [
            ("O", organisation, Role::Owner),
            ("M", organisation, Role::Maintainer),
            ("A", organisation, Role::Auditor),
            ("o", schools, Role::Owner),
            ("m", schools, Role::Maintainer),
            ("d", schools, Role::Developer),
            ("r", schools, Role::Reader),
            ("a", schools, Role::Auditor),
            ("e", exams, Role::Owner),
            ("h", other, Role::Owner),
        ];
        for (name, place, role) in joining {
            stage.add(name, (place, role), Assurance::MultiFactor);
        }
        let shown = format!("{}:{}", key.access_key_id, key.secret.expose());
        stage.add_stranger("s", Some(format!("Basic {}", STANDARD.encode(shown))));
        stage.add("1", (schools, Role::Owner), Assurance::SingleFactor);
        stage.add("x", (schools, Role::Owner), Assurance::MultiFactor);
        stage.add("p", (schools, Role::Owner), Assurance::MultiFactor);
        stage.add_stranger("n", None);
        stage.add_stranger("w", Some("Bearer nuee_signin_none".to_owned()));
        let id = |name: &str| {
            stage.askers.iter().find(|asker| asker.name == name).unwrap().person.clone().unwrap().id
        };
        let (former, suspended) = (id("x"), id("p"));
        stage.done(("DELETE", &format!("{SCHOOLS}/members/{former}/owner")), None);
        stage.done(("PUT", &format!("{ORGANISATION}/users/{suspended}/suspension")), None);
        stage.done(("POST", &format!("{SCHOOLS}/buckets")), Some(&json!({ "name": "registers" })));
        stage.done(("PUT", &format!("{SCHOOLS}/buckets/registers/object?key=a")), Some(&json!("content")));
        stage
    }

    fn add(&mut self, name: &'static str, (place, role): (Resource, Role), assurance: Assurance) {
        let email = format!("{name}-{}@education.example", self.askers.len());
        let person = self.bench.join(&email, place, role);
        let token = self.bench.sign_in(person.id, assurance);
        let authorization = Some(format!("Bearer {token}"));
        self.askers.push(Asker { name, authorization, person: Some(person), assurance });
    }

    fn add_stranger(&mut self, name: &'static str, authorization: Option<String>) {
        self.askers.push(Asker { name, authorization, person: None, assurance: Assurance::SingleFactor });
    }

    /// Has the maker do something that must work.
    fn done(&self, asked: (&str, &str), body: Option<&Value>) -> Value {
        let (status, value) = self.bench.call(&self.maker.token, asked, body);
        assert!((200..300).contains(&status), "{asked:?}: {value}");
        value
    }

    /// A name that nothing has.
    fn name(&mut self) -> String {
        self.made += 1;
        format!("made-{}", self.made)
    }

    /// The path and the body of a request of this operation, about something that is there for it.
    fn request(&mut self, operation: &str) -> (String, Option<Value>) {
        let name = self.name();
        of_nobody(operation, &name)
            .or_else(|| self.of_organisation(operation, &name))
            .or_else(|| self.of_members(operation, &name))
            .or_else(|| self.of_accounts(operation, &name))
            .or_else(|| self.of_roles(operation, &name))
            .or_else(|| self.of_data(operation, &name))
            .unwrap_or_else(|| panic!("there is no request for {operation}"))
    }

    fn of_organisation(&self, operation: &str, name: &str) -> Asked {
        let user = |rest: &str| format!("{ORGANISATION}/users/{}/{rest}", self.victim.id);
        Some(match operation {
            "listOrganisations" => ("/organisations".into(), None),
            "getOrganisation" => (ORGANISATION.into(), None),
            "updateOrganisation" => (ORGANISATION.into(), Some(json!({ "title": "Education" }))),
            "listUsers" => (format!("{ORGANISATION}/users"), None),
            "listRights" => (user("rights"), None),
            "suspendUser" | "resumeUser" => (user("suspension"), None),
            "resetSignIn" => (user("sign-in-resets"), None),
            "listEvents" => (format!("{ORGANISATION}/journal"), None),
            "exportJournal" => (format!("{ORGANISATION}/journal/export"), None),
            "listProjects" => (format!("{ORGANISATION}/projects"), None),
            "createProject" => (format!("{ORGANISATION}/projects"), Some(json!({ "name": name }))),
            "getProject" => (SCHOOLS.into(), None),
            "getUsage" => (format!("{SCHOOLS}/usage"), None),
            "setQuota" => (format!("{SCHOOLS}/quota"), Some(json!({}))),
            "setPlacement" => (format!("{SCHOOLS}/placement"), Some(json!({ "copies": 1 }))),
            _ => return None,
        })
    }

    fn of_members(&self, operation: &str, name: &str) -> Asked {
        let (place, named) = match operation {
            "invite" | "listInvitations" | "revokeInvitation" | "listMembers" | "grantRole"
            | "revokeRole" => (SCHOOLS, "developer"),
            _ => (ORGANISATION, "reader"),
        };
        let (members, invitations) = (format!("{place}/members"), format!("{place}/invitations"));
        let role = json!({ "email": "victim@education.example", "role": named });
        let offer = json!({ "email": format!("{name}@education.example"), "role": "reader" });
        Some(match operation {
            "listMembers" | "listOrganisationMembers" => (members, None),
            "grantRole" | "grantOrganisationRole" => (members, Some(role)),
            "revokeRole" | "revokeOrganisationRole" => {
                self.done(("POST", &members), Some(&role));
                (format!("{members}/{}/{named}", self.victim.id), None)
            }
            "invite" | "inviteToOrganisation" => (invitations, Some(offer)),
            "listInvitations" | "listOrganisationInvitations" => (invitations, None),
            "revokeInvitation" | "revokeOrganisationInvitation" => {
                let made = self.done(("POST", &invitations), Some(&offer));
                (format!("{invitations}/{}", id(&made)), None)
            }
            _ => return None,
        })
    }

    fn of_accounts(&self, operation: &str, name: &str) -> Asked {
        let accounts = format!("{SCHOOLS}/service-accounts");
        let account = json!({ "name": name, "role": "reader" });
        Some(match operation {
            "listServiceAccounts" => (accounts, None),
            "createServiceAccount" => (accounts, Some(account)),
            "revokeServiceAccount" => {
                self.done(("POST", &accounts), Some(&account));
                (format!("{accounts}/{name}"), None)
            }
            "createAccessKey" => {
                self.done(("POST", &accounts), Some(&account));
                (format!("{accounts}/{name}/access-keys"), Some(json!({})))
            }
            "deleteAccessKey" => {
                let made = self.done(("POST", &accounts), Some(&account));
                let key = made["key"]["access_key_id"].as_str().unwrap();
                (format!("{accounts}/{name}/access-keys/{key}"), None)
            }
            _ => return None,
        })
    }

    fn of_roles(&self, operation: &str, name: &str) -> Asked {
        let (roles, role) = (format!("{SCHOOLS}/roles"), json!({ "name": name, "grants": "reader" }));
        let question =
            json!({ "principal": "anonymous", "action": "s3:GetObject", "resource": "s3://registers/a" });
        Some(match operation {
            "listAssumableRoles" => (roles, None),
            "createAssumableRole" => (roles, Some(role)),
            "deleteAssumableRole" => {
                self.done(("POST", &roles), Some(&role));
                (format!("{roles}/{name}"), None)
            }
            "listSessions" => (format!("{SCHOOLS}/sessions"), None),
            "revokeSession" => {
                self.done(("POST", &roles), Some(&role));
                let account = self.bench.server.owner(Place::Schools);
                (format!("{SCHOOLS}/sessions/{}", begin(&self.bench, account, name).0), None)
            }
            "explainAccess" => (format!("{SCHOOLS}/access/explanations"), Some(question)),
            _ => return None,
        })
    }

    fn of_data(&self, operation: &str, name: &str) -> Asked {
        let terms = json!({ "zone": "rie", "audience": "credentials", "expires_at": "2099-01-01T00:00:00Z" });
        let (exposures, buckets) = (format!("{SCHOOLS}/exposures"), format!("{SCHOOLS}/buckets"));
        let bucket = json!({ "name": name });
        Some(match operation {
            "listExposures" => (exposures, None),
            "createExposure" => (exposures, Some(terms)),
            "deleteExposure" => {
                let made = self.done(("POST", &exposures), Some(&terms));
                (format!("{exposures}/{}", id(&made)), None)
            }
            "listBuckets" => (buckets, None),
            "createBucket" => (buckets, Some(bucket)),
            "deleteBucket" => {
                self.done(("POST", &buckets), Some(&bucket));
                (format!("{buckets}/{name}"), None)
            }
            "listObjects" => (format!("{buckets}/registers/objects"), None),
            "getObject" => (format!("{buckets}/registers/object?key=a"), None),
            "putObject" => (format!("{buckets}/registers/object?key=b"), Some(json!("content"))),
            "deleteObject" => (format!("{buckets}/registers/object?key=b"), None),
            _ => return None,
        })
    }
}

/// The path and the body of a request, if it is of this kind.
type Asked = Option<(String, Option<Value>)>;

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// What is asked without a place.
pub(super) fn of_nobody(operation: &str, name: &str) -> Asked {
    let none = || json!({ "token": "none" });
    Some(match operation {
        "describe" => ("/openapi.json".into(), None),
        "getJournalKey" => ("/journal/key".into(), None),
        "listIssuers" => ("/issuers".into(), None),
        "beginIssuerSignIn" => ("/issuers/none/sign-in?return_to=http://127.0.0.1:1/".into(), None),
        "finishIssuerSignIn" => ("/issuers/callback?state=none&code=none".into(), None),
        "finishIssuerSignOut" => ("/issuers/signed-out?state=none".into(), None),
        "exchangeCode" => ("/issuers/exchanges".into(), Some(json!({ "code": "none" }))),
        // Each of somebody else: whoever fails often is kept out.
        "signIn" => {
            let email = format!("{name}@education.example");
            ("/sign-ins".into(), Some(json!({ "email": email, "password": PASSWORD })))
        }
        "resetPassword" => {
            ("/password-resets".into(), Some(json!({ "token": "none", "password": PASSWORD })))
        }
        "acceptInvitation" => (
            "/invitations/acceptances".into(),
            Some(json!({ "token": "none", "name": "Nobody", "password": PASSWORD })),
        ),
        "acceptOwnInvitation" => ("/account/invitations".into(), Some(none())),
        "changePassword" => {
            ("/account/password".into(), Some(json!({ "present": "none", "next": PASSWORD })))
        }
        "listSignIns" => ("/sign-ins".into(), None),
        "whoami" | "signOut" => ("/sign-ins/current".into(), None),
        "renewSignIn" => ("/sign-ins/current/renewals".into(), None),
        "beginSecondFactor" => ("/account/second-factor".into(), None),
        "confirmSecondFactor" => {
            ("/account/second-factor/confirmation".into(), Some(json!({ "code": "000000" })))
        }
        _ => return None,
    })
}

/// The mark of an answer.
pub(super) fn mark(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (401, _) => "n",
        (403, "second-factor-needed") => "2",
        (403, _) => "-",
        (404, _) => "4",
        _ => "y",
    }
}

#[test]
fn everybody_gets_what_the_table_says() {
    let mut stage = Stage::set();
    let operations = operations(Realm::Organisations);
    let mut wrong = Vec::new();
    for (name, marks) in rows() {
        let (method, _, _) = operations.iter().find(|(_, _, known)| known == name).unwrap();
        assert_eq!(marks.len(), stage.askers.len(), "{name}");
        for (index, expected) in marks.iter().enumerate() {
            let (path, body) = stage.request(name);
            let asker = &stage.askers[index];
            // What ends or replaces a token has one of its own.
            let own = match (&asker.person, name) {
                (Some(person), "signOut" | "renewSignIn") if asker.name != "p" => {
                    Some(format!("Bearer {}", stage.bench.sign_in(person.id, asker.assurance)))
                }
                _ => asker.authorization.clone(),
            };
            let headers: Vec<_> = own.iter().map(|value| ("authorization", value.as_str())).collect();
            let body = body.map(|body| body.to_string());
            let answer = stage.bench.send((method, &path), &headers, body.as_deref());
            let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let found = mark(answer.status, problem["code"].as_str().unwrap_or_default());
            if found != *expected || answer.status >= 500 {
                wrong.push(format!(
                    "{name} by {}: expected {expected}, found {found}: {} {}",
                    asker.name,
                    answer.status,
                    answer.text()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
