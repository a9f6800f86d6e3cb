//! States about keys and certificates, and about servers that are not to be trusted.

use common::crypto::sha256;
use triptych_client::{
    event::{CertificateChange, IdentityFailure, NetCommand, NetEvent, Offline, Online},
    state::{
        State,
        action::{Action, Peer},
        effect::Effect,
        identity::{IdentityAction, IdentityTask},
    },
};

use super::{
    ada, bob, eve, form, joined, joins, leaves, library, message, moment, online, person, stranger, talked, tls,
};

/// Bob comes back with another key, and writes.
pub fn key_changed() -> State {
    let mut state = talked();
    state.handle(Action::EditDraft("One more thing:".into()), moment());
    state.apply(leaves(&state, "bob"), moment());
    state.apply(joins(&state, person("bob", stranger(1))), moment());
    state.apply(message("bob", &stranger(1), &[&ada()], "It is me, on my new computer", 7), moment());
    state.apply(message("bob", &stranger(1), &[&ada(), &eve()], "Hello again, all of you", 8), moment());
    state
}

/// The server of all scenes shows another certificate.
pub fn certificate_change() -> CertificateChange {
    let address = "127.0.0.1:7878".into();
    CertificateChange { address, expected: tls().certificate_hash, found: sha256(b"another certificate") }
}

/// As with `--plaintext`.
fn plaintext_form() -> State {
    State::new("127.0.0.1:7878".into(), "ada".into(), true)
}

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let mut state = form();
    match which {
        "certificate" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Offline(Offline::CertificateChanged(certificate_change())), moment());
        }
        "certificate-later" => {
            state = talked();
            state.apply(NetEvent::Offline(Offline::CertificateChanged(certificate_change())), moment());
        }
        "identity" => {
            state.handle(Action::Identity(IdentityAction::Open), moment());
        }
        "identity-failed" => {
            state.handle(Action::Identity(IdentityAction::Open), moment());
            state.handle(Action::Identity(IdentityAction::Choose(IdentityTask::Import)), moment());
            state.handle(Action::Identity(IdentityAction::EditFile("/home/ada/ada-key.pem".into())), moment());
            let failure = IdentityFailure {
                what: "The passphrase is wrong, or the file is damaged.".into(),
                remedy: "Type it again. Capitals and spaces count.".into(),
            };
            state.apply(NetEvent::IdentityDone(Err(failure)), moment());
        }
        "identity-renew" => {
            state.handle(Action::Identity(IdentityAction::Open), moment());
            state.handle(Action::Identity(IdentityAction::Choose(IdentityTask::Renew)), moment());
            state.handle(Action::Identity(IdentityAction::Run), moment());
        }
        "key-changed" => {
            state = key_changed();
            state.handle(Action::Select(Peer::Person(stranger(1).id())), moment());
        }
        "key-changed-before" => state = key_changed(),
        "key-changed-everyone" => {
            state = key_changed();
            state.handle(Action::Select(Peer::Everyone), moment());
        }
        "handing-over" => {
            state = talked();
            state.handle(Action::Select(Peer::Everyone), moment());
            state.apply(NetEvent::LeftOut(vec![bob().id()]), moment());
            state.handle(Action::EditDraft("Shall we begin?".into()), moment());
            let sent = state.handle(Action::Send, moment());
            let [Effect::Net(NetCommand::Send { draft, .. })] = &sent[..] else { unreachable!("it is sent") };
            state.apply(NetEvent::HandingOver { draft: *draft, handed: 1240, members: 1999 }, moment());
        }
        "key-new" => {
            state = joined();
            state.apply(joins(&state, person("carol", stranger(2))), moment());
            state.handle(Action::Select(Peer::Person(stranger(2).id())), moment());
        }
        "safety-number" => {
            state = talked();
            state.handle(Action::OpenSafetyNumber(bob().id()), moment());
        }
        "verified" => {
            state = talked();
            state.handle(Action::SetVerified(bob().id(), true), moment());
        }
        "first-visit" => {
            state.handle(Action::Connect, moment());
            let people = vec![person("ada", ada()), person("bob", bob()), person("eve", eve())];
            let NetEvent::Online(online) = online(people, library()) else { unreachable!("it is made so") };
            state.apply(NetEvent::Online(Online { is_first_visit: true, ..online }), moment());
        }
        "plaintext-form" => state = plaintext_form(),
        "plaintext" => {
            state = plaintext_form();
            state.handle(Action::Connect, moment());
            let people = vec![person("ada", ada()), person("bob", bob()), person("eve", eve())];
            let NetEvent::Online(online) = online(people, library()) else { unreachable!("it is made so") };
            state.apply(NetEvent::Online(Online { tls: None, ..online }), moment());
        }
        "broken-protocol" => {
            state.handle(Action::Connect, moment());
            let offline = Offline::BrokeProtocol {
                what:
                    "The server at 127.0.0.1:7878 sent what the protocol does not allow: it lists more than 4000 people."
                        .into(),
                remedy: "Install the same release of Triptych on both computers.".into(),
            };
            state.apply(NetEvent::Offline(offline), moment());
        }
        _ => return None,
    }
    Some(state)
}
