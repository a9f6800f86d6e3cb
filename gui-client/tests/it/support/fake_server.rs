//! A server that does what a test tells it to, over a real socket and without TLS.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
};

use common::{
    codec::{decode_client, encode_server},
    crypto::{
        Identity, KeyId, PublicKey, SessionRecord, TextNumber,
        letter::{self, Content, Letter},
    },
    limits::PROTOCOL_VERSION,
    media::Library,
    message::{Blob, ClientMessage, Person, ServerInfo, ServerMessage},
    name::Name,
};

use super::{
    client::{Client, keep},
    wake::DEADLINE,
};

/// Accepts connections.
pub struct FakeServer(TcpListener);

impl FakeServer {
    pub fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// A client with this identity that connects to this server as `name`, and this server's end of the connection.
    pub fn meet(&self, name: &str, identity: &Identity) -> (Client, Peer) {
        let data_dir = tempfile::tempdir().unwrap();
        keep(data_dir.path(), name, identity);
        let client = Client::with(data_dir, true);
        client.connect(&self.address(), name);
        (client, self.accept())
    }

    /// The next connection, up to the client's `Join`.
    pub fn accept(&self) -> Peer {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let mut peer = Peer { stream, name: String::new(), public_key: None, session: None };
        let hello = peer.read();
        assert!(matches!(hello, ClientMessage::Hello { protocol_version: PROTOCOL_VERSION, .. }), "{hello:?}");
        let software = "fake".to_owned();
        peer.send(&ServerMessage::Challenge { protocol_version: PROTOCOL_VERSION, software, nonce: [7; 32] }).unwrap();
        let ClientMessage::Join { name, public_key, session, .. } = peer.read() else { panic!("no Join") };
        peer.session = Some(SessionRecord::parse(&session.0).unwrap());
        (peer.name, peer.public_key) = (name, Some(PublicKey::from_der(&public_key.0).unwrap()));
        peer
    }
}

/// The server's end of a connection.
pub struct Peer {
    stream: TcpStream,
    name: String,
    public_key: Option<PublicKey>,
    session: Option<SessionRecord>,
}

impl Peer {
    /// The client's entry of the dictionary.
    pub fn own_entry(&self) -> Person {
        let joined = "it has joined";
        Person {
            name: Name::parse(&self.name).unwrap(),
            public_key: self.public_key.clone().expect(joined),
            session: self.session.clone().expect(joined),
            since_unix_secs: 0,
        }
    }

    /// Lets the client in, among these others, as revision 1.
    pub fn welcome(&mut self, others: Vec<Person>, library: Library) {
        let own = self.own_entry();
        self.welcome_as(own.name.clone(), [vec![own], others].concat(), library);
    }

    /// Lets the client in, among exactly these people, with an empty library, as revision 1.
    pub fn welcome_with(&mut self, people: &[Person]) {
        let own = self.own_entry();
        self.welcome_as(own.name, people.to_vec(), Library::default());
    }

    /// Lets the client in under a name, with exactly these people, as revision 1. The client may leave before the end of it.
    pub fn welcome_as(&mut self, name: Name, people: Vec<Person>, library: Library) {
        let people_count = u32::try_from(people.len()).unwrap();
        let server = ServerInfo::default();
        self.send(&ServerMessage::Welcome { name, revision: 1, people_count, server, library }).unwrap();
        let _ = self.send_people(people);
    }

    /// Sends a whole dictionary. The client may leave before the end of it.
    pub fn directory(&mut self, revision: u64, people: Vec<Person>) {
        let people_count = u32::try_from(people.len()).unwrap();
        self.send(&ServerMessage::Directory { revision, people_count }).unwrap();
        let _ = self.send_people(people);
    }

    fn send_people(&mut self, people: Vec<Person>) -> io::Result<()> {
        people.chunks(20).try_for_each(|page| self.send(&ServerMessage::People { people: page.to_vec() }))
    }

