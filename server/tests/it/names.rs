//! To whom names belong, over restarts of the server.

use common::{
    crypto::test_keys,
    message::{ClientMessage, RefusalCode, ServerMessage},
    name::Name,
};
use triptych_server::{Settings, hub::directory::EnterError, session::notices::Refusal};

use crate::support::{
    client::{TestClient, join_message},
    server::{TestServer, settings},
};

/// How the server refuses to let Eve be called Ada.
async fn refusal_of_eve(server: &TestServer) -> (RefusalCode, String, Option<Name>) {
    let mut eve = TestClient::connect(server.address).await;
    let nonce = eve.greet().await;
    eve.send(&join_message("ada", &test_keys::eve(), nonce)).await;
    match eve.next().await {
        ServerMessage::Refused { code, message, suggestion } => (code, message, suggestion),
        other => panic!("no refusal but {other:?}"),
    }
}

#[tokio::test]
async fn a_name_belongs_to_its_key_also_after_a_restart() {
    let (videos, data_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = Settings { names_dir: Some(data_dir.path().to_owned()), ..settings(videos.path()) };
    let name = |text| Name::parse(text).unwrap();
    let owned = EnterError::NameOwned { name: name("ada"), suggestion: Some(name("ada-2")) };
    let expected = (RefusalCode::NameInUse, Refusal::from(owned).message, Some(name("ada-2")));

    let server = TestServer::start_as(&settings).await;
    let (mut ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    ada.send(&ClientMessage::Quit).await;
    assert_eq!(ada.try_next().await, None);
    assert_eq!(refusal_of_eve(&server).await, expected);
    server.stop().await;

    let server = TestServer::start_as(&settings).await;
    assert_eq!(refusal_of_eve(&server).await, expected);
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    server.stop().await;

    // A damaged file costs the names, not the start.
    std::fs::write(data_dir.path().join("names"), "spoilt").unwrap();
    let server = TestServer::start_as(&settings).await;
    TestClient::join(server.address, "ada", &test_keys::eve()).await;
    assert!(data_dir.path().join("names.damaged").exists());
}
