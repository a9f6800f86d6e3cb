//! Dishonest members of a real server, which is honest or colludes with them, against people at real clients. Each test
//! says what the member gets.

use common::{
    crypto::{
        Envelope, TextNumber,
        letter::{Content, attempt},
        test_keys,
    },
    message::{Person as Listed, RefusalCode},
};
use triptych_client::state::{State, action::Peer};

use crate::support::{
    adversary::{Adversary, Got},
    fake_server::FakeServer,
    host::Host,
    member::Member,
    person::{Person, gather, is_opened, sees},
};

fn to(person: &Listed) -> Peer {
    Peer::Person(person.public_key.id())
}

fn everyone_sees<'a>(names: &'a [&str]) -> impl Fn(&State) -> bool + 'a {
    move |state| names.iter().all(|name| sees(state, name))
}

/// Ada and Bob at real clients, and Eve, who sends what the test says.
fn room(host: &Host) -> (Person, Person, Member) {
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    ada.join(&host.address, |_| true);
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    bob.join(&host.address, everyone_sees(&["ada"]));
    let eve = Member::join(&host.address, Adversary::new("eve", test_keys::eve()));
    ada.wait_until("all", |ada| ada.sees("bob") && ada.sees("eve"));
    bob.wait_until("all", |bob| bob.sees("eve"));
    (ada, bob, eve)
}

#[test]
fn a_member_who_forwards_a_letter_of_another_is_refused_or_not_believed() {
    let host = Host::start(None, "127.0.0.1:0");
    let (mut ada, mut bob, mut eve) = room(&host);
    let (ada_entry, bob_entry, eve_entry) =
        (eve.person("ada").clone(), eve.person("bob").clone(), eve.adversary.entry());
    ada.write(to(&eve_entry), "You are dismissed");
    let letter = eve.next_envelope();
    assert_eq!(eve.adversary.open(&letter, &ada_entry.public_key), Got::Text("You are dismissed".to_owned()));
    bob.wait_for_envelopes(1);

    // Under her own key in the header, to herself as it was, and to Bob. (That the text and the signature, sealed for Bob
    // under a header in Ada's name, do not open either is shown in `letter_tests`.)
    let mut as_her_own = letter.clone();
    as_her_own[26..58].copy_from_slice(&eve.adversary.key().0);
    let mut to_bob = as_her_own.clone();
    to_bob[58..90].copy_from_slice(&bob_entry.public_key.id().0);
    to_bob[90..106].copy_from_slice(&bob_entry.session.id().0);
    for forwarded in [&as_her_own, &to_bob] {
        eve.say(forwarded);
    }
    bob.wait_for_envelopes(3);
    assert!(bob.outcomes.iter().all(|(_, outcome)| !is_opened(*outcome)), "{:?}", bob.outcomes);
    for conversation in [to(&ada_entry), to(&eve_entry), Peer::Everyone] {
        assert_eq!(bob.texts(conversation), Vec::<&str>::new());
    }
    // As it is: the server refuses it, since the sender in the header is not her.
    eve.say(&letter);
    assert_eq!(eve.refusal(), RefusalCode::Malformed);
    bob.wait_until("her end", |bob| !bob.sees("eve"));
    assert_eq!(bob.outcomes.len(), 3, "and relays nothing");
}

