//! A dishonest server that gives people other keys than their own: at the first contact and later. Real clients on both
//! sides; the server is the test. Each test says what the server gets.

use common::{
    crypto::{KeyId, SessionRecord, test_keys},
    message::{LeaveReason, Person as Listed, ServerMessage},
};
use triptych_client::state::{
    action::{Action, Peer},
    sending::SendObstacle,
    trust::Privacy,
};

use crate::support::{
    adversary::{Adversary, Got},
    fake_server::{self, FakeServer},
    person::{Person, gather, is_opened},
    scenes::name,
};

/// A person with a key of the server's own.
fn server_under(name: &str) -> Adversary {
    Adversary::new(name, test_keys::eve())
}

fn to(person: &Listed) -> Peer {
    Peer::Person(person.public_key.id())
}

fn privacy(person: &Person, key: &KeyId) -> Privacy {
    person.state.trust.privacy(key, 0)
}

fn safety_number(person: &mut Person, of: &Listed) -> String {
    person.handle(Action::OpenSafetyNumber(of.public_key.id()));
    person.state.trust.open.clone().expect("this person is listed").number
}

/// The server takes Bob, as Ada knows him, out of her dictionary and lists this entry instead.
fn replace(at_ada: &mut fake_server::Peer, by: Listed, revision: u64) {
    let name = by.name.clone();
    at_ada.send(&ServerMessage::Left { revision, name, reason: LeaveReason::Quit }).unwrap();
    at_ada.send(&ServerMessage::Joined { revision: revision + 1, person: by }).unwrap();
}

#[test]
fn a_server_between_two_people_at_their_first_contact_reads_until_they_compare_safety_numbers() {
    let server = FakeServer::new();
    let (mut ada, mut bob) = (Person::plaintext("ada", &test_keys::ada()), Person::plaintext("bob", &test_keys::bob()));
    let (mut at_ada, mut at_bob) = (ada.meet(&server), bob.meet(&server));
    let (mut false_bob, false_ada) = (server_under("bob"), server_under("ada"));
    at_ada.welcome_with(&[at_ada.own_entry(), false_bob.entry()]);
    at_bob.welcome_with(&[at_bob.own_entry(), false_ada.entry()]);
    ada.wait_until("bob", |ada| ada.sees("bob"));
    bob.wait_until("ada", |bob| bob.sees("ada"));

    // What the server gets: it reads what Ada writes to the key that it gave her, and passes it on as if from Ada.
    ada.write(to(&false_bob.entry()), "The password is rosebud");
    let read = false_bob.open(&at_ada.next_said().envelope, &at_ada.own_entry().public_key);
    assert_eq!(read, Got::Text("The password is rosebud".to_owned()));
    at_bob.relay(&false_ada.text(&at_bob.own_entry(), 1, "The password is rosebud"));
    bob.wait_until("message", |bob| !bob.texts(to(&false_ada.entry())).is_empty());

    // What it does not get: neither window claims that only two people read this, and the numbers are not the same.
    assert_eq!(privacy(&ada, &false_bob.key()), Privacy::New);
    assert_eq!(privacy(&bob, &false_ada.key()), Privacy::New);
    let (of_ada, of_bob) = (safety_number(&mut ada, &false_bob.entry()), safety_number(&mut bob, &false_ada.entry()));
    assert_ne!(of_ada, of_bob);
}

#[test]
fn a_server_that_was_honest_at_the_first_contact_reads_nothing_by_replacing_a_key_later() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, mut bob], [mut at_ada, mut at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    assert_eq!(safety_number(&mut ada, &bob_entry), safety_number(&mut bob, &ada_entry), "with the real keys");
    ada.handle(Action::SetVerified(bob_entry.public_key.id(), true));
    ada.write(to(&bob_entry), "Hello");
    at_bob.relay(&at_ada.next_said().envelope);
    bob.wait_until("message", |bob| bob.texts(to(&ada_entry)) == ["Hello"]);

    let false_bob = server_under("bob");
    replace(&mut at_ada, false_bob.entry(), 2);
    ada.wait_until("the other key", |ada| ada.state.trust.is_changed(&false_bob.key()));
    assert_eq!(privacy(&ada, &false_bob.key()), Privacy::Changed { was_verified: true });
    at_ada.sync(1);
    for conversation in [Peer::Person(false_bob.key()), to(&bob_entry), Peer::Everyone] {
        ada.write(conversation, "The password is rosebud");
        assert!(ada.state.was_send_refused(), "{conversation:?}");
        let draft = ada.state.conversations.get(conversation).map(|found| &*found.draft);
        assert_eq!(draft, Some("The password is rosebud"), "the draft stays");
    }
    assert_eq!(ada.state.send_obstacle(), Some(SendObstacle::NoOneAccepted));
    assert_eq!(ada.settled(&mut at_ada, 2), [], "nothing was sent");

    // What the false key writes is shown with a mark, and under a conversation of its own.
    at_ada.relay(&false_bob.text(&ada_entry, 1, "It is me, Bob"));
    ada.wait_until("message", |ada| !ada.texts(Peer::Person(false_bob.key())).is_empty());
    assert!(ada.state.trust.is_doubtful(&false_bob.key()) && !ada.state.trust.is_doubtful(&bob_entry.public_key.id()));
    assert_eq!(ada.texts(to(&bob_entry)), ["Hello"], "nothing is put into Bob's mouth");
}

