//! Every operation of S3, asked for from a zone in which nothing is exposed, by everybody.

use std::net::{Ipv4Addr, SocketAddr};

use nuee::{ListenerService, ListenerSettings, Settings};
use nuee_base::Zone;

use crate::access_matrix::{Bench, rows};

fn listener(zone: Zone) -> ListenerSettings {
    ListenerSettings {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        zone,
        services: vec![ListenerService::S3],
        device: None,
        trusted_proxies: Vec::new(),
        tls: None,
    }
}

fn listeners(settings: &mut Settings) {
    settings.listeners.insert("inside".into(), listener(Zone::Local));
    settings.listeners.insert("outside".into(), listener(Zone::Internet));
}

#[test]
fn no_operation_is_carried_out_from_a_zone_in_which_nothing_is_exposed() {
    let bench = Bench::start_with(listeners);
    let before = bench.all_that_is_there();
    let mut wrong = Vec::new();
    for row in rows() {
        for (asker, mark) in row.cells(&bench) {
            let answer = bench.ask_at("outside", &asker, bench.request(row.name));
            // Whose credentials are of no use is told so.
            let is_told = matches!(mark, "k" | "s" | "t" | "i");
            let code = answer.code();
            let refused = answer.status == 403 && (is_told || code.is_empty() || code == "AccessDenied");
            let expected = if is_told { row.answer(mark).1 == code || code.is_empty() } else { refused };
            if !refused || !expected {
                wrong.push(format!("{}, {}: {} {}", row.name, asker.name, answer.status, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(bench.all_that_is_there(), before);
}