#[test]
fn a_member_who_hands_over_a_sender_key_for_another_speaks_for_no_one() {
    let host = Host::start(None, "127.0.0.1:0");
    let (mut ada, mut bob, mut eve) = room(&host);
    let (ada_entry, bob_entry) = (eve.person("ada").clone(), eve.person("bob").clone());
    ada.write(Peer::Everyone, "Hello");
    let handed = eve.next_envelope();
    let Got::SenderKey(of_ada) = eve.adversary.open(&handed, &ada_entry.public_key) else { panic!("no sender key") };
    let line = eve.next_envelope();
    assert_eq!(eve.adversary.open(&line, &ada_entry.public_key), Got::Text("Hello".to_owned()));
    bob.wait_until("the message", |bob| bob.texts(Peer::Everyone) == ["Hello"]);

    // Ada's genuine sender key as Eve's own, and then Ada's message as Eve's.
    let stolen =
        eve.adversary.letter(&bob_entry, 1, Content::SenderKey(TextNumber { count: 1, number: 1 }, of_ada.into()));
    eve.hand(&bob_entry, &stolen);
    let mut as_her_own = line.clone();
    as_her_own[26..58].copy_from_slice(&eve.adversary.key().0);
    eve.say(&as_her_own);
    let before = bob.outcomes.len();
    bob.wait_for_envelopes(before + 2);
    assert!(!is_opened(bob.outcomes[before + 1].1), "{:?}", bob.outcomes);
    // Ada is read as before.
    ada.write(Peer::Everyone, "Are you there?");
    bob.wait_until("the next message", |bob| bob.texts(Peer::Everyone).len() == 2);
    assert_eq!(bob.texts(Peer::Everyone), ["Hello", "Are you there?"]);
    assert!(bob.authors(Peer::Everyone).iter().all(|author| author == "ada"), "nothing is said to be Eve's");

    // A key of her own in Ada's name: the server refuses it.
    let (mut in_her_name, _) = eve.adversary.line_to_everyone(&bob_entry, 3, "I am Ada");
    in_her_name[26..58].copy_from_slice(&ada_entry.public_key.id().0);
    eve.hand(&bob_entry, &in_her_name);
    assert_eq!(eve.refusal(), RefusalCode::Malformed);
}

#[test]
fn a_member_and_a_server_together_cannot_hand_over_a_sender_key_for_another() {
    let server = FakeServer::new();
    let keys = [("ada", test_keys::ada()), ("bob", test_keys::bob())];
    let ([_, mut bob], [_, mut at_bob], [ada_entry, bob_entry]) = gather(&server, keys);
    let eve = Adversary::new("eve", test_keys::eve());
    let (mut handed, mut line) = eve.line_to_everyone(&bob_entry, 1, "I am Ada");
    for envelope in [&mut handed, &mut line] {
        envelope[26..58].copy_from_slice(&ada_entry.public_key.id().0);
    }
    at_bob.hand(&handed);
    at_bob.relay(&line);
    bob.wait_for_envelopes(2);
    assert!(bob.outcomes.iter().all(|(_, outcome)| !is_opened(*outcome)), "{:?}", bob.outcomes);
    assert_eq!(bob.texts(Peer::Everyone), Vec::<&str>::new());
    assert_eq!(bob.settled(&mut at_bob, 1), []);
}

#[test]
fn a_member_who_leaves_and_still_records_reads_nothing_that_is_said_afterwards() {
    let host = Host::start(None, "127.0.0.1:0");
    let (mut ada, mut bob, mut eve) = room(&host);
    let ada_entry = eve.person("ada").clone();
    ada.write(Peer::Everyone, "with Eve");
    let handed = eve.next_envelope();
    assert!(matches!(eve.adversary.open(&handed, &ada_entry.public_key), Got::SenderKey(_)));
    let line = eve.next_envelope();
    assert_eq!(eve.adversary.open(&line, &ada_entry.public_key), Got::Text("with Eve".to_owned()));
    bob.wait_until("the message", |bob| bob.texts(Peer::Everyone) == ["with Eve"]);
    let bob_entry = eve.person("bob").clone();
    let mut keys_of_eve = eve.leave();
    ada.wait_until("her end", |ada| !ada.sees("eve"));

    // A friend of hers stays, and records for her: another member, who has another key.
    let friend = test_keys::crowd().into_iter().next().expect("there are many");
    let mut friend = Member::join(&host.address, Adversary::new("friend", friend));
    ada.wait_until("the friend", |ada| ada.sees("friend"));
    ada.write(to(&bob_entry), "Did she know?");
    ada.write(Peer::Everyone, "without Eve");
    bob.wait_until("both", |bob| bob.texts(Peer::Everyone).len() == 2 && bob.texts(to(&ada_entry)).len() == 1);
    let (letter, handed, line) = (friend.next_envelope(), friend.next_envelope(), friend.next_envelope());
    for envelope in [&letter, &handed, &line] {
        assert_eq!(keys_of_eve.open(envelope, &ada_entry.public_key), Got::Nothing);
    }
    assert!(attempt(&Envelope::parse(letter).unwrap(), &keys_of_eve.identity).is_err(), "it is not for her key");
    // The friend is a member as every other, and could tell her.
    assert!(matches!(friend.adversary.open(&handed, &ada_entry.public_key), Got::SenderKey(_)));
    assert_eq!(friend.adversary.open(&line, &ada_entry.public_key), Got::Text("without Eve".to_owned()));
}
