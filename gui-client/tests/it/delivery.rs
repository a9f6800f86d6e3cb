//! A server that reorders, repeats and withholds messages, over real sockets: each is shown once, what is missing is said, and
//! nothing is shown again after a restart of the client.

use common::{
    crypto::{Envelope, MessageId, letter::Content, test_keys},
    media::Library,
    message::{ClientMessage, LeaveReason, ServerMessage},
};
use triptych_client::{
    event::{NetEvent, WireOutcome},
    state::{
        action::{Action, Moment, Peer as ChatPeer},
        conversation::Delivery,
        delivery::PATIENCE,
    },
};

use crate::support::{
    adversary::Adversary,
    client::{Client, keep},
    fake_server::{FakeServer, Peer, letter},
    host::Host,
    person::{Person, gather, sees},
    scenes::moment,
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

/// What Bob reads: each text, after the number of messages that are missing before it.
fn read(bob: &Person, peer: ChatPeer) -> Vec<(u32, &str)> {
    let conversation = bob.state.conversations.get(peer);
    let messages = conversation.into_iter().flat_map(|conversation| &conversation.messages);
    messages.map(|message| (message.missing_count, &*message.text)).collect()
}

#[test]
fn what_the_server_withholds_is_missed_until_it_comes_and_the_next_run_claims_nothing_else() {
    let (server, folder) = (FakeServer::new(), tempfile::tempdir().unwrap());
    keep(folder.path(), "bob", &test_keys::bob());
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    let mut bob = Person::at(Client::sharing(folder.path()), "bob");
    let (mut to_ada, mut to_bob) = (ada.meet(&server), bob.meet(&server));
    let entries = [to_ada.own_entry(), to_bob.own_entry()];
    let [with_ada, with_bob] = entries.each_ref().map(|entry| ChatPeer::Person(entry.public_key.id()));
    for (person, peer) in [(&mut ada, &mut to_ada), (&mut bob, &mut to_bob)] {
        peer.welcome_with(&entries);
        person.wait_until("welcome", |person| person.state.connection.is_online());
    }
    let mut next_letter = |ada: &mut Person, text: &str| {
        ada.write(with_bob, text);
        to_ada.next_said().envelope
    };
    let letters: Vec<_> = (1..=6).map(|number| next_letter(&mut ada, &number.to_string())).collect();
    for (number, shown) in [
        (1, &[(0, "1")][..]),
        (5, &[(0, "1"), (3, "5")]),
        (3, &[(0, "1"), (1, "3"), (1, "5")]),
        (2, &[(0, "1"), (0, "2"), (0, "3"), (1, "5")]),
    ] {
        to_bob.relay(&letters[number - 1]);
        bob.wait_until("the text", |bob| bob.texts(with_ada).len() == shown.len());
        assert_eq!(read(&bob, with_ada), shown);
    }
    drop((bob, to_bob));

    let mut bob = Person::at(Client::sharing(folder.path()), "bob");
    let mut to_bob = bob.meet(&server);
    let back = to_bob.own_entry();
    to_bob.welcome_with(&[entries[0].clone(), back.clone()]);
    bob.wait_until("welcome", |bob| bob.sees("ada"));
    let left = ServerMessage::Left { revision: 2, name: back.name.clone(), reason: LeaveReason::Quit };
    to_ada.send(&left).unwrap();
    to_ada.send(&ServerMessage::Joined { revision: 3, person: back.clone() }).unwrap();
    let session = |ada: &Person| {
        let listed = ada.state.people.dictionary()?.person(&back.public_key.id())?;
        Some(listed.session.id())
    };
    ada.wait_until("Bob", |ada| session(ada) == Some(back.session.id()));
    ada.write(with_bob, "7");
    to_bob.relay(&to_ada.next_said().envelope);
    bob.wait_until("the text", |bob| bob.texts(with_ada).len() == 1);
    assert_eq!(read(&bob, with_ada), [(1, "7")], "only 6, which is after all that the run before has seen");
}

#[test]
fn what_the_server_withholds_of_what_is_said_to_everyone_is_missed_too_but_not_what_was_said_before() {
    let server = FakeServer::new();
    let ([mut ada, mut bob], [mut to_ada, mut to_bob], [_, bob_entry]) =
        gather(&server, [("ada", test_keys::ada()), ("bob", test_keys::bob())]);
    let said: Vec<_> = (1..=4)
        .map(|number| {
            ada.write(ChatPeer::Everyone, &number.to_string());
            to_ada.next_said()
        })
        .collect();
    to_bob.hand(said[0].handed_to(&bob_entry).expect("Bob is handed the key"));
    for number in [2, 4, 3] {
        to_bob.relay(&said[number - 1].envelope);
    }
    bob.wait_until("the texts", |bob| bob.texts(ChatPeer::Everyone).len() == 3);
    assert_eq!(read(&bob, ChatPeer::Everyone), [(1, "2"), (0, "3"), (0, "4")]);

    // Eve comes, and is handed the key as it is then.
    let mut eve = Person::plaintext("eve", &test_keys::eve());
    let mut to_eve = eve.meet(&server);
    let eve_entry = to_eve.own_entry();
    to_ada.send(&ServerMessage::Joined { revision: 2, person: eve_entry.clone() }).unwrap();
    ada.wait_until("Eve", |ada| ada.sees("eve"));
    to_eve.welcome_with(&[to_ada.own_entry(), bob_entry, eve_entry.clone()]);
    eve.wait_until("welcome", |eve| eve.sees("ada"));
    ada.write(ChatPeer::Everyone, "5");
    let said = to_ada.next_said();
    to_eve.hand(said.handed_to(&eve_entry).expect("Eve is handed the key"));
    to_eve.relay(&said.envelope);
    eve.wait_until("the text", |eve| !eve.texts(ChatPeer::Everyone).is_empty());
    assert_eq!(read(&eve, ChatPeer::Everyone), [(0, "5")]);
}

/// The next letter that this client hands to a person.
fn next_handed(peer: &mut Peer) -> Vec<u8> {
    loop {
        if let ClientMessage::Hand { envelope, .. } = peer.read() {
            return envelope.0;
        }
    }
}

fn only_delivery(person: &Person, peer: ChatPeer) -> &Delivery {
    let messages = &person.state.conversations.get(peer).expect("there is a message").messages;
    assert_eq!(messages.len(), 1);
    &messages[0].delivery
}

#[test]
fn a_letter_is_delivered_when_its_recipient_says_so_on_a_real_server() {
    let host = Host::start(None, "127.0.0.1:0");
    let [mut ada, mut bob] =
        [("ada", test_keys::ada()), ("bob", test_keys::bob())].map(|(name, key)| Person::plaintext(name, &key));
    bob.join(&host.address, |_| true);
    ada.join(&host.address, |state| sees(state, "bob"));
    bob.wait_until("Ada", |bob| bob.sees("ada"));
    let (to_bob, to_ada) = (test_keys::bob().public_key().id(), test_keys::ada().public_key().id());
    ada.write(ChatPeer::Person(to_bob), "Are you there?");
    bob.wait_until("the letter", |bob| bob.texts(ChatPeer::Person(to_ada)) == ["Are you there?"]);
    ada.wait_until("the receipt", |ada| *only_delivery(ada, ChatPeer::Person(to_bob)) == Delivery::Delivered);
    // Bob's client saw one letter and said it to no one but Ada; what is said to everyone is not confirmed.
    ada.write(ChatPeer::Everyone, "Hello");
    bob.wait_until("the message", |bob| bob.texts(ChatPeer::Everyone) == ["Hello"]);
    ada.write(ChatPeer::Person(to_bob), "And now?");
    bob.wait_until("the next letter", |bob| bob.texts(ChatPeer::Person(to_ada)).len() == 2);
    ada.wait_until("the next receipt", |ada| {
        let messages = &ada.state.conversations.get(ChatPeer::Person(to_bob)).unwrap().messages;
        messages.iter().filter(|message| message.delivery == Delivery::Delivered).count() == 2
    });
    assert_eq!(*only_delivery(&ada, ChatPeer::Everyone), Delivery::Relayed);
    let receipts = ada.outcomes.iter().filter(|(_, outcome)| *outcome == WireOutcome::Receipt);
    assert_eq!(receipts.count(), 2);
}

#[test]
fn a_letter_whose_receipt_is_swallowed_is_sent_again_shown_once_and_confirmed_again_and_a_third_cannot_confirm_it() {
    let server = FakeServer::new();
    let ([mut ada, mut bob], [mut to_ada, mut to_bob], [ada_entry, bob_entry]) =
        gather(&server, [("ada", test_keys::ada()), ("bob", test_keys::bob())]);
    let eve = Adversary::new("eve", test_keys::eve());
    to_ada.send(&ServerMessage::Joined { revision: 2, person: eve.entry() }).unwrap();
    let (with_ada, with_bob) =
        (ChatPeer::Person(ada_entry.public_key.id()), ChatPeer::Person(bob_entry.public_key.id()));
    ada.write(with_bob, "Are you there?");
    let first = to_ada.next_said().envelope;
    to_ada.relay(&first);
    to_bob.relay(&first);
    bob.wait_until("the letter", |bob| bob.texts(with_ada) == ["Are you there?"]);
    let swallowed = next_handed(&mut to_bob);
    let id = Envelope::parse(first.clone()).unwrap().message_id;
    to_ada.hand(&eve.letter(&ada_entry, 1, Content::Receipt(vec![id])));
    ada.wait_until("Eve's receipt", |ada| ada.outcomes.iter().any(|(_, outcome)| *outcome == WireOutcome::Receipt));
    assert_eq!(*only_delivery(&ada, with_bob), Delivery::Relayed);

    let later = Moment { instant: moment().instant + PATIENCE, ..moment() };
    ada.state.tick(later);
    let Delivery::Failed(draft, reason) = only_delivery(&ada, with_bob).clone() else { panic!("still waiting") };
    assert_eq!(reason, "bob's client has not confirmed this message.");
    ada.handle(Action::Retry(draft));
    let again = to_ada.next_said().envelope;
    let [first, again] = [first, again].map(|envelope| Envelope::parse(envelope).unwrap());
    assert_eq!(again.message_id, first.message_id);
    assert!(again.sequence > first.sequence && again.body() != first.body());
    to_ada.relay(again.as_bytes());
    to_bob.relay(again.as_bytes());
    let is_received = |event: &&NetEvent| matches!(event, NetEvent::Received(_));
    let received_count = |bob: &Person| bob.client.passed.borrow().iter().filter(is_received).count();
    bob.wait_until("the repetition", |bob| received_count(bob) == 2);
    assert_eq!(bob.outcomes.last(), Some(&(id, WireOutcome::SentAgain)));
    assert_eq!(bob.texts(with_ada), ["Are you there?"]);
    let receipt = next_handed(&mut to_bob);
    to_ada.hand(&receipt);
    ada.wait_until("the receipt", |ada| *only_delivery(ada, with_bob) == Delivery::Delivered);
    // The one that was swallowed comes after all, and changes nothing.
    to_ada.hand(&swallowed);
    ada.write(with_bob, "Good.");
    to_bob.relay(&to_ada.next_said().envelope);
    bob.wait_until("the next letter", |bob| bob.texts(with_ada).len() == 2);
    assert_eq!(read(&bob, with_ada), [(0, "Are you there?"), (0, "Good.")], "no number was used twice");
}

#[test]
fn what_fails_to_open_is_not_confirmed_and_a_flood_costs_few_receipts() {
    let server = FakeServer::new();
    let ([_, mut bob], [_, mut to_bob], [_, bob_entry]) =
        gather(&server, [("ada", test_keys::ada()), ("bob", test_keys::bob())]);
    let eve = Adversary::new("eve", test_keys::eve());
    to_bob.send(&ServerMessage::Joined { revision: 2, person: eve.entry() }).unwrap();
    let (count, eve_peer) = (100, ChatPeer::Person(eve.key()));
    let mut junk = eve.text(&bob_entry, 1, "x");
    *junk.last_mut().unwrap() ^= 1;
    to_bob.relay(&junk);
    for number in 2..count + 2 {
        to_bob.relay(&eve.text(&bob_entry, number, "x"));
    }
    bob.wait_until("the flood", |bob| bob.texts(eve_peer).len() == count as usize);
    let mut receipts = 0;
    let mut ids = Vec::new();
    while ids.len() < count as usize {
        let receipt = next_handed(&mut to_bob);
        receipts += 1;
        ids.extend(eve.receipt(&receipt, &bob_entry));
    }
    ids.sort_unstable_by_key(|id: &MessageId| id.0);
    ids.dedup();
    assert_eq!(ids.len(), count as usize, "each once");
    assert!(!ids.contains(&Envelope::parse(junk).unwrap().message_id));
    assert!(receipts <= 20, "{receipts} receipts for {count} letters");
}
