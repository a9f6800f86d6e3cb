//! A server that is killed and started again, over real sockets: clients come back, and what was written meanwhile arrives once.

use common::crypto::test_keys;
use triptych_client::state::{
    action::{Action, Peer},
    connection::Phase,
    conversation::Delivery,
};

use crate::support::{host::Host, person::Person, scenes};

/// The person's client has noticed that the server is gone.
fn lose(person: &mut Person) {
    person.wait_until("loss", |person| matches!(person.state.connection.phase, Phase::Waiting { .. }));
}

fn back(person: &mut Person, other: &str) {
    person.handle(Action::ReconnectNow);
    person.wait_until("welcome", |person| person.sees(other));
}

#[test]
fn what_is_written_while_the_server_is_away_arrives_once_and_in_order_when_it_is_back() {
    let host = Host::start(None, "127.0.0.1:0");
    let address = host.address.clone();
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    ada.join(&address, |_| true);
    bob.join(&address, |state| state.people.others().count() == 1);
    ada.wait_until("bob", |ada| ada.sees("bob"));
    let [with_ada, with_bob] = [scenes::ada(), scenes::bob()].map(|key| Peer::Person(key.id()));
    ada.write(with_bob, "before");
    bob.wait_until("the text", |bob| bob.texts(with_ada).len() == 1);
    ada.wait_until("receipt", |ada| delivered(ada, with_bob) == 1);

    host.kill();
    lose(&mut ada);
    for text in ["one", "two", "three"] {
        ada.write(with_bob, text);
    }
    ada.write(Peer::Everyone, "to all");
    lose(&mut bob);
    let host = Host::start(None, &address);
    // Ada is back before Bob.
    ada.handle(Action::ReconnectNow);
    ada.wait_until("welcome", |ada| ada.state.connection.is_online());
    assert_eq!(delivered(&ada, with_bob), 1);
    back(&mut bob, "ada");
    ada.wait_until("bob", |ada| ada.sees("bob"));
    bob.wait_until("the texts", |bob| bob.texts(with_ada).len() == 4 && bob.texts(Peer::Everyone).len() == 1);
    ada.wait_until("receipts", |ada| delivered(ada, with_bob) == 4);
    assert_eq!(bob.texts(with_ada), ["before", "one", "two", "three"]);
    assert_eq!(bob.texts(Peer::Everyone), ["to all"]);

    // The next loss brings nothing again.
    host.kill();
    lose(&mut ada);
    lose(&mut bob);
    let _host = Host::start(None, &address);
    ada.handle(Action::ReconnectNow);
    back(&mut bob, "ada");
    ada.wait_until("bob", |ada| ada.sees("bob"));
    ada.write(with_bob, "after");
    bob.wait_until("the last text", |bob| bob.texts(with_ada).last() == Some(&"after"));
    assert_eq!(bob.texts(with_ada), ["before", "one", "two", "three", "after"]);
}

fn delivered(person: &Person, peer: Peer) -> usize {
    let conversation = person.state.conversations.get(peer).expect("there was a message");
    conversation.messages.iter().filter(|message| message.delivery == Delivery::Delivered).count()
}

#[test]
fn what_is_written_to_someone_who_left_arrives_when_they_join_again() {
    let host = Host::start(None, "127.0.0.1:0");
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    ada.join(&host.address, |_| true);
    bob.join(&host.address, |_| true);
    ada.wait_until("bob", |ada| ada.sees("bob"));
    let [with_ada, with_bob] = [scenes::ada(), scenes::bob()].map(|key| Peer::Person(key.id()));
    bob.leave();
    ada.wait_until("bob's leaving", |ada| !ada.sees("bob"));
    for text in ["one", "two"] {
        ada.write(with_bob, text);
    }
    bob.join(&host.address, |_| true);
    ada.wait_until("bob", |ada| ada.sees("bob"));
    bob.wait_until("the texts", |bob| bob.texts(with_ada).len() == 2);
    assert_eq!(bob.texts(with_ada), ["one", "two"]);
}