    /// Fails when the client has left.
    pub fn send(&mut self, message: &ServerMessage) -> io::Result<()> {
        self.stream.write_all(&encode_server(message))
    }

    /// The next message of the client.
    pub fn read(&mut self) -> ClientMessage {
        self.try_read().expect("the client is there")
    }

    /// The next message that concerns people or videos. Fails when the client has left.
    pub fn try_read(&mut self) -> io::Result<ClientMessage> {
        loop {
            // Each client says this by itself when it comes online.
            match self.try_read_any()? {
                ClientMessage::ShowWatching { .. } => {}
                message => return Ok(message),
            }
        }
    }

    /// The next message, whatever it is. Fails when the client has left.
    pub fn try_read_any(&mut self) -> io::Result<ClientMessage> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(decode_client(&frame).unwrap())
    }

    /// Sends a ping and reads up to its answer: the client's network task has taken in everything that was sent before. Returns
    /// what came in between. Letters come from another thread of the client, so one may still follow the answer.
    pub fn sync(&mut self, number: u64) -> Vec<ClientMessage> {
        self.send(&ServerMessage::Ping { number }).unwrap();
        let mut passed = Vec::new();
        loop {
            match self.read() {
                ClientMessage::Pong { number: answered } if answered == number => return passed,
                other => passed.push(other),
            }
        }
    }

    /// What the client says to all, up to and including the next `Say`: what it handed to whom on the way, and that.
    pub fn next_said(&mut self) -> Said {
        let mut handed = Vec::new();
        loop {
            match self.read() {
                ClientMessage::Hand { to, envelope } => handed.push((to, envelope.0)),
                ClientMessage::Say { envelope } => return Said { handed, envelope: envelope.0 },
                ClientMessage::Pong { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Relays an envelope to this client.
    pub fn relay(&mut self, envelope: &[u8]) {
        self.send(&ServerMessage::Relayed { envelope: Blob(envelope.to_vec()) }).unwrap();
    }

    /// Hands an envelope to this client.
    pub fn hand(&mut self, envelope: &[u8]) {
        self.send(&ServerMessage::Handed { envelope: Blob(envelope.to_vec()) }).unwrap();
    }

    /// Another handle of the same connection, for a thread that reads.
    pub fn reader(&self) -> Self {
        let (public_key, session) = (self.public_key.clone(), self.session.clone());
        Self { stream: self.stream.try_clone().unwrap(), name: self.name.clone(), public_key, session }
    }
}

/// What a client says: letters that it has handed on, with the keys that they are for, and an envelope for all.
pub struct Said {
    pub handed: Vec<(KeyId, Vec<u8>)>,
    pub envelope: Vec<u8>,
}

impl Said {
    /// The letter that is handed to this person.
    pub fn handed_to(&self, person: &Person) -> Option<&[u8]> {
        let key = person.public_key.id();
        self.handed.iter().find(|(to, _)| *to == key).map(|(_, envelope)| &**envelope)
    }
}

/// A letter from `sender` to this person, as the server relays it.
pub fn letter(sender: &Identity, sequence: u64, to: &Person, text: &str) -> ServerMessage {
    let letter = Letter {
        sent_unix_millis: 5,
        content: Content::Text(TextNumber { count: sequence, number: 1 }, text.to_owned()),
    };
    let envelope = letter::seal(&letter, sequence, sender, &to.public_key, &to.session).unwrap();
    ServerMessage::Relayed { envelope: Blob(envelope.as_bytes().to_vec()) }
}

/// The same, damaged on the way: it cannot be opened.
pub fn junk(sender: &Identity, sequence: u64, to: &Person) -> ServerMessage {
    let ServerMessage::Relayed { mut envelope } = letter(sender, sequence, to, "x") else { unreachable!() };
    *envelope.0.last_mut().unwrap() ^= 1;
    ServerMessage::Relayed { envelope }
}
