//! What must be exposed for each action that is asked for from a zone, and that nothing is permitted without it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use nuee_access::{
    Action, Approach, BucketRules, ConditionKey, Decider, Decision, Exposures, Extent, FactList, Observer,
    Permit, Reason, Resource,
};
use nuee_base::{
    BucketId, Context, Environment, ObjectKey, OrganisationId, Origin, Principal, ProjectId, Role,
    ServiceAccountId, Zone,
};

/// What was asked for, in words, and what is answered.
#[derive(Clone, Default)]
struct Asked {
    approaches: Arc<Mutex<Vec<(String, bool)>>>,
    denials: Arc<Mutex<Vec<Action>>>,
    is_open: bool,
}

impl Exposures for Asked {
    fn cover(&self, approach: &Approach<'_>) -> bool {
        let extent = match approach.extent {
            Extent::Project => "project".to_owned(),
            Extent::Bucket(_) => "bucket".to_owned(),
            Extent::Keys(_, prefix) => format!("keys {prefix:?}"),
            Extent::PartOf(_) => "part".to_owned(),
        };
        self.approaches.lock().unwrap().push((extent, approach.by_member));
        self.is_open
    }
}

impl Observer for Asked {
    fn decided(&self, decision: &Decision<'_>) {
        if !decision.is_allowed {
            self.denials.lock().unwrap().push(decision.action);
        }
    }
}

impl Asked {
    fn decider(&self) -> Decider {
        Decider::observed_with(self.clone(), self.clone())
    }

    /// What was asked for since the last time.
    fn take(&self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.approaches.lock().unwrap())
    }
}

fn organisation() -> OrganisationId {
    OrganisationId::from_bytes([1; 16])
}

fn project() -> Resource {
    Resource::Project { organisation: organisation(), project: ProjectId::from_bytes([2; 16]) }
}

fn bucket() -> Resource {
    let (organisation, project) = (organisation(), ProjectId::from_bytes([2; 16]));
    Resource::Bucket { organisation, project, bucket: BucketId::from_bytes([3; 16]) }
}

fn owner(of: u8) -> Principal {
    let (id, project) = (ServiceAccountId::from_bytes([4; 16]), ProjectId::from_bytes([of; 16]));
    Principal::ServiceAccount { id, organisation: organisation(), project, role: Role::Owner }
}

fn from(zone: Zone, principal: Principal) -> Context {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    Context::new(Environment::system(), principal).arriving(Origin { zone, address })
}

fn about(key: &str) -> FactList {
    FactList::of_object(key.parse::<ObjectKey>().unwrap())
}

fn listing(prefix: &str) -> FactList {
    FactList::of_bucket().with(ConditionKey::Prefix, prefix)
}

fn decide(decider: &Decider, context: &Context, action: Action, facts: &FactList) -> Result<Permit, Reason> {
    let decided = decider.decide_in_bucket(context, action, bucket(), &BucketRules::default(), facts);
    decided.map_err(|denied| denied.reason())
}

#[test]
fn each_action_asks_for_what_it_reaches() {
    let asked = Asked { is_open: true, ..Asked::default() };
    let (decider, context) = (asked.decider(), from(Zone::Internet, owner(2)));
    for (action, facts, extent) in [
        (Action::GetObject, about("a/b"), "keys \"a/b\""),
        (Action::PutObject, about("a/b"), "keys \"a/b\""),
        (Action::ListParts, about("a/b"), "keys \"a/b\""),
        (Action::DeleteObjectVersion, about("a/b"), "keys \"a/b\""),
        (Action::BypassGovernanceRetention, about("a/b"), "keys \"a/b\""),
        (Action::ListObjects, listing("a/"), "keys \"a/\""),
        (Action::ListVersions, listing("a/"), "keys \"a/\""),
        (Action::ListUploads, listing("a/"), "keys \"a/\""),
        (Action::ListObjects, FactList::of_bucket(), "keys \"\""),
        (Action::GetBucketPolicy, listing("a/"), "bucket"),
        (Action::PutBucketCors, FactList::of_bucket(), "bucket"),
        (Action::DeleteBucket, about("a/b"), "bucket"),
        (Action::GetBucket, FactList::of_bucket(), "bucket"),
    ] {
        assert!(decide(&decider, &context, action, &facts).is_ok(), "{action}");
        assert_eq!(asked.take(), [(extent.to_owned(), true)], "{action}");
    }
    for action in [Action::ListBuckets, Action::CreateBucket] {
        let name = "papers".parse().unwrap();
        let decided =
            decider.decide_in_project(&context, action, project(), Some(&name), &FactList::of_bucket());
        assert!(decided.is_ok());
        assert_eq!(asked.take(), [("project".to_owned(), true)], "{action}");
    }
    assert!(decider.decide(&context, Action::AssumeRole, project()).is_ok());
    assert_eq!(asked.take(), [("project".to_owned(), true)]);
    assert!(decider.decide_session(&from(Zone::Rie, Principal::Anonymous), project()).is_ok());
    assert_eq!(asked.take(), [("project".to_owned(), true)]);
    let _ = decide(&decider, &from(Zone::Rie, Principal::Anonymous), Action::GetObject, &about("a"));
    let _ = decide(&decider, &from(Zone::Rie, owner(9)), Action::GetObject, &about("a"));
    assert_eq!(asked.take(), [("keys \"a\"".to_owned(), false), ("keys \"a\"".to_owned(), false)]);
}

