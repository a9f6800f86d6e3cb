//! Watching together, over sockets: who is told what of a party, and when it ends.

use common::{
    crypto::{Identity, test_keys},
    media::{Position, Quality, StreamId, VideoId},
    message::{ClientMessage, ServerMessage, Viewing},
    party::{Party, PartyAct, PartyId, PartyRequest},
    test_messages::watch_message,
};

use crate::support::{cinema::cinema, client::TestClient};

async fn ask(client: &mut TestClient, request: PartyRequest) {
    client.send(&ClientMessage::Party(request)).await;
}

async fn party(client: &mut TestClient) -> Party {
    client
        .next_that(|message| match message {
            ServerMessage::Party(party) => Some(party),
            _ => None,
        })
        .await
}

/// Waits until a client is told this of a person.
async fn hears(client: &mut TestClient, person: &Identity, video: Option<VideoId>, party: Option<PartyId>) {
    let awaited = Viewing { person: person.public_key().id(), video, party };
    while !client.watching().await.contains(&awaited) {}
}

/// What has reached a client of its party, before the answer to a question that is asked now.
async fn heard(client: &mut TestClient) -> Vec<ServerMessage> {
    client.send(&ClientMessage::AskStatistics).await;
    let mut heard = Vec::new();
    loop {
        match client.next().await {
            message @ (ServerMessage::Party(_) | ServerMessage::PartyOver { .. }) => heard.push(message),
            ServerMessage::Statistics(_) => return heard,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_hear_of_every_act_and_the_room_of_who_is_in_it() {
    let (_folder, server) = cinema().await;
    let [ada_keys, bob_keys, eve_keys] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &ada_keys).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_keys).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &eve_keys).await;
    let fox = welcome.library.videos[0].id;

    ask(&mut ada, PartyRequest::Start { video: fox, position_nanos: 40_000_000, is_playing: true }).await;
    let started = party(&mut ada).await;
    assert_eq!((started.video, started.revision, started.by), (fox, 0, ada_keys.public_key().id()));
    assert_eq!((started.schedule.position_nanos, started.schedule.is_playing), (40_000_000, true));
    // Ada has not allowed others to know what she watches; a party is open to all.
    hears(&mut bob, &ada_keys, Some(fox), Some(started.id)).await;

    ask(&mut bob, PartyRequest::Join(started.id)).await;
    assert_eq!(party(&mut bob).await, started);
    hears(&mut eve, &bob_keys, Some(fox), Some(started.id)).await;

    ask(&mut bob, PartyRequest::Act { party: started.id, revision: 0, act: PartyAct::Pause }).await;
    let [for_ada, for_bob] = [party(&mut ada).await, party(&mut bob).await];
    assert_eq!(for_ada, for_bob);
    assert_eq!((for_ada.revision, for_ada.by, for_ada.act), (1, bob_keys.public_key().id(), Some(PartyAct::Pause)));
    assert!(!for_ada.schedule.is_playing && for_ada.schedule.at_nanos > started.schedule.at_nanos);

    let seek = PartyAct::Seek { position_nanos: 80_000_000 };
    ask(&mut eve, PartyRequest::Act { party: started.id, revision: 1, act: seek }).await;
    assert_eq!(heard(&mut eve).await, [], "she is no member");
    assert_eq!(heard(&mut ada).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_ends_with_its_last_member_however_they_leave() {
    let (_folder, server) = cinema().await;
    let [ada_keys, bob_keys, eve_keys] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &ada_keys).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_keys).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &eve_keys).await;
    let [fox, owl] = [0, 1].map(|index: usize| welcome.library.videos[index].id);

    ask(&mut ada, PartyRequest::Start { video: fox, position_nanos: 0, is_playing: true }).await;
    let id = party(&mut ada).await.id;
    ask(&mut bob, PartyRequest::Join(id)).await;
    party(&mut bob).await;
    hears(&mut eve, &bob_keys, Some(fox), Some(id)).await;

    // The video of the party keeps her in it, another one does not.
    ada.send(&watch_message(StreamId(1), fox, Quality::Triptych, Position::START)).await;
    ask(&mut ada, PartyRequest::Act { party: id, revision: 0, act: PartyAct::Pause }).await;
    assert_eq!(party(&mut ada).await.revision, 1);
    ada.send(&watch_message(StreamId(2), owl, Quality::Triptych, Position::START)).await;
    hears(&mut eve, &ada_keys, None, None).await;
    ask(&mut ada, PartyRequest::Act { party: id, revision: 1, act: PartyAct::Play }).await;
    assert_eq!(heard(&mut ada).await, []);
    // Bob goes on alone.
    ask(&mut bob, PartyRequest::Act { party: id, revision: 1, act: PartyAct::Play }).await;
    while party(&mut bob).await.revision < 2 {}

    // His connection breaks.
    drop(bob);
    eve.next_that(|message| matches!(message, ServerMessage::Left { .. }).then_some(())).await;
    ask(&mut eve, PartyRequest::Join(id)).await;
    assert_eq!(heard(&mut eve).await, [ServerMessage::PartyOver { party: id }]);

    ask(&mut eve, PartyRequest::Start { video: VideoId(99), position_nanos: 0, is_playing: true }).await;
    assert_eq!(heard(&mut eve).await, [], "there is no such video");
    ask(&mut eve, PartyRequest::Start { video: fox, position_nanos: 0, is_playing: true }).await;
    assert!(party(&mut eve).await.id > id, "no number is given twice");
}

#[tokio::test]
async fn echoes_tell_the_time_of_the_server_which_parties_go_by() {
    let (_folder, server) = cinema().await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let fox = welcome.library.videos[0].id;
    let mut times = Vec::new();
    for number in 1..=2 {
        ada.send(&ClientMessage::Probe { number }).await;
        let echoed = |message| match message {
            ServerMessage::Echo { number: echoed, server_nanos } => Some((echoed, server_nanos)),
            _ => None,
        };
        let (echoed, server_nanos) = ada.next_that(echoed).await;
        assert_eq!(echoed, number);
        times.push(server_nanos);
        if number == 1 {
            ask(&mut ada, PartyRequest::Start { video: fox, position_nanos: 0, is_playing: false }).await;
            times.push(party(&mut ada).await.schedule.at_nanos);
        }
    }
    assert!(times.is_sorted(), "{times:?}");
}
