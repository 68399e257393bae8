//! Rotation of a project's key.

use std::{collections::BTreeMap, fs, path::Path};

use nuee_access::{Action, Resource};
use nuee_store::{Described, Details};

use crate::platform::{Platform, body, content, key};

/// Every file below a directory, with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_rewraps_rows_and_leaves_blobs_alone() {
    let platform = Platform::new().await;
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    for n in 0..300 {
        let details = Details { metadata: vec![("n".into(), n.to_string())], ..Details::default() };
        let written = (body(&content(100, n), 100), Described { details, ..Described::default() });
        let target = (&platform.home, key(&n.to_string()));
        let put =
            platform.store.put_object(&owner, &permit, target, written, nuee_store::Conditions::default());
        put.await.unwrap();
    }
    platform.put(&platform.home, "large", &content(3 << 20, 1)).await;
    platform.upload(&platform.home, "parts", &[content(200_000, 3), content(100, 4)]).await;
    let upload = platform.begin_upload(&platform.home, "under way", &content(200_000, 5)).await;
    platform.put(&platform.next_door, "other", &content(100, 2)).await;
    let site = platform.directory.path().join("data/site");
    let before = files(&site);

    let resource =
        Resource::Project { organisation: platform.home.organisation, project: platform.home.project };
    let rotate = platform.decider.decide(&owner, Action::RotateKey, resource).unwrap();
    assert_eq!(platform.store.rotate_project_key(&owner, &rotate).await.unwrap().rewrapped, 304);
    assert!(files(&site) == before, "no blob was touched");

    // The older version wraps nothing any more: without it everything can still be read.
    let project = platform.home.project;
    platform.metadata.write(move |transaction| transaction.delete_project_key(project, 1)).await.unwrap();
    for n in 0..300 {
        assert!(platform.get(&platform.home, &n.to_string()).await.unwrap() == content(100, n));
    }
    assert!(platform.get(&platform.home, "parts").await.unwrap().len() == 200_100);
    platform.complete(&upload).await;
    assert!(platform.get(&platform.home, "under way").await.unwrap() == content(200_000, 5));
    let read = platform.permit(&platform.home, Action::GetObject);
    let object = platform.store.object(&read, &platform.home, &key("17")).unwrap();
    assert_eq!(object.details.metadata, [("n".to_owned(), "17".to_owned())]);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_keeps_no_other_from_its_new_key() {
    let platform = Platform::new().await;
    for name in ["a", "b", "c"] {
        platform.put(&platform.home, name, &content(100, 1)).await;
    }
    platform.damage("UPDATE versions SET mac = zeroblob(32) WHERE key = x'61'");
    let owner = platform.owner(&platform.home);
    let resource =
        Resource::Project { organisation: platform.home.organisation, project: platform.home.project };
    let rotate = platform.decider.decide(&owner, Action::RotateKey, resource).unwrap();
    let done = platform.store.rotate_project_key(&owner, &rotate).await.unwrap();
    assert_eq!(done, nuee_store::Rotation { rewrapped: 2, damaged: 1 });
}
