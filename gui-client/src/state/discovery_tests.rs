//! What follows from what was found: tests of the decision, with made-up servers and times.

use common::{
    discovery::{Announcement, InstanceId, ServerName},
    limits::DEFAULT_PORT,
};
use proptest::prelude::*;

use super::*;
use crate::{
    event::{NetCommand, discovery::Looked},
    state::action::Action,
};

fn found(number: u8, familiarity: Familiarity) -> FoundServer {
    FoundServer {
        announcement: Announcement {
            instance: InstanceId([number; 8]),
            name: ServerName::parse("Lab").unwrap(),
            protocol_version: PROTOCOL_VERSION,
            port: DEFAULT_PORT,
            people_count: 0,
            video_count: 0,
            certificate_hash: Some([number; 32]),
        },
        address: ServerAddress { host: format!("10.0.0.{number}"), port: DEFAULT_PORT },
        familiarity,
    }
}

fn list(servers: impl IntoIterator<Item = FoundServer>, knows_servers: bool) -> Discovered {
    let looked = Looked { network_count: 2, uses_mdns: true };
    Discovered { servers: servers.into_iter().collect(), looked, knows_servers }
}

/// A point in time, in milliseconds from the start of the search.
fn at(start: Instant, millis: u64) -> Moment {
    Moment { instant: start + Duration::from_millis(millis), unix_millis: 0 }
}

fn searching(start: Instant) -> State {
    let mut state = State::new(String::new(), "ada".into(), false);
    state.begin_search(at(start, 0));
    state
}

/// The address that is joined by these effects, if one is.
fn joined(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Net(NetCommand::ConnectFound { address, .. } | NetCommand::Connect { address, .. }) => {
            Some(address.as_str())
        }
        _ => None,
    })
}

#[test]
fn the_only_server_is_joined_when_others_had_time_to_answer() {
    let start = Instant::now();
    let mut state = searching(start);
    assert_eq!(state.search.screen(), FirstScreen::Searching);
    assert_eq!(joined(&state.discovered(list([found(1, Familiarity::New)], false), at(start, 20))), None);
    assert_eq!(state.next_tick(), Some(at(start, 820).instant));
    let effects = state.tick(at(start, 820));
    assert_eq!(joined(&effects), Some("10.0.0.1:7878"));
    let [Effect::Net(NetCommand::ConnectFound { certificate_hash, name, .. })] = &effects[..] else { panic!() };
    assert_eq!((certificate_hash, name.as_str()), (&[1; 32], "ada"), "the certificate is the one announced");
}

#[test]
fn of_several_servers_the_person_chooses_unless_one_is_that_of_the_last_visit() {
    let start = Instant::now();
    let mut state = searching(start);
    let several = [found(1, Familiarity::Visited), found(2, Familiarity::New)];
    state.discovered(list(several.clone(), true), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 5_000))), None);
    assert_eq!(state.search.screen(), FirstScreen::Servers);
    state.discovered(list(several[..1].to_vec(), true), at(start, 5_500));
    assert_eq!(joined(&state.tick(at(start, 5_700))), None, "nothing is joined because another one went away");
    state.discovered(list(several.clone(), true), at(start, 5_800));
    let effects = state.handle(Action::JoinServer(several[1].address.clone()), at(start, 6_000));
    assert_eq!(joined(&effects), Some("10.0.0.2:7878"));

    let mut state = searching(start);
    let servers = [found(3, Familiarity::Last), found(1, Familiarity::Visited), found(2, Familiarity::New)];
    assert_eq!(joined(&state.discovered(list(servers, true), at(start, 20))), Some("10.0.0.3:7878"), "at once");
    let mut state = searching(start);
    let mut without_certificate = found(3, Familiarity::Last);
    without_certificate.announcement.certificate_hash = None;
    state.connection.is_plaintext = true;
    let mut other = without_certificate.clone();
    other.address.host = "10.0.0.4".into();
    state.discovered(list([without_certificate, other], true), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 5_000))), None, "an address alone recognises no server");
}

#[test]
fn a_stranger_is_not_joined_in_place_of_a_known_server() {
    let start = Instant::now();
    let mut state = searching(start);
    state.discovered(list([found(1, Familiarity::New)], true), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 5_000))), None);
    assert_eq!(state.search.screen(), FirstScreen::Servers);
    let mut state = searching(start);
    state.discovered(list([found(1, Familiarity::Visited)], true), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 820))), Some("10.0.0.1:7878"));
}

#[test]
fn without_a_server_there_is_the_form_and_one_that_comes_later_is_joined() {
    let start = Instant::now();
    let mut state = searching(start);
    state.discovered(list([], false), at(start, 300));
    assert_eq!(state.next_tick(), Some(at(start, 3_000).instant));
    state.tick(at(start, 3_000));
    assert_eq!(state.search.screen(), FirstScreen::Form);
    assert_eq!(state.search.where_looked(), "Looked on this computer, and by broadcast and mDNS on 2 networks.");
    assert_eq!(state.next_tick(), None, "nothing is drawn while nothing happens");
    state.discovered(list([found(1, Familiarity::New)], false), at(start, 60_000));
    assert_eq!(joined(&state.tick(at(start, 60_800))), Some("10.0.0.1:7878"));
}

