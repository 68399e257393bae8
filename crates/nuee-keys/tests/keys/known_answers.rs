//! The bytes of each format, fixed. A change here is a change of format: it needs a new form byte, a reader of the old
//! form, and new answers beside these. It is never mended by new answers alone.

use nuee_base::Secret;
use nuee_keys::{RowBuilder, Sealer, WrappedDataKey, backup};

use crate::support::{Platform, environment, identity, organisation, project};

fn assert_bytes(what: &str, bytes: &[u8], expected: &str) {
    assert_eq!(hex::encode(bytes), expected, "the format of {what} changed");
}

#[test]
fn a_blob_and_its_wrapped_key() {
    let platform = Platform::new(environment(1));
    let key = platform.project_key(1, 1, 7);
    let (data_key, wrapped) = key.fresh_data_key(&environment(2), identity(1, 1)).unwrap();
    let sealed = Sealer::new(data_key).seal_whole(b"fifteen letters").unwrap();
    assert_bytes(
        "a blob",
        &sealed,
        "6e756565626c6f62010110004fc446b53f17fb2958bc3cb37bc7b2b3b9f24f7bae4a6586bd34d3aef603e5836f213cdc\
        abb481f3a30051a6baf6ea2fbdf6c0934c3f5ff53b0eb1ff57e4b345f9ab1722e067886471253fe390a383bbbb0e3794\
        5f09f9ef200b993f5ecf78",
    );
    assert_bytes(
        "a wrapped data key",
        &wrapped.to_bytes(),
        "0101000000074fc446b53f17fb2958bc3cb37bc7b2b3b9f24f7bae4a6586bd34d3aef603e583147528cc45a1cd6a6c43\
        0f533de617303fc5e08bde80ca8e1b961e46d709962be0aadc4283e106486069d5323c7a7c686f213cdcabb481f3a300\
        51a6baf6ea2fbdf6c0934c3f5ff53b0eb1ff57e4b345",
    );
    assert_eq!(WrappedDataKey::from_bytes(&wrapped.to_bytes()).unwrap(), wrapped);
}

#[test]
fn a_blob_of_two_chunks() {
    let platform = Platform::new(environment(1));
    let key = platform.project_key(1, 1, 1);
    let (data_key, _) = key.fresh_data_key(&environment(3), identity(1, 2)).unwrap();
    let sealed = Sealer::new(data_key).seal_whole(&vec![0; nuee_keys::CHUNK_SIZE + 1]).unwrap();
    assert_eq!(sealed.len(), 65_645);
    assert_bytes(
        "the first chunk",
        &sealed[65_580..65_628],
        "822a22384bb64442f8bcd21977d5647a8d0cd7dd63e9c70d6ff86faf1ec336db2135ab4b8cbd249d5e3011f8280a66ee",
    );
    assert_bytes("the last chunk", &sealed[65_628..], "579eb599724aa90153c6aa9e49c6b1e79b");
}

#[test]
fn the_code_of_a_row() {
    let platform = Platform::new(environment(1));
    let key = platform.ring().row_mac_key(organisation(1)).unwrap();
    let row = RowBuilder::new("objects").bytes(b"key").integer(-5).bytes(&[]);
    assert_bytes(
        "a row's code",
        &row.mac(&key),
        "c15d6c61ba8638ee9d1448a53132b94eadc0be6e557721e2ad90802076ee4834",
    );
}

#[test]
fn a_record() {
    let platform = Platform::new(environment(1));
    let key = platform.project_key(1, 1, 3);
    let record = key.seal_record(&environment(4), "details", b"bucket/key", b"text/plain").unwrap();
    assert_bytes(
        "a record",
        &record,
        "00000003016e73e372e2338acae474c66a4b98b030dbef19fc8e7b845f7de4eb0c26f3f89ecbb26b428dfa9ca0c14967\
        c4306a5a1f8d8f08ae9e486bb1b62a",
    );
}

#[test]
fn a_project_key_and_a_small_secret() {
    let platform = Platform::new(environment(1));
    let ring = platform.ring();
    let wrapped = ring.create_project_key(organisation(1), project(1), 1).unwrap();
    assert_bytes(
        "a project's key",
        &wrapped,
        "0183f91ca7864a7135b6b9aeef0d2df7ab0b331645445bcd27ff6c67e81909778ad676179462c60faae4c81281f044db\
        b54296ef707e065ac3e7bf47f0c24167ab2c651ddd52bc160661ef3ec675589c78",
    );
    let wrapped = ring.wrap(organisation(2), b"which", b"secret").unwrap();
    assert_bytes(
        "a small secret",
        &wrapped,
        "01990cd70b12c5d084962b1967c90789ba65ace2685a072c6d70616f2f48dce01cdc41bba766909b9b1d0ac89048e400\
        09f1ebd030a985",
    );
}

#[test]
fn the_files_of_a_custody_and_their_backup() {
    let platform = Platform::new(environment(1));
    let keys = platform.custody.directory();
    let root = std::fs::read_to_string(keys.join("root.key")).unwrap();
    assert_eq!(
        root,
        "nuee root key, form 1\n01HF7YAT00PPWW6K8BZY81A0M0\n\
        910a2dec89025cc1beeb8da1658eec67f893a2eefb32555e71c18690ee42c90b\n"
    );
    let of = std::fs::read_to_string(keys.join(format!("{}.key", organisation(1)))).unwrap();
    assert_eq!(
        of,
        "nuee organisation key, form 1\n\
        016775dc7701564f619afcd44d14cf8bfe7476cf8a4baa5dc087b341d690d7a28ab6c6c5aabf1555d\
        fa57246712e77f06e73b17934544e7ffed317a25c8af1f328407292013fc3f387d9c1bf1f22793850\n"
    );
    let file = backup(keys, &Secret::new("open sesame".into()), &environment(5)).unwrap();
    assert_eq!(file.len(), 1_160);
    assert_bytes(
        "a backup",
        &[&file[..69], &file[file.len() - 32..]].concat(),
        "6e7565656b6579730100010000000000030000000163033b0ca389c35ac097314d939736f8013b92d3f0106bc147196e\
        4ec2da05b945301e278faa015dc5616f9630b00740d1bfe36d1c13f9fa60d3127a1a38f446b8afe789e6db501c802586\
        be0400ee65",
    );
}
