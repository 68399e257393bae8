//! Zones: what is reached from which network. The State's network and the internet are namespaces of their own, each with
//! its own cable to the server; whoever asks is in one of them.

mod attempts;
mod bench;
mod networks;
mod operations;

use http::Method;
use nuee_base::Zone;
use nuee_tenancy::Audience;
use nuee_testkit::{Answer, Place, Wire, signer::Draft};

use attempts::{parts, reads, sts, writes};
use bench::Bench;
use networks::{INTERNET, INTERNET_CLIENT, RIE, RIE_CLIENT};

const BOTH: [(Zone, Zone); 2] = [(Zone::Rie, Zone::Internet), (Zone::Internet, Zone::Rie)];
/// What stands in what is stored, and in no answer to who may not see it.
const SECRETS: [&str; 6] = ["what is", "a note", "an exam", "secret/", "public/", "<Name>"];

fn get(path: &str) -> Draft {
    Draft::new(Method::GET, path)
}

/// Complains of an answer that tells or does anything.
fn assert_nothing(what: &str, answer: &Answer) {
    let text = answer.text();
    let tells = SECRETS.iter().any(|secret| text.contains(secret));
    let sends = answer.header("location").is_some() || answer.header("etag").is_some();
    assert!(
        answer.status == 403 && !tells && !sends,
        "{what}: {} {:?} {text}",
        answer.status,
        answer.headers
    );
}

fn upload(bench: &Bench) -> String {
    let listed = bench.ask(Zone::Local, &bench.signed(get("/papers").query("uploads", ""), Place::Schools));
    listed.elements("UploadId").pop().unwrap()
}

#[test]
fn what_is_exposed_nowhere_is_reached_from_nowhere() {
    let bench = Bench::start();
    let before = bench.all_that_is_there();
    for zone in [Zone::Rie, Zone::Internet] {
        for attempt in reads(&bench).into_iter().chain(writes(&bench)).chain(parts(&bench, &upload(&bench))) {
            assert_nothing(&format!("{} from {zone}", attempt.name), &attempt.make(&bench, zone));
        }
    }
    assert_eq!(bench.all_that_is_there(), before);
    let said = bench.denials();
    for action in ["denied s3:GetObject", "denied s3:ListAllMyBuckets", "denied sts:AssumeRole"] {
        let counted = said.iter().find(|(known, _)| known == action);
        assert!(counted.is_some_and(|(_, detail)| detail.contains("not exposed")), "{action}: {said:?}");
    }
}

#[test]
fn what_is_exposed_to_one_zone_is_reached_from_there_alone() {
    for (open, closed) in BOTH {
        let bench = Bench::start();
        bench.set_ceiling(Zone::Internet);
        bench.expose(open, None, Audience::Credentials);
        let attempts = reads(&bench).into_iter().chain(parts(&bench, &upload(&bench))).chain(writes(&bench));
        for attempt in attempts.collect::<Vec<_>>() {
            let before = bench.all_that_is_there();
            assert_nothing(&format!("{} from {closed}", attempt.name), &attempt.make(&bench, closed));
            assert_eq!(bench.all_that_is_there(), before, "{}", attempt.name);
            let answer = attempt.make(&bench, open);
            assert_eq!(answer.status, attempt.status, "{} from {open}: {}", attempt.name, answer.text());
        }
    }
}

#[test]
fn a_presigned_request_and_a_session_do_not_leave_the_zone_that_they_are_of() {
    let bench = Bench::start();
    bench.expose(Zone::Rie, None, Audience::Anyone);
    let assume = [("Action", "AssumeRole"), ("RoleArn", bench.role.as_str()), ("RoleSessionName", "a-test")];
    let begun = bench.ask(Zone::Rie, &sts(&bench, &assume));
    assert_eq!(begun.status, 200, "{}", begun.text());
    let one = |name: &str| begun.elements(name).remove(0);
    let signer = nuee_testkit::signer::Signer::new(&one("AccessKeyId"), &one("SecretAccessKey"));
    let with_token = get("/papers/secret/b").header("x-amz-security-token", &one("SessionToken"));
    for (name, draft) in [
        ("a temporary key", signer.header(with_token.clone())),
        ("presigned by one", signer.presign(with_token)),
    ] {
        let answer = bench.ask(Zone::Rie, &draft);
        assert_eq!((answer.status, answer.text().as_str()), (200, "what is closed"), "{name}");
        assert_nothing(name, &bench.ask(Zone::Internet, &draft));
    }
}

