//! The network side against the real server: two people and a listener, and everything that can go wrong on the way.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use common::{crypto::test_keys, message::RefusalCode};
use triptych_client::event::{DraftId, NetCommand, NetEvent, Offline, WireOutcome};

use crate::support::{
    client::{Client, keep},
    host::Host,
};

#[test]
fn one_writes_one_reads_and_one_cannot() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let clients = [("ada", test_keys::ada()), ("bob", test_keys::bob()), ("eve", test_keys::eve())]
        .map(|(name, identity)| (name, Client::new(name, &identity)));
    let mut certificates_seen = Vec::new();
    for (name, client) in &clients {
        client.connect(&host.address, name);
        let online = client.online();
        assert_eq!(online.name.as_str(), *name);
        let tls = online.tls.expect("TLS is on");
        assert_eq!(tls.key_exchange, "X25519MLKEM768", "the hybrid group comes first at both ends");
        certificates_seen.push(tls.certificate_hash);
    }
    certificates_seen.dedup();
    assert_eq!(certificates_seen.len(), 1, "all see the same certificate");

    let [(_, ada), (_, bob), (_, eve)] = &clients;
    let recipients = vec![test_keys::bob().public_key().clone()];
    let text = "Žluťoučký kůň\n很好 🦀".to_owned();
    ada.send(NetCommand::Send { draft: DraftId(1), recipients, text: text.clone(), written_unix_millis: 7 });
    let message_id = ada.wait_for("sent", |event| match event {
        NetEvent::Sent { draft: DraftId(1), sealed } => Some(sealed.message_id),
        _ => None,
    });
    let message = bob.message();
    assert_eq!((message.text, message.from.as_str(), message.message_id), (text, "ada", message_id));
    assert_eq!(message.sent_unix_millis, 7, "the time of writing, whenever it was sealed");
    let (own, foreign) = (ada.entry(), eve.entry());
    assert_eq!((own.outcome, foreign.outcome), (WireOutcome::Own, WireOutcome::Foreign));
    assert_eq!((own.envelope, own.is_handed), (foreign.envelope, foreign.is_handed), "all see the same bytes");

    let everyone = vec![test_keys::ada().public_key().clone(), test_keys::bob().public_key().clone()];
    eve.send(NetCommand::Send {
        draft: DraftId(1),
        recipients: everyone,
        text: "all".to_owned(),
        written_unix_millis: 8,
    });
    for reader in [ada, bob] {
        let is_handed = reader.wait_for("sender key", |event| match event {
            NetEvent::Envelope(entry) => (entry.outcome == WireOutcome::SenderKey).then_some(entry.is_handed),
            _ => None,
        });
        assert!(is_handed, "to this client alone, and before the message");
        let message = reader.message();
        assert_eq!((message.text.as_str(), message.is_to_everyone, message.sent_unix_millis), ("all", true, 8));
    }

    // A text that is too long is not sent, and the sender is told.
    let recipients = vec![test_keys::bob().public_key().clone()];
    ada.send(NetCommand::Send { draft: DraftId(2), recipients, text: "x".repeat(9000), written_unix_millis: 9 });
    let reason = ada.wait_for("failure", |event| match event {
        NetEvent::SendFailed { draft: DraftId(2), reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("8192"), "{reason}");

    ada.send(NetCommand::Disconnect);
    assert_eq!(ada.offline(), Offline::Left);
    bob.wait_for("leave", |event| {
        let NetEvent::Dictionary(people) = event else { return None };
        people.people().all(|person| person.name.as_str() != "ada").then_some(())
    });
    host.stop.cancel();
    assert!(matches!(bob.offline(), Offline::Goodbye(_)));
}

#[test]
fn a_second_window_with_the_same_key_is_told_so_and_another_name_just_works() {
    let host = Host::start(None, "127.0.0.1:0");
    let first = Client::with(tempfile::tempdir().unwrap(), true);
    let folder = first.data_dir.path().to_owned();
    keep(&folder, "ada", &test_keys::ada());
    keep(&folder, "bob", &test_keys::bob());
    let second = Client::sharing(&folder);
    first.connect(&host.address, "ada");
    first.online();
    second.connect(&host.address, "ada");
    assert_eq!(second.offline(), Offline::OtherWindow(common::name::Name::parse("ada").unwrap()));
    second.connect(&host.address, "bob");
    second.online();
    first.send(NetCommand::Disconnect);
    assert_eq!(first.offline(), Offline::Left);
    second.connect(&host.address, "ada");
    assert_eq!(second.online().name.as_str(), "ada", "the key is free again");
}

#[test]
fn leftovers_of_an_old_connection_are_not_events_of_the_new_one() {
    let host = Host::start(None, "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let client = Client::with(data_dir, true);
    client.connect(&host.address, "ada");
    client.send(NetCommand::Disconnect);
    client.connect(&host.address, "ada");
    client.online();
    let passed = client.passed.borrow();
    assert!(!passed.iter().any(|event| matches!(event, NetEvent::Offline(Offline::Left))), "{passed:#?}");
}

#[test]
fn a_name_in_use_comes_back_with_a_free_one() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let first = Client::new("ada", &test_keys::ada());
    first.connect(&host.address, "ada");
    first.online();
    let second = Client::new("ada", &test_keys::bob());
    keep(second.data_dir.path(), "ada-2", &test_keys::eve());
    second.connect(&host.address, "ada");
    let Offline::Refused { code: RefusalCode::NameInUse, suggestion: Some(suggestion), .. } = second.offline() else {
        panic!("not refused")
    };
    second.connect(&host.address, suggestion.as_str());
    assert_eq!(second.online().name.as_str(), "ada-2");
    second.connect(&host.address, "a/b");
    assert!(matches!(second.offline(), Offline::Refused { code: RefusalCode::BadName, .. }));
}

#[test]
fn a_server_with_another_certificate_is_not_spoken_to() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Host::start(Some(old.path()), "127.0.0.1:0");
    let address = host.address.clone();
    let client = Client::new("ada", &test_keys::ada());
    client.connect(&address, "ada");
    let first = client.online().tls;
    host.kill();
    assert!(matches!(client.offline(), Offline::Unreachable { .. } | Offline::Goodbye(_)));

    let impostor = Host::start(Some(new.path()), &address);
    client.connect(&address, "ada");
    let Offline::CertificateChanged(change) = client.offline() else { panic!("accepted") };
    assert_eq!(change.expected, first.as_ref().expect("TLS is on").certificate_hash);
    assert_ne!(change.found, change.expected);
    assert_eq!(change.address, address);
    impostor.kill();

    let host = Host::start(Some(old.path()), &address);
    client.connect(&address, "ada");
    assert_eq!(client.online().tls, first);
    drop(host);
}

