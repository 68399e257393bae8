//! Operators: their accounts, at a listener of their own, which organisations and their people have no part in.

use std::{collections::BTreeSet, net::SocketAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee::{ListenerService, ListenerSettings, Request};
use nuee_access::{Action, Resource};
use nuee_base::{Assurance, Role, Secret, UserId, Zone};
use nuee_tenancy::{Binding, Client, Joining, Offer, Realm, Shown};
use nuee_testkit::Place;
use serde_json::{Value, json};

use super::{
    Bench,
    bench::{PASSWORD, send_at},
    code_of,
    matrix::{mark, of_nobody, operations},
};

/// The columns are those who ask the operators' API. Operators: an owner (`o`), an auditor (`a`), an owner by one factor
/// (`1`), and one who is suspended (`p`). An owner of an organisation by two factors (`t`), a service account by its key
/// (`s`), nobody (`n`), a token that is none (`w`). Marks are those of the table of organisations.
const ROUTES: &str = "
operation             o a 1 p t s n w
describe              y y y y y y y y
signIn                n n n n n n n n
resetPassword         n n n n n n n n
acceptInvitation      n n n n n n n n
acceptOwnInvitation   n n n n n n n n
changePassword        n n n n n n n n
listSignIns           y y y n n n n n
whoami                y y y n n n n n
renewSignIn           y y y n n n n n
confirmSecondFactor   y y y n n n n n
beginSecondFactor     y y y n n n n n
administer            y y 2 n n n n n
signOut               y y y n n n n n
";

/// What the columns `o`, `a` and `1` may ask to be carried out. `x` is refused to everybody from afar.
const REQUESTS: &str = "
request                  o a 1
status                   y y 2
create-service-account   y - 2
list-service-accounts    y y 2
revoke-service-account   y - 2
create-access-key        y - 2
delete-access-key        y - 2
show-project             y y 2
set-quota                y - 2
set-zone-ceiling         y - 2
set-placement            y - 2
exposures                y y 2
explain-access           y y 2
create-assumable-role    y - 2
list-assumable-roles     y y 2
delete-assumable-role    y - 2
list-sessions            y y 2
revoke-session           y - 2
create-organisation      y - 2
invite-owner             y - 2
list-organisations       y y 2
operators                y y 2
create-project           y - 2
list-projects            y y 2
verify                   y y 2
checkpoint               y y 2
journal-key              y y 2
list-journal             y - 2
list-platform-journal    y y 2
export-journal           x x x
journal-witnesses        y y 2
run-lifecycle            y - 2
rotate-keys              y - 2
";

/// A server with operators.
struct Stage {
    bench: Bench,
}

impl Stage {
    fn set() -> Self {
        Self { bench: Bench::start() }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.bench.runtime.block_on(future)
    }

    /// The token of an invitation to be an operator.
    fn invited(&self, email: &str, role: Role) -> Secret {
        let platform = self.bench.server.platform();
        let context = platform.operator();
        let permit =
            platform.decider().decide(&context, Action::CreateInvitation, Resource::Platform).unwrap();
        let offer = Offer { email: email.parse().unwrap(), role, role_expires_at: None };
        self.block_on(platform.tenancy().invite(&context, &permit, offer)).unwrap().1
    }

    fn operator(&self, email: &str, role: Role) -> UserId {
        let token = self.invited(email, role);
        let (platform, password) = (self.bench.server.platform(), Secret::new(PASSWORD.to_owned()));
        self.block_on(async {
            let tenancy = platform.tenancy();
            let credential = tenancy.new_credential(&email.parse().unwrap(), password).await.unwrap();
            let (shown, joining) =
                ((Realm::Platform, &token), ("Oscar".to_owned(), Joining::Local(credential)));
            tenancy.accept_invitation(&platform.operator(), shown, joining).await.unwrap().id
        })
    }

    fn sign_in(&self, id: UserId, assurance: Assurance) -> String {
        let platform = self.bench.server.platform();
        let binding = Binding { client: Client::CommandLine, zone: "local".to_owned() };
        let shown = Shown { assurance, by: "a test".to_owned() };
        let context = platform.operator();
        let begun = platform.tenancy().begin_sign_in(&context, id, (binding, shown));
        self.block_on(begun).unwrap().token.expose().to_owned()
    }

    fn ask(&self, authorization: &str, asked: (&str, &str), body: Option<&Value>) -> (u16, Value) {
        let address = self.bench.server.addresses().admin;
        let headers: &[_] = &[("authorization", authorization)][..usize::from(!authorization.is_empty())];
        let body = body.map(Value::to_string);
        let answer = send_at(address, &address.to_string(), asked, headers, body.as_deref());
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// What an operator has carried out.
    fn carry_out(&self, token: &str, request: &Value) -> (u16, Value) {
        self.ask(&format!("Bearer {token}"), ("POST", "/requests"), Some(request))
    }

    fn done(&self, token: &str, request: &Value) -> Value {
        let (status, value) = self.carry_out(token, request);
        assert_eq!(status, 200, "{request}: {value}");
        value
    }
}

fn rows(table: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let words = table.trim().lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[0], words[1..].to_vec())).collect()
}