/// Whatever is permitted otherwise and remembered as such, for every action and every resource.
#[test]
fn nothing_is_permitted_from_a_zone_without_an_exposure() {
    let asked = Asked::default();
    let everybody = [owner(2), owner(9), Principal::Anonymous, Principal::Operator];
    for (decider, observed) in [(asked.decider(), true), (Decider::shipped(), false)] {
        for (zone, principal) in [Zone::Rie, Zone::Internet]
            .into_iter()
            .flat_map(|zone| everybody.clone().into_iter().map(move |principal| (zone, principal)))
        {
            let (here, there) =
                (Context::new(Environment::system(), principal.clone()), from(zone, principal));
            for action in Action::ALL.iter().copied().filter(|action| !is_administrative(*action)) {
                let organisation = Resource::Organisation(organisation());
                for resource in [Resource::Platform, organisation, project(), bucket()] {
                    let _ = decider.decide(&here, action, resource);
                    asked.denials.lock().unwrap().clear();
                    let denied = decider.decide(&there, action, resource).unwrap_err();
                    assert_eq!(denied.reason(), Reason::NotExposed);
                    assert_eq!(*asked.denials.lock().unwrap(), if observed { vec![action] } else { vec![] });
                    assert_eq!(decider.explain(&there, action, resource).denied, Some(Reason::NotExposed));
                }
                let reason = decide(&decider, &there, action, &about("a")).unwrap_err();
                assert_eq!(reason, Reason::NotExposed);
                let facts = FactList::of_bucket();
                let denied = decider.decide_in_project(&there, action, project(), None, &facts);
                assert_eq!(denied.unwrap_err().reason(), Reason::NotExposed);
            }
            assert_eq!(decider.decide_session(&there, project()).unwrap_err().reason(), Reason::NotExposed);
        }
    }
}

fn is_administrative(action: Action) -> bool {
    action.as_str().starts_with("nuee:")
}

/// It is no use of data, and is reached where a listener offers it.
#[test]
fn administration_needs_no_exposure_and_is_decided_about_as_everywhere() {
    let asked = Asked::default();
    let decider = asked.decider();
    let mut allowed = 0;
    for principal in [owner(2), owner(9), Principal::Anonymous, Principal::Operator] {
        let here = Context::new(Environment::system(), principal.clone());
        let there = from(Zone::Internet, principal);
        for action in Action::ALL.iter().copied().filter(|action| is_administrative(*action)) {
            for resource in [Resource::Platform, Resource::Organisation(organisation()), project(), bucket()]
            {
                let verdicts = [&here, &there].map(|context| {
                    decider.decide(context, action, resource).map(drop).map_err(|denied| denied.reason())
                });
                assert_eq!(verdicts[0], verdicts[1], "{action} on {resource}");
                allowed += usize::from(verdicts[1].is_ok());
            }
        }
    }
    assert!(allowed > 20, "{allowed}");
    assert_eq!(asked.take(), []);
}

/// An exposure opens a way, and permits nothing.
#[test]
fn what_is_exposed_is_decided_about_as_everywhere() {
    let decider = Asked { is_open: true, ..Asked::default() }.decider();
    for (principal, action) in [
        (owner(2), Action::GetObject),
        (owner(9), Action::GetObject),
        (Principal::Anonymous, Action::GetObject),
        (Principal::Operator, Action::GetObject),
    ] {
        let here = Context::new(Environment::system(), principal.clone());
        let local = decide(&decider, &here, action, &about("a")).map(drop);
        let there = decide(&decider, &from(Zone::Internet, principal), action, &about("a")).map(drop);
        assert_eq!(local, there);
    }
}

#[test]
fn a_request_from_the_machine_itself_needs_no_exposure() {
    let asked = Asked::default();
    let decider = asked.decider();
    assert!(decide(&decider, &from(Zone::Local, owner(2)), Action::GetObject, &about("a")).is_ok());
    assert!(decider.decide_session(&from(Zone::Local, Principal::Anonymous), project()).is_ok());
    assert_eq!(asked.take(), []);
}

#[test]
fn whoever_is_of_the_project_is_told_what_is_missing_and_nobody_else() {
    let decider = Decider::shipped();
    let said = |principal: Principal| {
        let context = from(Zone::Internet, principal.clone());
        decider.decide(&context, Action::GetObject, bucket()).unwrap_err().to_string()
    };
    assert!(said(owner(2)).contains("nuee exposure create"), "{}", said(owner(2)));
    for stranger in [owner(9), Principal::Anonymous] {
        let here = Context::new(Environment::system(), stranger.clone());
        let usual = decider.decide(&here, Action::GetObject, bucket()).unwrap_err().to_string();
        assert_eq!(said(stranger), usual);
    }
}
