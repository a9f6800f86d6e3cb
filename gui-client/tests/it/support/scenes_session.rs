//! Scenes about what is remembered, lost connections and messages that wait.

use std::path::PathBuf;

use common::media::Library;
use triptych_client::{
    event::{FileRepair, NetEvent, Offline},
    settings::Settings,
    state::{
        State,
        action::{Action, Moment, Peer},
    },
};

use super::{bob, eve, form, leaves, lost, moment, name, online_as, person, talked};

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let mut state = form();
    match which {
        "settings-damaged" => {
            let notice = "/home/ada/.local/share/triptych/settings.toml cannot be read (expected a value). It was set \
                          aside as /home/ada/.local/share/triptych/settings.toml.damaged.";
            state.use_settings(Settings::default(), Some(notice.into()));
        }
        "waiting" => {
            state = talked();
            state.apply(leaves(&state, "bob"), moment());
            write(&mut state, "Are you coming back?\nI have found the film.");
            write(&mut state, "It begins at eight.");
        }
        "waiting-lost" => {
            state = scene("waiting").expect("it is one of these");
            state.apply(NetEvent::Offline(lost()), far_moment());
        }
        "lost-reasons" => {
            state = talked();
            state.apply(NetEvent::Offline(Offline::Goodbye("The server was stopped.".into())), moment());
            let instant = state.next_tick().expect("it is tried again");
            state.tick(Moment { instant, ..moment() });
            let refused = Offline::Unreachable {
                what: "No Triptych server is running at 127.0.0.1:7878.".into(),
                remedy: "Ask the person who runs it to start it.".into(),
            };
            state.apply(NetEvent::Offline(refused), far_moment());
            state.handle(Action::ShowReasons(true), moment());
        }
        "key-damaged" => {
            state.handle(Action::Connect, moment());
            let path = PathBuf::from("/home/ada/.local/share/triptych/identities/ada.pem");
            let offline = Offline::Identity {
                what: format!("The key file {} holds no usable key: it is no PEM.", path.display()),
                remedy: "Restore it from a backup, or have a new key made. With a new key you are someone else to those who \
                         know you."
                    .into(),
                repair: Some(FileRepair::NewKey(path)),
            };
            state.apply(NetEvent::Offline(offline), moment());
        }
        "other-window" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Offline(Offline::OtherWindow(name("ada"))), moment());
        }
        "renamed" => {
            state = talked();
            state.apply(leaves(&state, "bob"), moment());
            write(&mut state, "See you tomorrow.");
            state.handle(Action::Leave, moment());
            state.handle(Action::EditName("Ada Lovelace".into()), moment());
            state.handle(Action::Connect, moment());
            let me = person("Ada Lovelace", eve());
            state.apply(online_as(me, vec![person("bob", bob())], Library::default()), moment());
            write(&mut state, "I am here again, under my full name.");
        }
        _ => return None,
    }
    Some(state)
}

/// The next attempt is so far away that the countdown does not end while the scene is looked at.
fn far_moment() -> Moment {
    Moment { instant: moment().instant + std::time::Duration::from_secs(600), ..moment() }
}

/// Writes this to Bob.
fn write(state: &mut State, text: &str) {
    state.handle(Action::Select(Peer::Person(bob().id())), moment());
    state.handle(Action::EditDraft(text.into()), moment());
    state.handle(Action::Send, moment());
}