#[test]
fn of_a_bucket_that_is_exposed_by_prefix_nothing_else_is_reached() {
    for (open, closed) in BOTH {
        let bench = Bench::start();
        bench.set_ceiling(Zone::Internet);
        bench.expose(open, Some(("papers", Some("public/"))), Audience::Anyone);
        let list = |prefix: &str| get("/papers").query("list-type", "2").query("prefix", prefix);
        let copy = |from: &str| Draft::put("/papers/public/copy", "").header("x-amz-copy-source", from);
        let uploads = get("/papers").query("uploads", "").query("prefix", "public/");
        let within = [
            ("an object", get("/papers/public/a"), 200),
            ("a range", get("/papers/public/a").header("range", "bytes=0-3"), 206),
            ("none", get("/papers/public/none"), 404),
            // A key is no path.
            ("what is no way up", get("/papers/public/../closed"), 404),
            ("a listing", list("public/"), 200),
            ("a shorter one", list("public/a"), 200),
            ("versions", get("/papers").query("versions", "").query("prefix", "public/"), 200),
            ("uploads", uploads, 200),
            ("a copy", copy("/papers/public/a"), 200),
        ];
        let delete = "<Delete><Object><Key>secret/b</Key></Object></Delete>";
        let beyond = [
            ("an object", get("/papers/secret/b")),
            ("a range", get("/papers/secret/b").header("range", "bytes=0-3")),
            ("none", get("/papers/secret/none")),
            ("what begins almost so", get("/papers/publi")),
            ("everything", get("/papers")),
            ("everything, v2", list("")),
            ("what begins almost so, listed", list("public")),
            ("secrets", list("secret/")),
            ("after", get("/papers").query("list-type", "2").query("start-after", "public/")),
            ("by delimiter", get("/papers").query("delimiter", "/")),
            ("all versions", get("/papers").query("versions", "")),
            ("all uploads", get("/papers").query("uploads", "")),
            ("a copy of a secret", copy("/papers/secret/b")),
            ("a copy of another bucket's", copy("/notes/n")),
            (
                "a copy into it",
                Draft::put("/papers/copy", "").header("x-amz-copy-source", "/papers/public/a"),
            ),
            ("the bucket", Draft::new(Method::GET, "/papers").query("location", "")),
            ("its policy", get("/papers").query("policy", "")),
            ("its rules", get("/papers").query("cors", "")),
            ("no bucket", Draft::new(Method::DELETE, "/papers")),
            ("deletions", Draft::with_body(Method::POST, "/papers", delete).query("delete", "")),
            ("buckets", get("/")),
            ("a bucket more", Draft::put("/another", "")),
            ("another bucket", get("/notes/n")),
            ("another project's", get("/exams/x")),
        ];
        for (name, draft, status) in within {
            for (who, draft) in [("owner", bench.signed(draft.clone(), Place::Schools)), ("anyone", draft)] {
                let answer = bench.ask(open, &draft);
                assert_eq!(answer.status, status, "{name} by {who} from {open}: {}", answer.text());
                let text = answer.text();
                assert!(!text.contains("secret") && !text.contains("closed"), "{name}: {text}");
                assert_nothing(&format!("{name} by {who} from {closed}"), &bench.ask(closed, &draft));
            }
        }
        let before = bench.all_that_is_there();
        for (name, draft) in beyond {
            for (who, draft) in [("owner", bench.signed(draft.clone(), Place::Schools)), ("anyone", draft)] {
                for zone in [open, closed] {
                    assert_nothing(&format!("{name} by {who} from {zone}"), &bench.ask(zone, &draft));
                }
            }
        }
        assert_eq!(bench.all_that_is_there(), before);
    }
}

/// Of many deletions at once, each is decided about.
#[test]
fn deletions_at_once_are_exposed_one_by_one() {
    let bench = Bench::start();
    bench.expose(Zone::Rie, Some(("papers", Some("public/"))), Audience::Credentials);
    let two = "<Delete><Object><Key>public/a</Key></Object><Object><Key>secret/b</Key></Object></Delete>";
    let draft = Draft::with_body(Method::POST, "/papers", two).query("delete", "");
    let answer = bench.ask(Zone::Rie, &bench.signed(draft, Place::Schools));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (answer.elements("Key"), answer.elements("Code")),
        (vec!["public/a".into(), "secret/b".into()], vec!["AccessDenied".into()])
    );
    let kept = bench.ask(Zone::Local, &bench.signed(get("/papers/secret/b"), Place::Schools));
    assert_eq!(kept.text(), "what is closed");
}

