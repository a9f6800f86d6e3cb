//! What members watch, and who is told of it.

use common::{
    crypto::{Identity, test_keys},
    media::{Library, Position, Quality, StreamId, VideoId},
    message::{ClientMessage, ServerMessage, Viewing},
    test_messages::watch_message,
};

use crate::support::{
    cinema::cinema,
    client::TestClient,
    server::{TestServer, introduction},
};

fn watch(stream: u32, video: VideoId) -> ClientMessage {
    watch_message(StreamId(stream), video, Quality::Triptych, Position::START)
}

fn ids(library: &Library) -> [VideoId; 2] {
    [library.videos[0].id, library.videos[1].id]
}

fn viewing(identity: &Identity, video: Option<VideoId>) -> Vec<Viewing> {
    vec![Viewing { person: identity.public_key().id(), video, party: None }]
}

/// What has reached a client of what people watch, before the answer to a question that is asked now.
async fn heard(client: &mut TestClient) -> Vec<Vec<Viewing>> {
    client.send(&ClientMessage::AskStatistics).await;
    let mut heard = Vec::new();
    loop {
        match client.next().await {
            ServerMessage::Watching { people } => heard.push(people),
            ServerMessage::Statistics(_) => return heard,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_newcomer_is_told_the_name_and_the_addresses_of_the_server() {
    let server = TestServer::start().await;
    let (_ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!(welcome.server, introduction(server.address));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_there_and_those_who_come_know_what_a_member_watches() {
    let (_folder, server) = cinema().await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let [fox, owl] = ids(&welcome.library);
    ada.send(&ClientMessage::ShowWatching { is_shown: true }).await;
    ada.send(&watch(1, fox)).await;
    assert_eq!(bob.watching().await, viewing(&test_keys::ada(), Some(fox)));
    assert_eq!(ada.watching().await, viewing(&test_keys::ada(), Some(fox)), "she herself as well");
    let (mut eve, _) = TestClient::join(server.address, "eve", &test_keys::eve()).await;
    assert_eq!(heard(&mut eve).await, [viewing(&test_keys::ada(), Some(fox))]);
    ada.send(&watch(2, owl)).await;
    for other in [&mut bob, &mut eve] {
        assert_eq!(other.watching().await, viewing(&test_keys::ada(), Some(owl)), "at once, not by way of nothing");
    }
    ada.send(&ClientMessage::Stop { stream: StreamId(2) }).await;
    for other in [&mut bob, &mut eve] {
        assert_eq!(other.watching().await, viewing(&test_keys::ada(), None));
    }
    let (_, people) = eve.directory().await;
    assert_eq!(people.len(), 3);
    assert_eq!(heard(&mut eve).await, Vec::<Vec<Viewing>>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_a_member_who_does_not_want_that() {
    let (_folder, server) = cinema().await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let [fox, _] = ids(&welcome.library);
    ada.send(&watch(1, fox)).await;
    // Another one, who wants it, comes behind her.
    bob.send(&ClientMessage::ShowWatching { is_shown: true }).await;
    bob.send(&watch(1, fox)).await;
    assert_eq!(bob.watching().await, viewing(&test_keys::bob(), Some(fox)));
    ada.send(&ClientMessage::ShowWatching { is_shown: true }).await;
    assert_eq!(bob.watching().await, viewing(&test_keys::ada(), Some(fox)), "she has changed her mind");
    ada.send(&ClientMessage::ShowWatching { is_shown: false }).await;
    assert_eq!(bob.watching().await, viewing(&test_keys::ada(), None), "and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_watches_nothing_when_they_are_back() {
    let (_folder, server) = cinema().await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let [fox, _] = ids(&welcome.library);
    ada.send(&ClientMessage::ShowWatching { is_shown: true }).await;
    ada.send(&watch(1, fox)).await;
    assert_eq!(bob.watching().await, viewing(&test_keys::ada(), Some(fox)));
    ada.send(&ClientMessage::Quit).await;
    bob.next_that(|message| matches!(message, ServerMessage::Left { .. }).then_some(())).await;
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &test_keys::eve()).await;
    assert_eq!(heard(&mut eve).await, Vec::<Vec<Viewing>>::new());
    assert_eq!(heard(&mut bob).await, Vec::<Vec<Viewing>>::new());
}