#[test]
fn every_operator_gets_what_the_table_says_and_nobody_else_anything() {
    let stage = Stage::set();
    let (owner, auditor) =
        (stage.operator("o@state.example", Role::Owner), stage.operator("a@state.example", Role::Auditor));
    let suspended = stage.operator("p@state.example", Role::Owner);
    let tenant =
        stage.bench.join("t@education.example", stage.bench.organisation(Place::Schools), Role::Owner);
    let key = stage.bench.server.owner(Place::Schools);
    let key = STANDARD.encode(format!("{}:{}", key.access_key_id, key.secret.expose()));
    let before = stage.sign_in(suspended, Assurance::MultiFactor);
    let boss = stage.sign_in(owner, Assurance::MultiFactor);
    stage.done(
        &boss,
        &json!({ "request": "operators", "operators": { "suspend": { "email": "p@state.example" } } }),
    );

    let operations = operations(Realm::Platform);
    let offered: BTreeSet<_> = operations.iter().map(|(_, _, name)| name.as_str()).collect();
    assert_eq!(rows(ROUTES).iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), offered);
    let mut wrong = Vec::new();
    for (name, marks) in rows(ROUTES) {
        let (method, _, _) = operations.iter().find(|(_, _, known)| known == name).unwrap();
        let shown = [
            format!("Bearer {}", stage.sign_in(owner, Assurance::MultiFactor)),
            format!("Bearer {}", stage.sign_in(auditor, Assurance::MultiFactor)),
            format!("Bearer {}", stage.sign_in(owner, Assurance::SingleFactor)),
            format!("Bearer {before}"),
            format!("Bearer {}", tenant.token),
            format!("Basic {key}"),
            String::new(),
            "Bearer nuee_signin_none".to_owned(),
        ];
        assert_eq!(marks.len(), shown.len(), "{name}");
        for (number, (authorization, expected)) in shown.iter().zip(&marks).enumerate() {
            let list = || ("/requests".into(), Some(json!({ "request": "list-organisations" })));
            let (path, body) = of_nobody(name, &format!("{name}-{number}")).unwrap_or_else(list);
            let (status, answer) = stage.ask(authorization, (method, &path), body.as_ref());
            let found = mark(status, answer["code"].as_str().unwrap_or_default());
            if found != *expected || status >= 500 {
                wrong.push(format!(
                    "{name} by column {number}: expected {expected}, found {found}: {status} {answer}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of requests that this version knows, as it tells whoever asks for another.
fn known_requests() -> BTreeSet<String> {
    let error = serde_json::from_value::<Request>(json!({ "request": "none" })).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// A request of this name, about something that is there or would be.
fn request(name: &str, stage: &Stage) -> Value {
    let place = json!({ "organisation": "education", "project": "schools" });
    let query = json!({ "action": null, "by": null, "on": null, "since": null, "until": null, "before": null, "limit": 5 });
    let terms = json!({
        "grants": "reader", "issuer": null, "conditions": [], "is_default": false, "longest_seconds": 3600, "policy": null
    });
    let mut request = match name {
        "create-service-account" => json!({ "place": place, "name": "pipeline", "role": "reader" }),
        "revoke-service-account" | "delete-assumable-role" => json!({ "place": place, "name": "none" }),
        "create-access-key" => json!({ "place": place, "account": "none", "days": null }),
        "delete-access-key" => {
            let key = stage.bench.server.owner(Place::Schools).access_key_id.to_string();
            json!({ "place": place, "account": "none", "key": key })
        }
        "set-quota" => json!({ "place": place, "quota": {} }),
        "set-placement" => json!({ "place": place, "placement": { "copies": 1, "countries": [] } }),
        "set-zone-ceiling" => json!({ "place": place, "ceiling": "rie" }),
        "exposures" => json!({ "place": place, "exposures": "list" }),
        "explain-access" => {
            json!({ "place": place, "principal": "anonymous", "action": "s3:GetObject", "resource": "s3://none" })
        }
        "create-assumable-role" => json!({ "place": place, "name": "visitor", "terms": terms }),
        "revoke-session" => json!({ "place": place, "id": UserId::from_bytes([1; 16]).to_string() }),
        "create-organisation" => json!({ "name": "culture" }),
        "invite-owner" => json!({ "organisation": "health", "email": "h@health.example" }),
        "operators" => json!({ "operators": "list" }),
        "create-project" => json!({ "organisation": "education", "name": "maths" }),
        "list-projects" => json!({ "organisation": "education" }),
        "verify" => json!({ "content": false, "checkpoint": null }),
        "list-journal" => json!({ "organisation": "education", "query": query }),
        "list-platform-journal" => json!({ "query": query }),
        "export-journal" => {
            json!({ "organisation": "education", "since": null, "until": null, "file": "/nonexistent/export" })
        }
        "run-lifecycle" => json!({ "bucket": "none-at-all", "dry_run": true }),
        "rotate-keys" => json!({ "place": null }),
        "status" | "list-organisations" | "checkpoint" | "journal-key" | "journal-witnesses" => json!({}),
        _ => json!({ "place": place }),
    };
    request["request"] = name.into();
    request
}

#[test]
fn every_request_is_carried_out_for_whom_the_table_says() {
    let stage = Stage::set();
    assert_eq!(
        rows(REQUESTS).iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(),
        known_requests()
    );
    let (owner, auditor) =
        (stage.operator("o@state.example", Role::Owner), stage.operator("a@state.example", Role::Auditor));
    let askers = [
        stage.sign_in(owner, Assurance::MultiFactor),
        stage.sign_in(auditor, Assurance::MultiFactor),
        stage.sign_in(owner, Assurance::SingleFactor),
    ];
    let mut wrong = Vec::new();
    for (name, marks) in rows(REQUESTS) {
        // Those who may not ask before whoever may.
        for (token, expected) in askers.iter().zip(&marks).rev() {
            let (status, answer) = stage.carry_out(token, &request(name, &stage));
            let said = answer["detail"].as_str().unwrap_or_default();
            let found = match mark(status, answer["code"].as_str().unwrap_or_default()) {
                "y" if said.contains("written to a file of the server") => "x",
                "y" if said.starts_with("it is no request") => "malformed",
                "4" => "y",
                found => found,
            };
            if found != *expected || status >= 500 {
                wrong.push(format!("{name}: expected {expected}, found {found}: {status} {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_account_of_the_one_is_known_at_the_other() {
    let stage = Stage::set();
    let email = "ada@state.example";
    let operator = stage.operator(email, Role::Owner);
    let token = stage.sign_in(operator, Assurance::MultiFactor);
    // The same person may be both, by two accounts.
    let tenant = stage.bench.join(email, stage.bench.organisation(Place::Schools), Role::Owner);
    for (method, path, name) in operations(Realm::Organisations) {
        let path = path.replace("{organisation}", "education").replace("{project}", "schools");
        let (status, _) = stage.bench.call(&token, (&method, &path), Some(&json!({})));
        let open =
            ["describe", "getJournalKey", "listIssuers", "signIn", "resetPassword", "acceptInvitation"];
        let open = open.contains(&name.as_str()) || name.contains("Issuer") || name == "exchangeCode";
        assert!(open || status == 401, "{name}: {status}");
    }
    let shown = |password: &str| json!({ "email": email, "password": password });
    let of_operator = "another password than that";
    let change = json!({ "present": PASSWORD, "next": of_operator });
    assert_eq!(stage.ask(&format!("Bearer {token}"), ("PUT", "/account/password"), Some(&change)).0, 204);
    assert_eq!(stage.ask("", ("POST", "/sign-ins"), Some(&shown(of_operator))).0, 201);
    assert_eq!(stage.ask("", ("POST", "/sign-ins"), Some(&shown(PASSWORD))).0, 401);
    assert_eq!(stage.bench.call("", ("POST", "/sign-ins"), Some(&shown(PASSWORD))).0, 201);
    assert_eq!(stage.bench.call("", ("POST", "/sign-ins"), Some(&shown(of_operator))).0, 401);

    let invitation = stage.invited("grace@state.example", Role::Owner);
    let accept = json!({ "token": invitation.expose(), "name": "Grace", "password": PASSWORD });
    assert_eq!(stage.bench.call("", ("POST", "/invitations/acceptances"), Some(&accept)).0, 401);
    assert_eq!(stage.ask("", ("POST", "/invitations/acceptances"), Some(&accept)).0, 201);
    let offer = json!({ "email": "linus@education.example", "role": "owner" });
    let invite = ("POST", "/organisations/education/invitations");
    let (_, invited) = stage.bench.call(&tenant.token, invite, Some(&offer));
    let accept = json!({ "token": invited["token"], "name": "Linus", "password": PASSWORD });
    assert_eq!(stage.ask("", ("POST", "/invitations/acceptances"), Some(&accept)).0, 401);

    let reset = json!({ "request": "operators", "operators": { "reset-sign-in": { "email": email } } });
    let chosen =
        json!({ "token": stage.done(&token, &reset)["token"], "password": "one that is chosen anew" });
    assert_eq!(stage.bench.call("", ("POST", "/password-resets"), Some(&chosen)).0, 401);
    assert_eq!(stage.ask("", ("POST", "/password-resets"), Some(&chosen)).0, 201);
    assert_eq!(stage.carry_out(&token, &reset).0, 401, "its sign-ins have ended");
}

#[test]
fn an_operator_joins_shows_two_factors_runs_the_platform_and_is_seen_doing_so() {
    let stage = Stage::set();
    let invitation = stage.invited("oscar@state.example", Role::Owner);
    let accept = json!({ "token": invitation.expose(), "name": "Oscar", "password": PASSWORD });
    assert_eq!(stage.ask("", ("POST", "/invitations/acceptances"), Some(&accept)).0, 201);
    let shown = json!({ "email": "oscar@state.example", "password": PASSWORD });
    let (_, signed_in) = stage.ask("", ("POST", "/sign-ins"), Some(&shown));
    let token = signed_in["token"].as_str().unwrap();
    let list = json!({ "request": "list-organisations" });
    let refused = stage.carry_out(token, &list).1;
    assert_eq!(refused["code"], "second-factor-needed");
    assert!(refused["detail"].as_str().unwrap().contains("nuee account second-factor"), "{refused}");

    let bearer = format!("Bearer {token}");
    let (_, device) = stage.ask(&bearer, ("POST", "/account/second-factor"), None);
    let code = json!({ "code": code_of(device["secret"].as_str().unwrap(), stage.bench.now()) });
    let (status, enrolled) = stage.ask(&bearer, ("POST", "/account/second-factor/confirmation"), Some(&code));
    assert_eq!(status, 201, "{enrolled}");
    let token = enrolled["sign_in"]["token"].as_str().unwrap();
    let (_, who) = stage.ask(&format!("Bearer {token}"), ("GET", "/sign-ins/current"), None);
    assert_eq!((&who["organisation"], &who["rights"][0]["role"]), (&Value::Null, &json!("owner")), "{who}");
    assert!(who["capabilities"].to_string().contains("nuee:CreateOrganisation"), "{who}");

    stage.done(token, &json!({ "request": "create-organisation", "name": "culture", "siren": "130025265" }));
    let owner =
        json!({ "request": "invite-owner", "organisation": "culture", "email": "malraux@culture.example" });
    stage.done(token, &owner);
    let journal = |what: &str| {
        let query = json!({ "limit": 100 });
        stage.done(token, &json!({ "request": what, "organisation": "culture", "query": query }))["leaves"]
            .to_string()
    };
    let id = format!("operator/{}", who["user"]["id"].as_str().unwrap());
    let seen = journal("list-journal");
    assert!(seen.contains("nuee:CreateOrganisation") && seen.contains(&id), "{seen}");
    let query = json!({ "limit": 100 });
    let own = stage.done(token, &json!({ "request": "list-platform-journal", "query": query })).to_string();
    for action in [
        "nuee:CreateInvitation",
        "nuee:AcceptInvitation",
        "nuee:GrantRole",
        "nuee:SignIn",
        "nuee:EnrolSecondFactor",
    ] {
        assert!(own.contains(action), "{action}: {own}");
    }
    assert!(!own.contains("oscar@"), "the journal has no addresses: {own}");
    let verified = stage.done(token, &json!({ "request": "verify", "content": true, "checkpoint": null }));
    assert_eq!((&verified["damaged"], &verified["findings"]), (&json!(0), &json!([])), "{verified}");
}

#[test]
fn an_operator_sees_that_something_was_done_and_not_to_which_object() {
    let stage = Stage::set();
    let mut client = stage.bench.server.client(Place::Schools);
    client.put("/papers", "").unwrap();
    client.put("/papers/a-name-that-says-much", "x").unwrap();
    let token = stage.sign_in(stage.operator("o@state.example", Role::Owner), Assurance::MultiFactor);
    let list = json!({
        "request": "list-journal", "organisation": "education", "query": { "action": "s3:PutObject", "limit": 10 }
    });
    let keys = |leaves: &Value| leaves["leaves"][0]["key"].clone();
    assert_eq!(keys(&stage.done(&token, &list)), "a-name-that-says-much", "nobody owns the organisation yet");
    stage.bench.join("t@education.example", stage.bench.organisation(Place::Schools), Role::Owner);
    let seen = stage.done(&token, &list);
    assert_eq!((keys(&seen), &seen["leaves"][0]["action"]), (Value::Null, &json!("s3:PutObject")), "{seen}");
    assert!(!seen.to_string().contains("says-much"), "{seen}");
    let (status, refused) = stage.carry_out(&token, &request("set-placement", &stage));
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("conflict")),
        "where objects lie is the owners' to say: {refused}"
    );
}

#[test]
fn in_a_network_operators_sign_in_inside_tls_alone() {
    let listener = |service| ListenerSettings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        zone: if service == ListenerService::Admin { Zone::Rie } else { Zone::Local },
        services: vec![service],
        device: None,
        trusted_proxies: Vec::new(),
        tls: None,
    };
    let bench = Bench::start_with(|settings| {
        settings.listeners.insert("objects".into(), listener(ListenerService::S3));
        settings.listeners.insert("watch".into(), listener(ListenerService::Admin));
    });
    let stage = Stage { bench };
    let shown = json!({ "email": "o@state.example", "password": PASSWORD });
    let (status, refused) = stage.ask("", ("POST", "/sign-ins"), Some(&shown));
    assert_eq!(status, 403, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("TLS"), "{refused}");
}

#[test]
fn what_is_no_request_is_told_so() {
    let stage = Stage::set();
    let token = stage.sign_in(stage.operator("o@state.example", Role::Owner), Assurance::MultiFactor);
    let mut bad = vec![
        json!(null),
        json!([]),
        json!(7),
        json!("status"),
        json!({}),
        json!({ "request": null }),
        json!({ "request": "none" }),
        json!({ "request": ["status"] }),
        json!({ "request": "operators", "operators": "none" }),
        json!({ "request": "operators", "operators": { "invite": { "email": "o", "role": "owner" } } }),
        json!({ "request": "operators", "operators": { "invite": { "email": "b@state.example", "role": "reader" } } }),
        json!({ "request": "operators", "operators": { "suspend": { "email": "b@state.example", "more": 1 } } }),
        json!({ "request": "list-platform-journal", "query": { "limit": 10_001 } }),
        json!({ "request": "list-platform-journal", "query": { "limit": -1 } }),
    ];
    let whole: Vec<_> = known_requests().iter().map(|name| request(name, &stage)).collect();
    for asked in whole.iter().filter(|asked| asked.as_object().unwrap().len() > 1) {
        bad.push(json!({ "request": asked["request"] }));
    }
    for asked in bad {
        let (status, answer) = stage.carry_out(&token, &asked);
        // What is optional may be left out.
        let is_whole = status == 200 && asked["request"] == "rotate-keys";
        assert!(is_whole || status == 422, "{asked}: {status} {answer}");
    }
    let address = stage.bench.server.addresses().admin;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let deep = "[".repeat(60_000);
    for body in ["", "{", "\u{0}", deep.as_str()] {
        let answer = send_at(address, "localhost", ("POST", "/requests"), &headers, Some(body));
        assert!((400..500).contains(&answer.status), "{}: {}", &body[..body.len().min(9)], answer.text());
    }
    let long = format!("{{\"request\":\"{}\"}}", "a".repeat(70_000));
    let answer = send_at(address, "localhost", ("POST", "/requests"), &headers, Some(&long));
    assert_eq!(answer.status, 413, "{}", answer.text());
}
