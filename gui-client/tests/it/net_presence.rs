//! What people watch: what the client tells the server, and what of the server's word reaches the window.

use common::{
    crypto::test_keys,
    media::{Library, VideoId},
    message::{ClientMessage, ServerMessage, Viewing},
};
use triptych_client::event::{NetCommand, NetEvent};

use crate::support::{
    fake_server::FakeServer,
    scenes::{bob, person},
};

#[test]
fn the_client_says_whether_others_may_know_and_hears_what_they_watch() {
    let server = FakeServer::new();
    let (client, mut peer) = server.meet("ada", &test_keys::ada());
    let bob = person("bob", bob());
    peer.welcome(vec![bob.clone()], Library::default());
    client.online();
    client.send(NetCommand::ShowWatching(true));
    assert_eq!(peer.try_read_any().unwrap(), ClientMessage::ShowWatching { is_shown: true });
    let people = vec![Viewing { person: bob.public_key.id(), video: Some(VideoId(7)), party: None }];
    peer.send(&ServerMessage::Watching { people: people.clone() }).unwrap();
    let told = client.wait_for("what bob watches", |event| match event {
        NetEvent::Watching(people) => Some(people.clone()),
        _ => None,
    });
    assert_eq!(told, people);
}
