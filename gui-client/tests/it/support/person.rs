//! A client with its state, driven as by its window: what the person does becomes commands, what the network reports
//! changes the state.

use std::sync::LazyLock;

use common::{
    crypto::{Identity, MessageId},
    message::{ClientMessage, Person as Listed},
};
use triptych_client::{
    event::{NetEvent, WireOutcome},
    state::{
        State,
        action::{Action, Peer},
        conversation::Author,
        effect::Effect,
    },
};

use super::{
    client::{Client, keep},
    fake_server::{self, FakeServer},
    scenes::moment,
};

/// A key that no dictionary lists.
static UNLISTED: LazyLock<Identity> = LazyLock::new(|| Identity::generate(2048));

/// A person at a client without TLS.
pub struct Person {
    pub client: Client,
    pub state: State,
    /// What the client made of each envelope that arrived, in order.
    pub outcomes: Vec<(MessageId, WireOutcome)>,
    /// Why messages were not sent, in order: the sentences for the window.
    pub failures: Vec<String>,
}

impl Person {
    /// With this key, and not connected.
    pub fn plaintext(name: &str, identity: &Identity) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        keep(data_dir.path(), name, identity);
        Self::at(Client::with(data_dir, true), name)
    }

    /// At this client.
    pub fn at(client: Client, name: &str) -> Self {
        Self {
            client,
            state: State::new(String::new(), name.to_owned(), true),
            outcomes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Connects to the real server at this address, and waits until the state is as `is_there` says.
    pub fn join(&mut self, address: &str, is_there: impl Fn(&State) -> bool) {
        self.connect(address);
        self.wait_until("state", |person| person.state.connection.is_online() && is_there(&person.state));
    }

    /// Connects to a server that does what the test says, up to `Join`. Returns the server's end.
    pub fn meet(&mut self, server: &FakeServer) -> fake_server::Peer {
        self.connect(&server.address());
        server.accept()
    }

    fn connect(&mut self, address: &str) {
        self.handle(Action::EditAddress(address.to_owned()));
        self.handle(Action::Connect);
    }

    pub fn leave(&mut self) {
        self.handle(Action::Leave);
        self.client.offline();
    }

    pub fn handle(&mut self, action: Action) {
        let effects = self.state.handle(action, moment());
        self.carry_out(effects);
    }

    /// Opens the conversation, types the text and presses Enter.
    pub fn write(&mut self, to: Peer, text: &str) {
        self.handle(Action::Select(to));
        self.handle(Action::EditDraft(text.to_owned()));
        self.handle(Action::Send);
    }

    /// Takes in what the network reports until `is_so` holds.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            let event = self.client.wait_for(what, |event| Some(event.clone()));
            self.client.passed.borrow_mut().push(event.clone());
            match &event {
                NetEvent::Envelope(entry) => self.outcomes.push((entry.envelope.message_id, entry.outcome)),
                NetEvent::SendFailed { reason, .. } => self.failures.push(reason.clone()),
                _ => {}
            }
            let effects = self.state.apply(event, moment());
            self.carry_out(effects);
        }
    }

    /// Waits until this client has made something of `count` envelopes since the first.
    pub fn wait_for_envelopes(&mut self, count: usize) {
        self.wait_until("envelope", |person| person.outcomes.len() >= count);
    }

    /// What this client has sent since the test read last, up to the answer to ping `number`. The thread with the keys has by
    /// then sealed what it was given before, because it seals before it looks at envelopes, and it is seen to look at a last one.
    pub fn settled(&mut self, peer: &mut fake_server::Peer, number: u64) -> Vec<ClientMessage> {
        peer.send(&fake_server::letter(&UNLISTED, number, &peer.own_entry(), "the last one")).unwrap();
        let seen = self.outcomes.len();
        self.wait_until("the last envelope", |person| person.outcomes[seen..].iter().any(is_last));
        self.outcomes.retain(|outcome| !is_last(outcome));
        peer.sync(number)
    }

    /// The texts of a conversation, in order.
    pub fn texts(&self, peer: Peer) -> Vec<&str> {
        let conversation = self.state.conversations.get(peer);
        conversation.map_or_else(Vec::new, |found| found.messages.iter().map(|message| &*message.text).collect())
    }

    /// The authors of a conversation, in the order of the texts; oneself as `me`.
    pub fn authors(&self, peer: Peer) -> Vec<String> {
        let conversation = self.state.conversations.get(peer);
        let name = |author: &Author| match author {
            Author::Me => "me".to_owned(),
            Author::Other { name, .. } => name.to_string(),
        };
        conversation.map_or_else(Vec::new, |found| found.messages.iter().map(|message| name(&message.author)).collect())
    }

    /// Whether someone else with this name is online.
    pub fn sees(&self, name: &str) -> bool {
        sees(&self.state, name)
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        let commands = effects.into_iter().filter_map(|effect| match effect {
            Effect::Net(command) => Some(command),
            _ => None,
        });
        commands.for_each(|command| self.client.send(command));
    }
}

fn is_last((_, outcome): &(MessageId, WireOutcome)) -> bool {
    *outcome == WireOutcome::UnknownSender
}

/// Whether someone else with this name is online.
pub fn sees(state: &State, name: &str) -> bool {
    state.connection.is_online() && state.people.others().any(|(other, _)| other.as_str() == name)
}

/// Whether a text, or a sender key, came out of an envelope.
pub fn is_opened(outcome: WireOutcome) -> bool {
    matches!(outcome, WireOutcome::Opened | WireOutcome::OpenedWithSenderKey { .. } | WireOutcome::SenderKey)
}

/// People at real clients who meet on a server that does what the test says, each listed for all: the people, the server's
/// ends of their connections, and their entries of the dictionary.
pub fn gather<const N: usize>(
    server: &FakeServer,
    people: [(&str, Identity); N],
) -> ([Person; N], [fake_server::Peer; N], [Listed; N]) {
    let arrived = people.map(|(name, identity)| {
        let mut person = Person::plaintext(name, &identity);
        let peer = person.meet(server);
        (person, peer)
    });
    let entries = arrived.iter().map(|(_, peer)| peer.own_entry()).collect::<Vec<_>>();
    let (mut persons, mut peers) = (Vec::new(), Vec::new());
    for (mut person, mut peer) in arrived {
        peer.welcome_with(&entries);
        person.wait_until("welcome", |person| person.state.connection.is_online());
        persons.push(person);
        peers.push(peer);
    }
    (array(persons), array(peers), array(entries))
}

fn array<T, const N: usize>(items: Vec<T>) -> [T; N] {
    items.try_into().unwrap_or_else(|_| unreachable!("there is one for each person"))
}
