//! What people watch, as the state knows it.

use std::sync::Arc;

use common::{
    crypto::KeyId,
    media::VideoId,
    message::{Person, Viewing},
};
use triptych_client::{
    dictionary::Dictionary,
    event::{NetCommand, NetEvent},
    state::{State, action::Action},
};

use crate::support::{
    scenes::{ada, bob, eve, form, joined, joins, leaves, library, lost, moment, online, person},
    state::commands,
};

fn watching(key: KeyId, video: Option<u64>) -> NetEvent {
    NetEvent::Watching(vec![Viewing { person: key, video: video.map(VideoId), party: None }])
}

fn watched(state: &State) -> [Option<u64>; 2] {
    [bob(), eve()].map(|key| state.people.watched_by(&key.id()).map(|video| video.0))
}

fn everyone() -> Vec<Person> {
    vec![person("bob", bob()), person("eve", eve())]
}

#[test]
fn what_people_watch_is_known_while_they_are_there() {
    let mut state = joined();
    state.apply(watching(bob().id(), Some(1)), moment());
    state.apply(watching(eve().id(), Some(2)), moment());
    assert_eq!(watched(&state), [Some(1), Some(2)]);
    state.apply(watching(bob().id(), None), moment());
    assert_eq!(watched(&state), [None, Some(2)]);
    let (left, back) = (leaves(&state, "eve"), person("eve", eve()));
    state.apply(left, moment());
    let joined = joins(&state, back);
    state.apply(joined, moment());
    assert_eq!(watched(&state), [None, None], "who comes back watches nothing yet");
}

#[test]
fn nothing_is_kept_of_strangers_and_of_an_earlier_connection() {
    let mut state = joined();
    state.apply(watching(KeyId([9; 32]), Some(1)), moment());
    assert_eq!(state.people.watched_by(&KeyId([9; 32])), None, "no one is listed with this key");
    state.apply(watching(bob().id(), Some(1)), moment());
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(watched(&state), [None, None], "no one knows that now");
    state.apply(online(everyone(), library()), moment());
    assert_eq!(watched(&state), [None, None], "the server has not said so on this connection");
}

#[test]
fn a_whole_dictionary_begins_anew() {
    let mut state = joined();
    state.apply(watching(bob().id(), Some(1)), moment());
    let revision = state.people.dictionary().unwrap().revision();
    let people = [vec![person("ada", ada())], everyone()].concat();
    let whole = Dictionary::new(&people[0], revision + 5, people.clone()).unwrap();
    state.apply(NetEvent::Dictionary(Arc::new(whole)), moment());
    assert_eq!(watched(&state), [None, None], "what everyone watches follows it");
    state.apply(watching(eve().id(), Some(2)), moment());
    assert_eq!(watched(&state), [None, Some(2)]);
}

#[test]
fn others_are_told_unless_it_is_switched_off() {
    let mut state = form();
    let shows = |commands: Vec<NetCommand>| {
        commands
            .into_iter()
            .filter_map(|command| if let NetCommand::ShowWatching(is_shown) = command { Some(is_shown) } else { None })
            .collect::<Vec<_>>()
    };
    let told = commands(state.apply(online(everyone(), library()), moment()));
    assert_eq!(shows(told), [true]);
    let told = commands(state.handle(Action::ShowWatching(false), moment()));
    assert_eq!(shows(told), [false]);
    state.apply(NetEvent::Offline(lost()), moment());
    let told = commands(state.apply(online(everyone(), library()), moment()));
    assert_eq!(shows(told), [false], "also on the next connection");
    state.apply(NetEvent::Offline(lost()), moment());
    let told = commands(state.handle(Action::ShowWatching(true), moment()));
    assert_eq!(shows(told), Vec::<bool>::new(), "there is no server to tell");
}
