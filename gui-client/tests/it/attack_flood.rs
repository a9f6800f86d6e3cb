//! A member who floods the room with envelopes, seen from the client that they are for: pings, joins and the letters of
//! others go on.

use std::sync::Arc;

use common::{
    crypto::test_keys,
    media::{Epoch, Library, Origin, PictureHead, SoundHead, StreamId},
    message::{Blob, ServerMessage},
};
use triptych_client::event::{NetEvent, PictureSink, WireOutcome};

use crate::support::{
    adversary::Adversary,
    client::{Client, keep},
    fake_server::{FakeServer, junk, letter},
    scenes::{person, stranger},
    wake::WakeSignal,
};

/// Enough to fill every queue several times over.
const JUNK: u64 = 6_000;

/// Announces each picture.
struct Announcing(WakeSignal);

impl PictureSink for Announcing {
    fn picture(&self, _: PictureHead, _: Vec<u8>) {
        self.0.callback()();
    }

    fn sound(&self, _: SoundHead, _: Vec<u8>) {}
}

#[test]
fn junk_for_one_person_delays_no_ping_no_join_no_picture_and_no_letter_of_others() {
    let server = FakeServer::new();
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let pictures = WakeSignal::default();
    let client = Client::with_sink(data_dir, true, Arc::new(Announcing(pictures.clone())));
    client.connect(&server.address(), "ada");
    let mut peer = server.accept();
    let [bob, eve] = [("bob", test_keys::bob()), ("eve", test_keys::eve())]
        .map(|(name, identity)| Adversary::new(name, identity).entry());
    peer.welcome(vec![bob, eve], Library::default());
    client.online();

    let to_ada = peer.own_entry();
    let ServerMessage::Relayed { envelope } = junk(&test_keys::eve(), 1, &to_ada) else { unreachable!() };
    // The window takes nothing meanwhile: it may be hidden, or busy.
    let mut flood_and = |message: &ServerMessage| {
        for _ in 0..JUNK {
            peer.send(&ServerMessage::Relayed { envelope: Blob(envelope.0.clone()) }).unwrap();
        }
        peer.send(message).unwrap();
        assert_eq!(peer.sync(1), []);
    };
    flood_and(&letter(&test_keys::bob(), 1, &to_ada, "Do you hear me?"));
    flood_and(&ServerMessage::Joined { revision: 2, person: person("carol", stranger(1)) });
    let (stream, epoch) = (StreamId(1), Epoch(0));
    let head = PictureHead {
        stream,
        epoch,
        index: 0,
        height: 240,
        pts_nanos: 0,
        duration_nanos: 1,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    };
    flood_and(&ServerMessage::Picture { head, jpeg: Blob(vec![1]) });
    pictures.wait_for("the picture", || (pictures.count() > 0).then_some(()));

    let (mut dropped, mut outcomes) = (0, Vec::new());
    let text = client.wait_for("letter", |event| match event {
        NetEvent::EnvelopesDropped(count) => {
            dropped += count;
            None
        }
        NetEvent::Envelope(entry) => {
            outcomes.push(entry.outcome);
            None
        }
        NetEvent::Received(message) => Some(message.text.clone()),
        _ => None,
    });
    assert_eq!(text, "Do you hear me?");
    assert!(client.passed.borrow().iter().any(|event| matches!(event, NetEvent::Dictionary(_))), "carol is there");
    if !outcomes.contains(&WireOutcome::TooManyFailures) {
        // The letter was early. The flood goes on, and is not decrypted.
        client.wait_for("junk that is not tried", |event| match event {
            NetEvent::EnvelopesDropped(count) => {
                dropped += count;
                None
            }
            NetEvent::Envelope(entry) => (entry.outcome == WireOutcome::TooManyFailures).then_some(()),
            _ => None,
        });
    }
    assert!(dropped > 0, "and most of it is dropped and counted");
}
