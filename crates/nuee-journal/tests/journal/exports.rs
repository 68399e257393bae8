//! Exports: whole, and nothing else. Whatever is changed in one is found with the public key alone.

use nuee_base::{Environment, Timestamp};
use nuee_journal::{
    Error, ExportRange, Filter, Note, Signature, SignatureKind, VerifiedExport, VerifierKey, verify_export,
};
use nuee_keys::SigningKey;
use nuee_metadata::Transaction;
use sha2::{Digest, Sha256};

use crate::support::{ORIGIN, Platform};

async fn export(platform: &Platform) -> Vec<u8> {
    platform.journal.sequence().await.unwrap();
    export_between(platform, None, None)
}

fn export_between(platform: &Platform, since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<u8> {
    let range = ExportRange { organisation: platform.organisations[0], since, until };
    let mut text = Vec::new();
    platform.journal.export(range, &[], &mut text).unwrap();
    text
}

fn verify(platform: &Platform, text: &[u8]) -> Result<VerifiedExport, String> {
    let key = platform.journal.verifier_key().unwrap();
    verify_export(text, &key, &[]).map_err(|error| error.to_string())
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Leaves of both forms, some of them erased.
async fn furnish() -> Platform {
    let platform = Platform::new();
    for key in ["a", "b"] {
        platform.append_form_1(key).await;
    }
    platform.append(30).await;
    let erase = |transaction: &Transaction<'_>| {
        transaction.erase_body(5)?;
        transaction.erase_body(6)
    };
    platform.metadata.write(erase).await.unwrap();
    platform
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_leaves_of_its_organisation_and_verifies() {
    let platform = furnish().await;
    let text = export(&platform).await;
    let verified = verify(&platform, &text).unwrap();
    assert_eq!((verified.leaves, verified.erased, verified.checkpoint.size), (26, 2, 32));
    assert_eq!(verified.ends.map(|ends| ends.map(|(leaf, _)| leaf)), Some([1, 31]));
    let said = String::from_utf8(text).unwrap();
    assert_eq!(said.lines().count(), 28);
    assert!(said.contains("\"key\":\"key-0\"") && !said.contains("\"key\":\"key-4\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_an_export_is_found() {
    let platform = furnish().await;
    let text = export(&platform).await;
    let all = lines(&text);
    let mut changed = Vec::<Vec<u8>>::new();
    for at in (0..text.len()).step_by(7) {
        let mut flipped = text.clone();
        flipped[at] ^= 1 << (at % 7);
        changed.push(flipped);
    }
    // The last line is signed by nobody but itself: each byte of it.
    for at in text.len() - all[all.len() - 1].len()..text.len() {
        for other in [b' ', b'A', text[at] ^ 1] {
            let mut edited = text.clone();
            edited[at] = other;
            changed.push(edited);
        }
        let (before, after) = text.split_at(at);
        changed.push([before, b" ", after].concat());
        changed.push(before.to_vec());
    }
    changed.extend((0..text.len()).step_by(11).map(|length| text[..length].to_vec()));
    for place in 0..all.len() {
        let (before, after) = (&all[..place], &all[place + 1..]);
        changed.push([before, after].concat().concat());
        changed.push([before, &[all[place].clone(), all[place].clone()], after].concat().concat());
        changed.push(all[..place].concat());
        changed.extend((0..all.len()).map(|other| {
            let mut moved = all.clone();
            let line = moved.remove(place);
            moved.insert(other, line);
            moved.concat()
        }));
        changed.extend((0..all.len()).map(|other| {
            let mut replaced = all.clone();
            replaced[place].clone_from(&all[other]);
            replaced.concat()
        }));
    }
    changed.push([&text[..], &all[1]].concat());
    changed.push([&text[..], b"\n"].concat());
    changed.retain(|changed| *changed != text);
    let missed = changed.iter().filter(|changed| verify(&platform, changed).is_ok()).count();
    println!("{} changes of an export, {missed} missed", changed.len());
    assert!(changed.len() >= 1_000);
    assert_eq!(missed, 0);
    assert!(verify(&platform, &text).is_ok());
}

/// Seals lines as the platform would.
fn seal(platform: &Platform, lines: &[Vec<u8>]) -> Vec<u8> {
    let key = platform.keys.signing_key().unwrap();
    let leaves = lines.len() - 1;
    let (text, organisation) = (lines.concat(), platform.organisations[0]);
    let digest = data_encoding(&Sha256::digest(&text));
    let said = format!("nuee journal export\n{ORIGIN}\n{organisation}\n{leaves}\n{digest}\n");
    let signatures = vec![Signature::of_note(&said, ORIGIN, &key)];
    let note = Note { text: said, signatures }.to_string();
    let end = format!("{{\"leaves\":{leaves},\"seal\":{}}}\n", serde_json::to_string(&note).unwrap());
    [text, end.into_bytes()].concat()
}

fn data_encoding(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_itself_changes_is_not_in_the_tree() {
    let platform = furnish().await;
    let all = lines(&export(&platform).await);
    let all = &all[..all.len() - 1];
    assert!(verify(&platform, &seal(&platform, all)).is_ok());
    let edit = |place: usize, from: &str, to: &str| {
        let mut edited = all.to_vec();
        let line = String::from_utf8(edited[place].clone()).unwrap();
        assert!(line.contains(from), "{line}");
        edited[place] = line.replacen(from, to, 1).into_bytes();
        verify(&platform, &seal(&platform, &edited)).unwrap_err()
    };
    for (place, from, to, said) in [
        (1, "operator", "nobody", "not in the tree"),
        (8, "operator", "nobody", "committed"),
        (8, "\"at\":\"2", "\"at\":\"3", "not in the tree"),
        (8, "\"leaf\":", "\"leaf\":1", "not in the tree"),
        (8, "\"previous\":", "\"previous\":1", "the leaf before it"),
    ] {
        let found = edit(place, from, to);
        assert!(found.contains(said), "{from}: {found}");
    }
    let mut without = all.to_vec();
    without.remove(9);
    let found = verify(&platform, &seal(&platform, &without)).unwrap_err();
    assert!(found.contains("the leaf before it"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_one_platform_and_names_its_witnesses() {
    let platform = furnish().await;
    let text = export(&platform).await;
    let other = SigningKey::from_seed(&[9; 32]).unwrap().public();
    let another = VerifierKey::new(ORIGIN.into(), SignatureKind::Note, other);
    assert!(verify_export(&text[..], &another, &[]).is_err());
    let witness = VerifierKey::new("witness".into(), SignatureKind::Cosignature, other);
    let key = platform.journal.verifier_key().unwrap();
    let verified = verify_export(&text[..], &key, &[witness]).unwrap();
    assert_eq!(verified.witnesses, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_time_has_all_that_is_between_its_ends() {
    let platform = furnish().await;
    platform.journal.sequence().await.unwrap();
    let new = Environment::system().now().saturating_sub(std::time::Duration::from_hours(1));
    let old = verify(&platform, &export_between(&platform, None, Some(new))).unwrap();
    assert_eq!((old.leaves, old.ends.map(|ends| ends[1].0)), (2, Some(2)));
    let new = verify(&platform, &export_between(&platform, Some(new), None)).unwrap();
    assert_eq!((new.leaves, new.ends.map(|ends| ends[0].0)), (24, Some(3)));
    let none = Timestamp::from_micros(0);
    let none = verify(&platform, &export_between(&platform, None, Some(none))).unwrap();
    assert_eq!((none.leaves, none.ends), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_are_listed_from_the_last_one_back() {
    let platform = furnish().await;
    let list = |filter: &Filter, limit| {
        let listed = platform.journal.list(platform.organisations[0], filter, limit).unwrap();
        listed.iter().map(|leaf| leaf.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&Filter::default(), 3), [31, 30, 29]);
    assert_eq!(list(&Filter { before: Some(7), ..Filter::default() }, 100), [6, 5, 4, 3, 2, 1]);
    let action = |action: &str| Filter { action: Some(action.into()), ..Filter::default() };
    assert_eq!(list(&Filter { before: Some(7), ..action("s3:*") }, 100), [4, 3, 2, 1], "5 and 6 are erased");
    assert_eq!(list(&action("nuee:*"), 100), Vec::<i64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_erased_leaves_the_tree_as_it_is() {
    let platform = furnish().await;
    let found = platform.findings();
    assert_eq!(found.len(), 2, "bodies went that nobody said may go: {found:?}");
    let may_go = |transaction: &Transaction<'_>| {
        transaction.set_platform_value("journal-erased-before", &i64::MAX.to_be_bytes())?;
        Ok::<_, Error>(())
    };
    platform.metadata.write(may_go).await.unwrap();
    assert_eq!(platform.findings(), Vec::<String>::new());
}
