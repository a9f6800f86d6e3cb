//! Whom the client has met on a server, remembered over connections, restarts and certificates: the network side and the
//! state together, against the real server.

use std::{fs, path::PathBuf};

use common::{crypto::test_keys, name::Name};
use triptych_client::{
    event::{NetCommand, NetEvent, Offline},
    pins::{PinChange, Standing},
    state::{State, action::Action, trust::Privacy},
};

use crate::support::{
    client::Client,
    host::Host,
    person::{Person, sees},
};

fn sees_bob(state: &State) -> bool {
    sees(state, "bob")
}

fn pin_files(client: &Client) -> Vec<PathBuf> {
    let files = fs::read_dir(client.data_dir.path().join("pins")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn a_server_that_replaces_a_key_later_is_noticed_until_the_key_is_accepted() {
    let bob_key = test_keys::bob().public_key().id();
    let false_key = test_keys::eve().public_key().id();
    let host = Host::start(None, "127.0.0.1:0");
    let address = host.address.clone();
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    bob.join(&address, |state| state.connection.is_online());
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    ada.join(&address, sees_bob);
    assert_eq!(ada.state.trust.privacy(&bob_key, 0), Privacy::New);
    ada.leave();
    bob.leave();
    host.kill();

    // The server at the same address lets another key in as bob.
    let host = Host::start(None, &address);
    let mut impostor = Person::plaintext("bob", &test_keys::eve());
    impostor.join(&address, |state| state.connection.is_online());
    for _ in 0..2 {
        ada.join(&address, sees_bob);
        assert_eq!(ada.state.trust.privacy(&false_key, 0), Privacy::Changed { was_verified: false });
        ada.leave();
    }
    ada.join(&address, sees_bob);
    ada.handle(Action::AcceptKey(false_key));
    ada.handle(Action::SetVerified(false_key, true));
    ada.leave();
    ada.join(&address, sees_bob);
    assert_eq!(ada.state.trust.privacy(&false_key, 0), Privacy::Verified);
    drop(host);
}

#[test]
fn a_spoilt_file_of_people_is_no_first_visit() {
    let host = Host::start(None, "127.0.0.1:0");
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    bob.join(&host.address, |state| state.connection.is_online());
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    for _ in 0..2 {
        // The second attempt waits for what the first is still writing.
        ada.join(&host.address, sees_bob);
        ada.leave();
    }
    let [file] = &pin_files(&ada.client)[..] else { panic!("one file for one server") };
    fs::write(file, "").unwrap();
    ada.handle(Action::Connect);
    let Offline::Identity { what, remedy, repair } = ada.client.offline() else { panic!("it counts as a first visit") };
    assert!(what.contains(file.to_str().unwrap()), "{what}");
    assert!(remedy.contains("compare the safety numbers"), "{remedy}");
    ada.handle(Action::Repair(repair.expect("it can be decided in the window")));
    ada.wait_until("welcome", |ada| sees_bob(&ada.state));
}

#[test]
fn people_of_a_server_with_a_new_certificate_are_still_known() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Host::start(Some(old.path()), "127.0.0.1:0");
    let address = host.address.clone();
    let ada = Client::new("ada", &test_keys::ada());
    ada.connect(&address, "ada");
    assert_eq!(ada.online().pins.iter().len(), 0);
    let bob = (Name::parse("bob").unwrap(), test_keys::bob().public_key().id());
    ada.send(NetCommand::Pin(PinChange::Met(vec![bob.clone()])));
    host.kill();
    ada.offline();

    let host = Host::start(Some(new.path()), &address);
    ada.connect(&address, "ada");
    let Offline::CertificateChanged(change) = ada.offline() else { panic!("accepted") };
    ada.send(NetCommand::ConnectTrusting { address: address.clone(), name: "ada".into(), change: Box::new(change) });
    let pins = ada.wait_for("welcome", |event| match event {
        NetEvent::Online(online) => Some(online.pins.clone()),
        _ => None,
    });
    assert!(matches!(pins.standing(&bob.0, &bob.1), Standing::Known { .. }));
    drop(host);
}
