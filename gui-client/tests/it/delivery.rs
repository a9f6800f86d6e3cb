//! A server that reorders, repeats and withholds letters, over a real socket: each is shown once, and none again after a
//! restart of the client.

use common::{crypto::test_keys, media::Library, message::ServerMessage};
use triptych_client::event::{NetEvent, WireOutcome};

use crate::support::{
    adversary::Adversary,
    client::{Client, keep},
    fake_server::{FakeServer, Peer, letter},
};

/// Bob, online with Ada, with his files in this folder.
fn bob_in(folder: &std::path::Path, server: &FakeServer) -> (Client, Peer) {
    let client = Client::sharing(folder);
    client.connect(&server.address(), "bob");
    let mut peer = server.accept();
    peer.welcome(vec![Adversary::new("ada", test_keys::ada()).entry()], Library::default());
    client.online();
    (client, peer)
}

/// What becomes of an envelope, and the text that it brings.
fn outcome(client: &Client, peer: &mut Peer, message: &ServerMessage) -> (WireOutcome, Option<String>) {
    peer.send(message).unwrap();
    let outcome = client.envelope();
    (outcome, (outcome == WireOutcome::Opened).then(|| client.message().text))
}

#[test]
fn letters_out_of_order_are_shown_once_and_none_again_after_a_restart() {
    let (server, folder) = (FakeServer::new(), tempfile::tempdir().unwrap());
    keep(folder.path(), "bob", &test_keys::bob());
    let (client, mut peer) = bob_in(folder.path(), &server);
    let to_bob = peer.own_entry();
    let send = |number: u64| letter(&test_keys::ada(), number, &to_bob, &format!("letter {number}"));
    let letters: Vec<_> = (1..=4).map(send).collect();
    let mut shown = Vec::new();
    for index in [1, 0, 1, 3, 2, 0, 3] {
        match outcome(&client, &mut peer, &letters[index]) {
            (WireOutcome::Opened, Some(text)) => shown.push(text),
            (outcome, text) => assert_eq!((outcome, text), (WireOutcome::Replay, None)),
        }
    }
    assert_eq!(shown, ["letter 2", "letter 1", "letter 4", "letter 3"]);
    drop((client, peer));

    let (client, mut peer) = bob_in(folder.path(), &server);
    for old in &letters {
        assert_eq!(outcome(&client, &mut peer, old), (WireOutcome::Replay, None));
    }
    // Even sealed anew, to the session key of this run: the file knows the numbers.
    let to_bob = peer.own_entry();
    for number in [4, 3] {
        let again = letter(&test_keys::ada(), number, &to_bob, "again");
        assert_eq!(outcome(&client, &mut peer, &again), (WireOutcome::Replay, None));
    }
    let next = letter(&test_keys::ada(), 5, &to_bob, "and on");
    assert_eq!(outcome(&client, &mut peer, &next), (WireOutcome::Opened, Some("and on".to_owned())));
    assert!(!client.passed.borrow().iter().any(|event| matches!(event, NetEvent::Offline(_))));
}