/// Who may come, from which networks, and until when, of an exposure to each zone.
#[test]
fn an_exposure_is_for_whom_from_where_and_until_when_it_says() {
    for (zone, client, other) in
        [(Zone::Rie, RIE_CLIENT, "10.1.0.3"), (Zone::Internet, INTERNET_CLIENT, "198.51.100.0/24")]
    {
        let bench = Bench::start();
        bench.set_ceiling(Zone::Internet);
        let what = Some(("papers", None));
        let owner = || bench.ask(zone, &bench.signed(get("/papers/secret/b"), Place::Schools)).status;
        let neighbour = || bench.ask(zone, &bench.signed(get("/papers/secret/b"), Place::Exams)).status;
        let anyone = || bench.ask(zone, &get("/papers/secret/b")).status;
        let all = || (owner(), neighbour(), anyone());
        let id = bench.expose(zone, what, Audience::Credentials);
        assert_eq!(all(), (200, 403, 403), "for those of the project");
        bench.hide(id);
        assert_eq!(all(), (403, 403, 403), "hidden");
        let id = bench.expose(zone, what, Audience::Anyone);
        assert_eq!(all(), (200, 200, 200), "for anyone");
        bench.hide(id);
        bench.expose_to(zone, what, Audience::Anyone, &[other]);
        assert_eq!(all(), (403, 403, 403), "for another network");
        let id = bench.expose_to(zone, what, Audience::Anyone, &[other, client]);
        assert_eq!(all(), (200, 200, 200), "for this address");
        bench.hide(id);
        bench.expose(zone, what, Audience::Anyone);
        bench.clock.pass(3_590);
        assert_eq!(all(), (200, 200, 200), "before its end");
        bench.clock.pass(20);
        assert_eq!(all(), (403, 403, 403), "after its end");
        assert_eq!(bench.damaged(), []);
    }
}

#[test]
fn a_ceiling_bounds_what_is_exposed_already() {
    let mut bench = Bench::start();
    let (platform, project) = (bench.server().platform().clone(), bench.server().project(Place::Schools));
    let context = platform.operator();
    let action = nuee_access::Action::CreateExposure;
    let permit = platform.decider().decide(&context, action, project.resource()).unwrap();
    let terms = nuee_tenancy::ExposureTerms {
        bucket: None,
        zone: Zone::Internet,
        audience: Audience::Credentials,
        expires_at: context.now().saturating_add(std::time::Duration::from_hours(1)),
        networks: Vec::new(),
    };
    let refused = bench.runtime.block_on(platform.tenancy().create_exposure(&context, &permit, terms));
    assert!(refused.unwrap_err().to_string().contains("nuee project ceiling"), "that of a new project");
    drop(platform);
    let draft = bench.signed(get("/papers/secret/b"), Place::Schools);
    let seen = |bench: &Bench| [Zone::Rie, Zone::Internet].map(|zone| bench.ask(zone, &draft).status);
    bench.set_ceiling(Zone::Internet);
    bench.expose(Zone::Internet, None, Audience::Credentials);
    bench.expose(Zone::Rie, None, Audience::Credentials);
    assert_eq!(seen(&bench), [200, 200]);
    bench.set_ceiling(Zone::Rie);
    assert_eq!(seen(&bench), [200, 403]);
    assert_eq!(bench.damaged(), []);
    bench.restart(|_| {});
    assert_eq!(seen(&bench), [200, 403], "after a restart");
    bench.set_ceiling(Zone::Internet);
    assert_eq!(seen(&bench), [200, 200]);
    assert_eq!(bench.damaged(), []);
}

/// A header is believed of a trusted proxy alone, and of what it says only whose request it is.
#[test]
fn whose_request_it_is_a_trusted_proxy_says_and_nobody_else() {
    let bench = Bench::start();
    bench.set_ceiling(Zone::Internet);
    bench.expose_to(Zone::Internet, Some(("papers", None)), Audience::Anyone, &["192.0.2.0/24"]);
    let with = |value: &str| get("/papers/public/a").header("x-forwarded-for", value);
    let at = |listener: &str, value: &str| bench.ask_at(Zone::Internet, listener, &with(value)).status;
    assert_eq!(at("internet", "192.0.2.7"), 403, "of somebody who is not trusted");
    assert_eq!(at("proxied", "192.0.2.7"), 200);
    assert_eq!(at("proxied", "192.0.2.7, 198.51.100.1"), 403, "the proxy wrote the last one");
    assert_eq!(at("proxied", "198.51.100.1, 192.0.2.7"), 200);
    assert_eq!(at("proxied", ""), 403);
    let forwarded = get("/papers/public/a").header("forwarded", "for=192.0.2.7");
    assert_eq!(bench.ask_at(Zone::Internet, "proxied", &forwarded).status, 403, "another header");
    bench.expose(Zone::Rie, None, Audience::Anyone);
    for value in ["10.1.0.2", "127.0.0.1", RIE] {
        let secret = bench.signed(get("/notes/n").header("x-forwarded-for", value), Place::Schools);
        assert_nothing(value, &bench.ask_at(Zone::Internet, "proxied", &secret));
    }
}

