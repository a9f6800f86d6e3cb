//! A dishonest server between people who have each other's real keys: it changes, repeats, swaps, drops and withholds what
//! they write, and invents a member. Real clients on both sides; the server is the test. Each test says what it gets.

use common::{
    crypto::{Envelope, test_keys},
    message::{Person as Listed, ServerMessage},
};
use triptych_client::{
    event::{Offline, WireOutcome},
    state::{action::Peer, delivery::Delivery, trust::Privacy},
};

use crate::support::{
    adversary::{Adversary, Got},
    client::Client,
    fake_server::{self, FakeServer},
    person::{Person, gather, is_opened},
};

/// Damaged envelopes of one sender that a client tries at once; with those beyond, it would not get to the cryptography.
const TRIED_AT_ONCE: usize = 7;

fn to(person: &Listed) -> Peer {
    Peer::Person(person.public_key.id())
}

/// Bob on a new connection to this server, with Ada, who is the test, in his dictionary.
fn bob_among(server: &FakeServer, bob: &mut Person, ada: &Adversary) -> fake_server::Peer {
    let mut at_bob = bob.meet(server);
    at_bob.welcome_with(&[at_bob.own_entry(), ada.entry()]);
    bob.outcomes.clear();
    bob.wait_until("ada", |bob| bob.sees("ada"));
    at_bob
}

/// Changes each of these bytes of an envelope to Bob in its turn. `envelope_for` makes the envelope for the session key of a
/// connection, with this sequence, and says which letters Bob must be handed before.
fn change_each_byte(
    ada: &Adversary,
    positions: impl Iterator<Item = usize>,
    envelope_for: impl Fn(&Listed, u64) -> (Vec<Vec<u8>>, Vec<u8>),
    conversation: Peer,
) {
    let server = FakeServer::new();
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    let positions: Vec<usize> = positions.collect();
    for (number, batch) in (0..).zip(positions.chunks(TRIED_AT_ONCE)) {
        let mut at_bob = bob_among(&server, &mut bob, ada);
        // Higher than on the connection before, or all were refused as replays.
        let (handed, envelope) = envelope_for(&at_bob.own_entry(), 3 * number + 1);
        handed.iter().for_each(|letter| at_bob.hand(letter));
        let (mut sent, mut breaches) = (handed.len(), Vec::new());
        for &position in batch {
            let mut changed = envelope.clone();
            changed[position] ^= 1;
            if Envelope::parse(changed.clone()).is_ok() {
                at_bob.relay(&changed);
                sent += 1;
            } else {
                breaches.push(changed);
            }
        }
        bob.wait_for_envelopes(sent);
        for (_, outcome) in &bob.outcomes[handed.len()..] {
            assert!(!is_opened(*outcome), "{batch:?}: {:?}", bob.outcomes);
            assert_ne!(*outcome, WireOutcome::TooManyFailures, "each is really tried");
        }
        assert_eq!(bob.texts(conversation), Vec::<&str>::new(), "nothing is shown");
        assert_eq!(bob.settled(&mut at_bob, 1), [], "nothing is answered");
        at_bob.relay(&envelope);
        bob.wait_until("the message as it was", |bob| bob.texts(conversation) == ["unchanged"]);
        assert!(at_bob.sync(2).len() <= 1, "at most a receipt for the one that was opened");
        bob.leave();

        // A layout that is none ends the connection: no such envelope passes an honest server.
        for breach in breaches {
            let mut at_bob = bob_among(&server, &mut bob, ada);
            at_bob.relay(&breach);
            assert!(matches!(bob.client.offline(), Offline::BrokeProtocol { .. }));
        }
        // Without the message that was shown.
        bob = Person::at(bob.client, "bob");
    }
}

#[test]
fn a_server_that_changes_a_byte_in_the_header_of_a_letter_has_nothing_shown_and_gets_no_answer() {
    let ada = Adversary::new("ada", test_keys::ada());
    let letter = ada.text(&Adversary::new("bob", test_keys::bob()).entry(), 1, "unchanged");
    let header_bytes = letter.len() - Envelope::parse(letter.clone()).unwrap().body().len();
    // Every byte up to the wrapped secret. Of the two long fields some: `letter_tests` changes every byte of them.
    let positions = (0..108).chain((108..header_bytes).step_by(29));
    change_each_byte(
        &ada,
        positions,
        |bob, sequence| (Vec::new(), ada.text(bob, sequence, "unchanged")),
        to(&ada.entry()),
    );
}