#[test]
fn a_replaced_key_is_handed_no_sender_key_and_reads_nothing_that_is_said_to_everyone() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, _bob], [mut at_ada, _at_bob], [ada_entry, _]) = gather(&server, keys);
    let mut false_bob = server_under("bob");
    replace(&mut at_ada, false_bob.entry(), 2);
    // A third person, so that there is someone to speak to.
    let crowd = test_keys::crowd();
    let mut carol = Adversary::new("carol", crowd.into_iter().next().expect("there are many"));
    at_ada.send(&ServerMessage::Joined { revision: 4, person: carol.entry() }).unwrap();
    ada.wait_until("carol", |ada| ada.sees("carol"));
    at_ada.sync(1);
    ada.write(Peer::Everyone, "Bob must not read this");
    let said = at_ada.next_said();
    assert_eq!(said.handed_to(&false_bob.entry()), None);
    assert_eq!(ada.state.left_out().map(|name| name.as_str()).collect::<Vec<_>>(), ["bob"], "and the window says so");
    let to_carol = said.handed_to(&carol.entry()).expect("Carol is handed the sender key");
    for envelope in [to_carol, &said.envelope] {
        assert_eq!(false_bob.open(envelope, &ada_entry.public_key), Got::Nothing);
    }
    assert!(matches!(carol.open(to_carol, &ada_entry.public_key), Got::SenderKey(_)));
    assert_eq!(carol.open(&said.envelope, &ada_entry.public_key), Got::Text("Bob must not read this".to_owned()));
}

#[test]
fn a_server_that_lists_an_old_or_a_forged_session_key_gets_no_letter() {
    let server = FakeServer::new();
    let ([mut ada], [mut at_ada], _) = gather(&server, [("ada", test_keys::ada())]);
    // Bob has renewed his session key: this is an entry from before, one from after, and one that the server made up.
    let bob = Adversary::new("bob", test_keys::bob());
    let (old, owner) = (bob.entry(), test_keys::bob());
    let listed = |session: SessionRecord| Listed { session, ..old.clone() };
    let sign = |signer, created| {
        let key = test_keys::session_keys();
        SessionRecord::sign(key.current().public_key(), created, signer, &old.name, &[0; 32])
    };
    let new = listed(sign(&owner, 2));
    let for_another_server = {
        let key = test_keys::session_keys();
        listed(SessionRecord::sign(key.current().public_key(), 3, &owner, &old.name, &[7; 32]))
    };
    let unsigned = listed(test_keys::unsigned_record(&old.name, &old.public_key, 4));
    at_ada.send(&ServerMessage::Joined { revision: 2, person: new }).unwrap();
    ada.wait_until("bob", |ada| ada.sees("bob"));
    ada.write(to(&old), "Hello");
    assert_eq!(at_ada.next_said().handed, []);
    for (step, (entry, reason)) in
        [(old.clone(), "was replaced before"), (for_another_server, "has not signed"), (unsigned, "has not signed")]
            .into_iter()
            .enumerate()
    {
        let revision = 3 + 2 * step as u64;
        replace(&mut at_ada, entry, revision);
        let has_come = |ada: &Person| ada.state.people.dictionary().is_some_and(|all| all.revision() == revision + 1);
        ada.wait_until("the entry", has_come);
        ada.write(to(&old), "The password is rosebud");
        ada.wait_until("the reason", |ada| ada.failures.len() > step);
        assert!(ada.failures[step].contains(reason), "{:?}", ada.failures);
        assert_eq!(ada.settled(&mut at_ada, revision), [], "nothing was sent");
    }
}

#[test]
fn a_server_cannot_show_what_one_person_writes_under_the_name_of_another() {
    // An unknown key-share: Bob's dictionary has Ada's key under the name of Mallory. Ada has signed no session record for
    // that name, so the server shows Bob the one that she has signed for her own, or one that it makes up.
    for is_made_up in [false, true] {
        let server = FakeServer::new();
        let (mut ada, mut bob) =
            (Person::plaintext("ada", &test_keys::ada()), Person::plaintext("bob", &test_keys::bob()));
        let (mut at_ada, mut at_bob) = (ada.meet(&server), bob.meet(&server));
        let (ada_entry, bob_entry, mallory) = (at_ada.own_entry(), at_bob.own_entry(), name("mallory"));
        let made_up = test_keys::unsigned_record(&mallory, &ada_entry.public_key, 9);
        let session = if is_made_up { made_up } else { ada_entry.session.clone() };
        at_ada.welcome_with(&[ada_entry.clone(), bob_entry.clone()]);
        at_bob.welcome_with(&[bob_entry.clone(), Listed { name: mallory, session, ..ada_entry.clone() }]);
        ada.wait_until("bob", |ada| ada.sees("bob"));
        bob.wait_until("mallory", |bob| bob.sees("mallory"));

        ada.write(Peer::Everyone, "I quit.");
        let said = at_ada.next_said();
        at_bob.hand(said.handed_to(&bob_entry).expect("Bob is handed the sender key"));
        at_bob.relay(&said.envelope);
        ada.write(to(&bob_entry), "I quit.");
        at_bob.relay(&at_ada.next_said().envelope);
        bob.wait_for_envelopes(3);
        assert!(bob.outcomes.iter().all(|(_, outcome)| !is_opened(*outcome)), "{:?}", bob.outcomes);
        for conversation in [to(&ada_entry), Peer::Everyone] {
            assert_eq!(bob.texts(conversation), Vec::<&str>::new(), "Mallory has said nothing");
        }
        assert_eq!(bob.settled(&mut at_bob, 1), [], "and the server does not learn what came of it");
        // Nor does a letter for Mallory go to Ada.
        bob.write(to(&ada_entry), "The password is rosebud");
        bob.wait_until("the reason", |bob| bob.failures.len() == 1);
        assert!(bob.failures[0].contains("that mallory has not signed"), "{:?}", bob.failures);
        assert_eq!(bob.settled(&mut at_bob, 2), []);
    }
}
