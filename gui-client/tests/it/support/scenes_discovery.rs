//! Scenes of the first screen while servers are looked for.

use std::time::Duration;

use common::{
    address::ServerAddress,
    crypto::sha256,
    discovery::{Announcement, InstanceId, ServerName},
    limits::{DEFAULT_PORT, PROTOCOL_VERSION},
};
use triptych_client::{
    event::{
        NetEvent, Offline,
        discovery::{Discovered, Familiarity, FoundServer, Looked},
    },
    state::{
        State,
        action::{Action, Moment},
        discovery::SEARCH_TIME,
    },
};

use super::{form, moment};

/// A server that was found.
pub fn found(name: &str, host: &str, familiarity: Familiarity) -> FoundServer {
    let hash = sha256(name.as_bytes());
    FoundServer {
        announcement: Announcement {
            instance: InstanceId(*hash.first_chunk().expect("a hash has 32 bytes")),
            name: ServerName::parse(name).expect("scenes have valid names"),
            protocol_version: PROTOCOL_VERSION,
            port: DEFAULT_PORT,
            people_count: 14,
            video_count: 1,
            certificate_hash: Some(hash),
        },
        address: ServerAddress { host: host.into(), port: DEFAULT_PORT },
        familiarity,
    }
}

/// These servers are there; others were visited before.
pub fn discovered(servers: Vec<FoundServer>) -> Discovered {
    Discovered { servers, looked: Looked { network_count: 2, uses_mdns: true }, knows_servers: true }
}

/// The search has begun; nothing was typed.
pub fn searching() -> State {
    let mut state = State::new(String::new(), "ada".into(), false);
    state.begin_search(moment());
    state
}

/// The same, some time later, with these servers.
pub fn searched(servers: Vec<FoundServer>) -> State {
    let mut state = searching();
    let now = moment();
    state.discovered(discovered(servers), now);
    state.tick(Moment { instant: now.instant + SEARCH_TIME + Duration::from_millis(1), ..now });
    state
}

fn several() -> Vec<FoundServer> {
    let mut other_version = found("old-laptop", "10.0.0.77", Familiarity::New);
    other_version.announcement.protocol_version -= 1;
    other_version.announcement.people_count = 0;
    vec![
        found("Lab 3", "192.168.1.5", Familiarity::Visited),
        found("Hopper", "192.168.1.23", Familiarity::New),
        other_version,
    ]
}

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    Some(match which {
        "searching" => searching(),
        "servers" => searched(several()),
        "server-new" => searched(vec![found("Lab 3", "192.168.1.5", Familiarity::New)]),
        "servers-none" => searched(Vec::new()),
        "servers-later" => {
            let mut state = searched(Vec::new());
            state.handle(Action::EditAddress("192.168.1.".into()), moment());
            state.discovered(discovered(several()), moment());
            state
        }
        "address-bad" => {
            let mut state = form();
            state.handle(Action::EditAddress("192.168.1.5:79500".into()), moment());
            state
        }
        "not-triptych" => {
            let mut state = form();
            state.handle(Action::Connect, moment());
            let details = "It answers otherwise: a message is longer than 4096 bytes.".into();
            let offline = Offline::NotTriptych { address: "127.0.0.1:7878".into(), details };
            state.apply(NetEvent::Offline(offline), moment());
            state
        }
        _ => return None,
    })
}