#[test]
fn a_server_that_changes_a_byte_in_the_header_of_a_message_to_everyone_has_nothing_shown_and_gets_no_answer() {
    let ada = Adversary::new("ada", test_keys::ada());
    let envelope_for = |bob: &Listed, sequence: u64| {
        let (handed, line) = ada.line_to_everyone(bob, sequence, "unchanged");
        (vec![handed], line)
    };
    change_each_byte(&ada, 0..90, envelope_for, Peer::Everyone);
}

#[test]
fn a_server_that_repeats_swaps_and_drops_messages_has_none_shown_twice_or_changed() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, mut bob], [mut at_ada, mut at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    for conversation in [to(&bob_entry), Peer::Everyone] {
        bob.outcomes.clear();
        let mut said = Vec::new();
        for text in ["one", "two", "three", "four"] {
            ada.write(conversation, text);
            let next = at_ada.next_said();
            next.handed.iter().for_each(|(_, letter)| at_bob.hand(letter));
            said.push(next);
        }
        let handed = said.iter().map(|said| said.handed.len()).sum::<usize>();
        // The second one is dropped, the third overtakes the first, and each comes again and again.
        let order = [2, 2, 0, 2, 0, 3, 3, 0, 2];
        order.iter().for_each(|&number| at_bob.relay(&said[number].envelope));
        bob.wait_for_envelopes(handed + order.len());
        let shown_in = if conversation == Peer::Everyone { Peer::Everyone } else { to(&ada_entry) };
        let mut texts = bob.texts(shown_in);
        texts.sort_unstable();
        assert_eq!(texts, ["four", "one", "three"], "each once, and the late one, too");
        let opened = bob.outcomes[handed..].iter().filter(|(_, outcome)| is_opened(*outcome)).count();
        assert_eq!(opened, texts.len(), "a repetition is not opened");
    }
}

#[test]
fn a_server_that_replays_a_whole_connection_to_a_restarted_client_has_nothing_shown() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, mut bob], [mut at_ada, mut at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    let mut recording = Vec::new();
    for conversation in [to(&bob_entry), Peer::Everyone, Peer::Everyone] {
        ada.write(conversation, "The meeting is at noon");
        let said = at_ada.next_said();
        recording.extend(said.handed.into_iter().map(|(_, letter)| (true, letter)));
        recording.push((false, said.envelope));
    }
    let everything = |at_bob: &mut fake_server::Peer| {
        for (is_handed, envelope) in &recording {
            if *is_handed { at_bob.hand(envelope) } else { at_bob.relay(envelope) }
        }
        recording.len()
    };
    everything(&mut at_bob);
    bob.wait_until("all three", |bob| bob.texts(to(&ada_entry)).len() == 1 && bob.texts(Peer::Everyone).len() == 2);
    bob.leave();

    // The program is started anew; Ada is as she was, and her session record with her.
    let mut restarted = Person::at(Client::sharing(bob.client.data_dir.path()), "bob");
    for _ in ["the first connection after that", "the second"] {
        let mut at_bob = restarted.meet(&server);
        at_bob.welcome_with(&[at_bob.own_entry(), ada_entry.clone()]);
        restarted.outcomes.clear();
        restarted.wait_until("ada", |bob| bob.sees("ada"));
        let count = everything(&mut at_bob);
        restarted.wait_for_envelopes(count);
        assert!(restarted.outcomes.iter().all(|(_, outcome)| !is_opened(*outcome)), "{:?}", restarted.outcomes);
        assert_eq!((restarted.texts(to(&ada_entry)).len(), restarted.texts(Peer::Everyone).len()), (0, 0));
        assert_eq!(restarted.settled(&mut at_bob, 1), []);
        restarted.leave();
    }
}

#[test]
fn a_member_that_the_server_invents_reads_no_letter_and_nothing_that_was_said_before() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, _bob], [mut at_ada, _at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    ada.write(Peer::Everyone, "before");
    let before = at_ada.next_said();
    let mut mallory = Adversary::new("mallory", test_keys::eve());
    at_ada.send(&ServerMessage::Joined { revision: 2, person: mallory.entry() }).unwrap();
    ada.wait_until("mallory", |ada| ada.sees("mallory"));
    assert_eq!(ada.state.trust.privacy(&mallory.key(), 0), Privacy::New, "the window lists a person who is new");
    at_ada.sync(1);
    ada.write(to(&bob_entry), "The password is rosebud");
    let letter = at_ada.next_said();
    ada.write(Peer::Everyone, "after");
    let after = at_ada.next_said();

    // What the server gets is what it gets of every member: what is said to everyone from then on.
    let handed = after.handed_to(&mallory.entry()).expect("the sender key is handed to all who are listed");
    assert!(matches!(mallory.open(handed, &ada_entry.public_key), Got::SenderKey(_)));
    assert_eq!(mallory.open(&after.envelope, &ada_entry.public_key), Got::Text("after".to_owned()));
    // What it does not get.
    assert_eq!(mallory.open(&before.envelope, &ada_entry.public_key), Got::Nothing);
    for letter in [&letter.envelope[..], before.handed_to(&bob_entry).expect("Bob is handed the sender key")] {
        assert_eq!(mallory.open(letter, &ada_entry.public_key), Got::Nothing);
    }
}

