//! A member of a real server who sends what the test says.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use common::{
    codec::{decode_server, encode_client},
    media::Library,
    message::{Blob, ClientMessage, Person, RefusalCode, ServerMessage},
    test_messages,
};

use super::{adversary::Adversary, wake::DEADLINE};

/// An adversary who has joined a real server as a member, and sends what the test says.
pub struct Member {
    pub adversary: Adversary,
    pub people: Vec<Person>,
    pub library: Library,
    stream: TcpStream,
}

impl Member {
    pub fn join(address: &str, adversary: Adversary) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut member = Self { adversary, people: Vec::new(), library: Library::default(), stream };
        let nonce = [3; 32];
        member.send(&test_messages::hello(nonce));
        let ServerMessage::Challenge { nonce: server_nonce, .. } = member.next() else { panic!("no challenge") };
        let (entry, identity) = (member.adversary.entry(), &member.adversary.identity);
        let join = test_messages::join_with(entry.name.as_str(), identity, &entry.session, nonce, server_nonce);
        member.send(&join);
        let ServerMessage::Welcome { people_count, library, .. } = member.next() else { panic!("not let in") };
        member.library = library;
        while member.people.len() < people_count as usize {
            let ServerMessage::People { people } = member.next() else { panic!("no page") };
            member.people.extend(people);
        }
        member
    }

    /// The entry of this person in the dictionary of the `Welcome`.
    pub fn person(&self, name: &str) -> &Person {
        self.people.iter().find(|person| person.name.as_str() == name).expect("this person was there")
    }

    pub fn send(&mut self, message: &ClientMessage) {
        self.stream.write_all(&encode_client(message)).unwrap();
    }

    /// Has an envelope relayed to all.
    pub fn say(&mut self, envelope: &[u8]) {
        self.send(&ClientMessage::Say { envelope: Blob(envelope.to_vec()) });
    }

    /// Has an envelope handed to this person.
    pub fn hand(&mut self, to: &Person, envelope: &[u8]) {
        self.send(&ClientMessage::Hand { to: to.public_key.id(), envelope: Blob(envelope.to_vec()) });
    }

    /// The next message that is not a ping; pings are answered.
    pub fn next(&mut self) -> ServerMessage {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "nothing but pings comes");
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).unwrap();
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut frame).unwrap();
            match decode_server(&frame).unwrap() {
                ServerMessage::Ping { number } => self.send(&ClientMessage::Pong { number }),
                other => return other,
            }
        }
    }

    /// The next envelope that is relayed or handed to this member.
    pub fn next_envelope(&mut self) -> Vec<u8> {
        loop {
            match self.next() {
                ServerMessage::Relayed { envelope } | ServerMessage::Handed { envelope } => return envelope.0,
                ServerMessage::Refused { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }

    /// Leaves, and keeps the keys.
    pub fn leave(mut self) -> Adversary {
        self.send(&ClientMessage::Quit);
        self.adversary
    }

    /// Waits until the server has refused what was sent, and so ended the connection.
    pub fn refusal(mut self) -> RefusalCode {
        loop {
            if let ServerMessage::Refused { code, .. } = self.next() {
                return code;
            }
        }
    }
}
