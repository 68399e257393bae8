//! The test server is what it says.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use nuee_access::Action;
use nuee_base::Role;
use nuee_testkit::{Place, TestServer};
use tokio::task::spawn_blocking;

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_is_ready_and_keeps_its_accounts_over_a_restart() {
    let server = TestServer::start().await.unwrap();
    let reader = server.create_account(Place::Exams, Role::Reader, None).await.unwrap();
    let server = server.restart().await.unwrap();
    let accounts = Place::ALL.map(|place| server.owner(place)).into_iter().chain([&reader]);
    for account in accounts {
        let known = server.platform().tenancy().credentials(&account.access_key_id).unwrap().unwrap();
        assert_eq!(known.principal, account.principal);
        assert_eq!(known.secret.expose(), account.secret.expose());
    }
    let address = server.addresses().admin;
    let answer = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let (cut, directory) = server.stop().await.unwrap();
    assert_eq!(cut, 0);
    assert!(directory.path().join("data/metadata.sqlite").exists());
}

#[tokio::test]
async fn its_tenants_are_neighbours() {
    let server = TestServer::start().await.unwrap();
    for place in Place::ALL {
        for other in Place::ALL {
            let decided =
                server.permit(server.owner(place), Action::ListBuckets, server.owner(other).project);
            assert_eq!(decided.is_ok(), place == other, "{place:?} in {other:?}");
        }
    }
    server.stop().await.unwrap();
}