#[test]
fn a_new_certificate_is_trusted_or_forgotten_when_the_person_says_so() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Host::start(Some(old.path()), "127.0.0.1:0");
    let address = host.address.clone();
    let client = Client::new("ada", &test_keys::ada());
    let changed = |client: &Client| match client.offline() {
        Offline::CertificateChanged(change) => change,
        other => panic!("{other:?}"),
    };
    let end = |host: Host| {
        host.kill();
        client.offline();
    };
    client.connect(&address, "ada");
    assert!(client.online().is_first_visit);
    end(host);

    let host = Host::start(Some(new.path()), &address);
    client.connect(&address, "ada");
    let change = changed(&client);
    let target = (address.clone(), "ada".to_owned());
    client.send(NetCommand::ConnectTrusting { address: target.0, name: target.1, change: Box::new(change.clone()) });
    let online = client.online();
    assert_eq!(online.tls.expect("TLS is on").certificate_hash, change.found);
    assert!(!online.is_first_visit);
    end(host);

    let host = Host::start(Some(old.path()), &address);
    client.connect(&address, "ada");
    let back = changed(&client);
    assert_eq!((back.expected, back.found), (change.found, change.expected), "the old one is no longer trusted");
    client.send(NetCommand::ForgetServer { address: back.address });
    client.connect(&address, "ada");
    assert!(client.online().is_first_visit, "it was forgotten");
    drop(host);
}

#[test]
fn an_emptied_file_of_known_servers_is_no_first_visit_and_all_files_are_private() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let client = Client::new("ada", &test_keys::ada());
    let file = |name: &str| client.data_dir.path().join(name);
    // As a client with umask 000 of an older release leaves its folder.
    fs::set_permissions(client.data_dir.path(), Permissions::from_mode(0o777)).unwrap();
    client.connect(&host.address, "ada");
    client.online();
    for (name, mode) in [(".", 0o755), ("known-servers.toml", 0o600), ("known-servers.lock", 0o600)] {
        assert_eq!(fs::metadata(file(name)).unwrap().mode() & 0o777, mode, "{name}");
    }
    client.send(NetCommand::Disconnect);
    assert_eq!(client.offline(), Offline::Left);

    fs::write(file("known-servers.toml"), "").unwrap();
    client.connect(&host.address, "ada");
    let Offline::Identity { what, remedy, repair } = client.offline() else { panic!("it counts as a first visit") };
    assert!(what.contains("known-servers.toml") && what.ends_with("it is empty."), "{what}");
    assert!(remedy.contains("compare the certificate"), "{remedy}");
    let repair = repair.expect("it can be decided in the window");
    client.send(NetCommand::ConnectRepairing { address: host.address.clone(), name: "ada".into(), repair });
    assert!(client.online().is_first_visit);
    assert!(file("known-servers.toml.damaged").exists(), "nothing is deleted");
}

#[test]
fn a_key_file_that_others_can_read_is_closed_from_the_window() {
    let host = Host::start(None, "127.0.0.1:0");
    let client = Client::with(tempfile::tempdir().unwrap(), true);
    keep(client.data_dir.path(), "ada", &test_keys::ada());
    let file = client.data_dir.path().join("identities/ada.pem");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    client.connect(&host.address, "ada");
    let Offline::Identity { repair: Some(repair), .. } = client.offline() else { panic!("it can be decided") };
    client.send(NetCommand::ConnectRepairing { address: host.address.clone(), name: "ada".into(), repair });
    assert_eq!(client.online().public_key, *test_keys::ada().public_key());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_reached_is_explained() {
    let explained = |client: &Client, address: &str| {
        client.connect(address, "ada");
        match client.offline() {
            Offline::NotTriptych { details, .. } => details,
            Offline::Unreachable { what, remedy } | Offline::BrokeProtocol { what, remedy } => {
                assert!(!remedy.is_empty());
                what
            }
            other => panic!("{other:?}"),
        }
    };
    let client = Client::new("ada", &test_keys::ada());
    // Taken and given back, so that no server listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert!(explained(&client, &free).contains("No Triptych server is running"));
    assert!(explained(&client, "two words").contains("not a valid address"));

    // One end with TLS, the other without.
    let plain_host = Host::start(None, "127.0.0.1:0");
    assert!(explained(&client, &plain_host.address).contains("The TLS handshake failed"));
    let certificates = tempfile::tempdir().unwrap();
    let tls_host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let plain_client = Client::with(data_dir, true);
    let what = explained(&plain_client, &tls_host.address);
    assert!(what.contains("It "), "{what}");
    plain_client.connect(&plain_host.address, "ada");
    assert_eq!(plain_client.online().tls, None);
}