#[test]
fn who_types_is_not_connected_by_the_program() {
    let start = Instant::now();
    let one = || list([found(1, Familiarity::Last)], false);
    for action in [Action::EditName("eve".into()), Action::EditAddress("l".into()), Action::TypeAddress] {
        let mut state = searching(start);
        state.handle(action.clone(), at(start, 10));
        assert_eq!(joined(&state.discovered(one(), at(start, 20))), None, "{action:?}");
        assert_eq!(joined(&state.tick(at(start, 60_000))), None, "{action:?}");
    }
    let mut state = searching(start);
    state.handle(Action::TypeAddress, at(start, 10));
    state.discovered(one(), at(start, 20));
    state.tick(at(start, 60_000));
    assert_eq!(state.search.screen(), FirstScreen::Form, "the form stays under the hands");
}

#[test]
fn who_leaves_is_not_taken_back() {
    let start = Instant::now();
    let mut state = searching(start);
    state.discovered(list([found(1, Familiarity::Last)], true), at(start, 20));
    assert!(!state.wants_search(), "an attempt is under way");
    state.handle(Action::Leave, at(start, 30));
    assert!(state.wants_search());
    assert_eq!(state.search.screen(), FirstScreen::Servers);
    assert_eq!(joined(&state.discovered(list([found(1, Familiarity::Last)], true), at(start, 40))), None);
    assert_eq!(joined(&state.tick(at(start, 60_000))), None);
}

#[test]
fn a_server_that_cannot_be_joined_is_listed_and_not_counted() {
    let start = Instant::now();
    let mut other_version = found(1, Familiarity::New);
    other_version.announcement.protocol_version += 1;
    let mut plain = found(2, Familiarity::New);
    plain.announcement.certificate_hash = None;
    assert_eq!(obstacle(&other_version, false), Some(Obstacle::OtherVersion));
    assert_eq!(obstacle(&plain, false), Some(Obstacle::NotEncrypted));
    assert_eq!(obstacle(&found(3, Familiarity::New), true), Some(Obstacle::Encrypted));
    let mut state = searching(start);
    state.discovered(list([other_version.clone(), plain.clone()], false), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 3_000))), None);
    assert_eq!(state.search.screen(), FirstScreen::Servers, "they are shown with the reason");
    let mut state = searching(start);
    state.discovered(list([other_version, plain, found(3, Familiarity::New)], false), at(start, 20));
    assert_eq!(joined(&state.tick(at(start, 820))), Some("10.0.0.3:7878"));
}

#[test]
fn a_list_that_becomes_empty_is_looked_for_again() {
    let start = Instant::now();
    let mut state = searching(start);
    let several = [found(1, Familiarity::New), found(2, Familiarity::New)];
    state.discovered(list(several, false), at(start, 20));
    state.tick(at(start, 820));
    assert_eq!(state.search.screen(), FirstScreen::Servers);
    state.discovered(list([], false), at(start, 20_000));
    assert_eq!(state.search.screen(), FirstScreen::Searching);
    state.tick(at(start, 23_000));
    assert_eq!(state.search.screen(), FirstScreen::Form);
}

fn familiarities() -> impl Strategy<Value = Familiarity> {
    prop_oneof![Just(Familiarity::Last), Just(Familiarity::Visited), Just(Familiarity::New)]
}

proptest! {
    #[test]
    fn every_search_ends_within_three_seconds(
        news in proptest::collection::vec(
            (0_u64..4_000, proptest::collection::vec((0_u8..4, familiarities(), 0_u16..3), 0..4), any::<bool>()),
            0..8,
        ),
        is_plaintext: bool,
    ) {
        let start = Instant::now();
        let mut state = searching(start);
        state.connection.is_plaintext = is_plaintext;
        let mut news: Vec<_> = news;
        news.sort_by_key(|(millis, ..)| *millis);
        let mut searching_since = 0;
        let mut news = news.into_iter().peekable();
        for millis in 0..8_000 {
            let was_searching = state.search.screen() == FirstScreen::Searching;
            while let Some((_, servers, knows)) = news.next_if(|(at, ..)| *at == millis) {
                let servers = servers.into_iter().map(|(number, familiarity, version)| {
                    let mut server = found(number, familiarity);
                    server.announcement.protocol_version = PROTOCOL_VERSION + version / 2;
                    server
                });
                state.discovered(list(servers, knows), at(start, millis));
            }
            // Ticks come when they were asked for, and not otherwise.
            if state.next_tick().is_some_and(|due| due <= at(start, millis).instant) {
                state.tick(at(start, millis));
            }
            if state.connection.phase != Phase::Idle {
                return Ok(());
            }
            let is_searching = state.search.screen() == FirstScreen::Searching;
            if is_searching && !was_searching {
                searching_since = millis;
            }
            prop_assert!(!is_searching || millis < searching_since + 3_000, "after {} ms", millis - searching_since);
        }
    }
}