/// The address says the zone, and the cable that requests come by too, where the settings name one.
#[test]
fn a_listener_of_a_device_is_not_reached_by_another() {
    let bench = Bench::start();
    bench.networks.route(Zone::Internet, RIE, INTERNET);
    bench.expose(Zone::Rie, None, Audience::Credentials);
    let draft = bench.signed(get("/papers/secret/b"), Place::Schools);
    assert_eq!(bench.ask(Zone::Rie, &draft).status, 200);
    let of_device = bench.listener("rie");
    let connected = bench.networks.within(Zone::Internet, || Wire::open(of_device).is_ok());
    assert!(!connected, "the internet reaches a listener of the other network");
    // Without a device, a host accepts what is sent to any of its addresses by any cable.
    let anywhere = bench.listener("routed");
    let connected = bench.networks.within(Zone::Internet, || Wire::open(anywhere).is_ok());
    assert!(connected, "the network of this test has no such way: the assertion before shows nothing");
}

/// What an answer says, without what it is about and its number.
fn said(answer: &Answer, name: &str) -> (u16, String, Vec<String>) {
    let text = answer.text().replace(name, "NAME");
    let text = text.split("<RequestId>").next().unwrap().to_owned();
    let names = answer.headers.iter().map(|(name, _)| name.clone()).collect();
    (answer.status, text, names)
}

#[test]
fn whether_something_is_there_that_is_not_exposed_is_told_to_nobody_else() {
    let bench = Bench::start();
    bench.set_ceiling(Zone::Internet);
    let requests: [fn(&str) -> Draft; 9] = [
        |bucket| get(&format!("/{bucket}")),
        |bucket| get(&format!("/{bucket}/secret/b")),
        |bucket| get(&format!("/{bucket}/secret/b")).header("range", "bytes=0-1,2-3"),
        |bucket| get(&format!("/{bucket}")).query("policy", ""),
        |bucket| Draft::put(&format!("/{bucket}/a"), "a"),
        |bucket| Draft::new(Method::DELETE, &format!("/{bucket}")),
        |bucket| get(&format!("/{bucket}/{}", "k".repeat(1_025))),
        |bucket| {
            let document = "<Delete><Object><Key>a</Key></Object></Delete>";
            Draft::with_body(Method::POST, &format!("/{bucket}"), document).query("delete", "")
        },
        |bucket| {
            let preflight = Draft::new(Method::OPTIONS, &format!("/{bucket}/a"));
            let preflight = preflight.header("origin", "https://a.example");
            preflight.header("access-control-request-method", "GET")
        },
    ];
    let compare = |sign: &dyn Fn(Draft) -> Draft, who: &str| {
        for (number, request) in requests.iter().enumerate() {
            let there = bench.ask(Zone::Internet, &sign(request("papers")));
            let absent = bench.ask(Zone::Internet, &sign(request("nowhere")));
            assert_eq!(said(&there, "papers"), said(&absent, "nowhere"), "request {number} of {who}");
        }
        let form = |bucket: &str| nuee_testkit::form::Form::new(&format!("/{bucket}"), "a", "a").unsigned();
        let [there, absent] = ["papers", "nowhere"].map(|bucket| bench.ask(Zone::Internet, &form(bucket)));
        assert_eq!(said(&there, "papers"), said(&absent, "nowhere"), "a form");
    };
    compare(&|draft| draft, "anyone");
    compare(&|draft| bench.signed(draft, Place::Exams), "another project");
}

/// A row that somebody changed in the database exposes nothing, and is found; so is one that is gone.
#[test]
fn a_row_that_is_not_what_was_written_exposes_nothing() {
    let mut bench = Bench::start();
    let draft = bench.signed(get("/papers/secret/b"), Place::Schools);
    bench.expose_to(Zone::Rie, None, Audience::Credentials, &["10.9.0.2"]);
    assert_eq!(bench.ask(Zone::Rie, &draft).status, 403, "another network");
    bench.restart(|file| {
        let rows = rusqlite::Connection::open(file).unwrap();
        let change = "UPDATE exposures SET record = CAST(replace(record, '10.9.0.2', '10.1.0.2') AS BLOB)
            WHERE instr(record, CAST('10.9.0.2' AS BLOB)) > 0";
        assert_eq!(rows.execute(change, ()).unwrap(), 1);
    });
    assert_eq!(bench.ask(Zone::Rie, &draft).status, 403, "a row that was changed");
    let found = |bench: &Bench| bench.damaged().iter().any(|(what, _)| what.starts_with("exposure/"));
    assert!(found(&bench), "changed");
    bench.restart(|file| {
        rusqlite::Connection::open(file).unwrap().execute("DELETE FROM exposures", ()).unwrap();
    });
    assert!(found(&bench), "gone");
}