#[test]
fn a_server_cannot_write_as_one_whom_it_does_not_list_nor_as_the_reader() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, _], [mut at_ada, _], [ada_entry, bob_entry]) = gather(&server, keys);
    let mallory = Adversary::new("mallory", test_keys::eve());
    let unlisted = mallory.text(&ada_entry, 1, "forged");
    // The same, with another key as the sender: Bob's, who is listed, and Ada's own.
    let forged = |as_sender: &Listed| {
        let mut bytes = unlisted.clone();
        bytes[26..58].copy_from_slice(&as_sender.public_key.id().0);
        bytes
    };
    let envelopes = [unlisted.clone(), forged(&bob_entry), forged(&ada_entry)];
    envelopes.iter().for_each(|envelope| at_ada.relay(envelope));
    ada.wait_for_envelopes(envelopes.len());
    assert!(ada.outcomes.iter().all(|(_, outcome)| !is_opened(*outcome)), "{:?}", ada.outcomes);
    for conversation in [Peer::Person(mallory.key()), to(&bob_entry), to(&ada_entry), Peer::Everyone] {
        assert_eq!(ada.texts(conversation), Vec::<&str>::new());
    }
    assert_eq!(ada.settled(&mut at_ada, 1), []);
    let refused = ada.outcomes.iter().filter(|(_, outcome)| *outcome == WireOutcome::NotYours).count();
    assert_eq!(refused, 1, "Ada has not sent the one in her name");

    // One that she did send is hers as it was, and once.
    for conversation in [to(&bob_entry), Peer::Everyone] {
        ada.outcomes.clear();
        ada.write(conversation, "The meeting is at noon");
        let said = at_ada.next_said().envelope;
        let mut changed = said.clone();
        *changed.last_mut().unwrap() ^= 1;
        at_ada.relay(&changed);
        ada.wait_for_envelopes(1);
        assert_eq!(ada.outcomes[0].1, WireOutcome::NotYours, "the same id, and not the same bytes");
        let is_relayed = |ada: &Person| {
            let messages = &ada.state.conversations.get(conversation).unwrap().messages;
            messages.back().unwrap().delivery == Delivery::Relayed
        };
        assert!(!is_relayed(&ada), "the window does not say that it was sent");
        at_ada.relay(&said);
        at_ada.relay(&said);
        ada.wait_for_envelopes(3);
        assert_eq!((ada.outcomes[1].1, ada.outcomes[2].1), (WireOutcome::Own, WireOutcome::NotYours));
        assert!(is_relayed(&ada));
    }
}

#[test]
fn a_server_that_withholds_a_sender_key_has_the_message_listed_as_unreadable_and_shown_as_no_ones() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([mut ada, mut bob], [mut at_ada, mut at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    let mallory = Adversary::new("mallory", test_keys::eve());
    at_bob.send(&ServerMessage::Joined { revision: 2, person: mallory.entry() }).unwrap();
    bob.wait_until("mallory", |bob| bob.sees("mallory"));
    ada.write(Peer::Everyone, "The meeting is at noon");
    let said = at_ada.next_said();
    at_bob.relay(&said.envelope);
    bob.wait_for_envelopes(1);
    assert_eq!(bob.outcomes[0].1, WireOutcome::NoSenderKey, "the wire view says so");
    // The server names another sender, who has handed Bob a key of her own.
    let (handed, _) = mallory.line_to_everyone(&bob_entry, 1, "x");
    at_bob.hand(&handed);
    let mut renamed = said.envelope.clone();
    renamed[26..58].copy_from_slice(&mallory.key().0);
    at_bob.relay(&renamed);
    bob.wait_for_envelopes(3);
    assert!(!is_opened(bob.outcomes[2].1), "{:?}", bob.outcomes);
    assert_eq!(bob.texts(Peer::Everyone), Vec::<&str>::new());
    // Once it is handed over, what Ada says is read again.
    at_bob.hand(said.handed_to(&bob_entry).expect("Ada has handed it"));
    ada.write(Peer::Everyone, "At one, I mean");
    at_bob.relay(&at_ada.next_said().envelope);
    bob.wait_until("the next message", |bob| bob.texts(Peer::Everyone) == ["At one, I mean"]);
    assert_eq!(bob.texts(to(&ada_entry)), Vec::<&str>::new());
}
