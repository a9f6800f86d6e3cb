//! What members try with keys, proofs and records that are not theirs: each is refused, its connection ends, and the others
//! hear nothing of what it tried.

use common::{
    crypto::{Identity, SessionRecord, test_keys},
    message::{Blob, ClientMessage, LeaveReason, RefusalCode, ServerMessage},
    name::Name,
};

use crate::support::{
    client::{TestClient, join_message, letter, session},
    server::TestServer,
};

fn blob(session: &SessionRecord) -> Blob {
    Blob(session.as_bytes().to_vec())
}

fn signed_by(owner: &Identity, name: &str, created_unix_millis: u64, certificate: [u8; 32]) -> SessionRecord {
    let (name, keys) = (Name::parse(name).unwrap(), test_keys::session_keys());
    SessionRecord::sign(keys.current().public_key(), created_unix_millis, owner, &name, &certificate)
}

#[tokio::test]
async fn a_stranger_with_the_public_key_and_the_session_record_of_another_is_not_let_in() {
    let server = TestServer::start().await;
    let (ada_key, bob_key, eve_key) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    // Ada was here: her key and her record are known to all who were.
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &ada_key).await;
    let of_ada = welcome.people.iter().find(|person| person.name.as_str() == "ada").unwrap().session.clone();
    ada.send(&ClientMessage::Quit).await;
    assert_eq!(ada.try_next().await, None);
    for _ in ["joined", "left"] {
        bob.next().await;
    }
    type Change<'a> = &'a dyn Fn(&mut Blob, &mut Blob);
    let changes: [(&str, Change<'_>, RefusalCode); 4] = [
        (
            "the public key of Ada, with a proof by another",
            &|key, session| (*key, *session) = (Blob(ada_key.public_key().der().to_vec()), blob(&of_ada)),
            RefusalCode::BadProof,
        ),
        ("Ada's record", &|_, session| *session = blob(&of_ada), RefusalCode::Malformed),
        (
            "a record of the own key for another name",
            &|_, session| *session = blob(&signed_by(&eve_key, "bob", 1, [0; 32])),
            RefusalCode::Malformed,
        ),
        (
            "a record of the own key for another server",
            &|_, session| *session = blob(&signed_by(&eve_key, "ada", 1, [7; 32])),
            RefusalCode::Malformed,
        ),
    ];
    for (what, change, expected) in changes {
        let mut eve = TestClient::connect(server.address).await;
        let nonce = eve.greet().await;
        let ClientMessage::Join { name, mut public_key, proof, mut session } = join_message("ada", &eve_key, nonce)
        else {
            panic!()
        };
        change(&mut public_key, &mut session);
        eve.send(&ClientMessage::Join { name, public_key, proof, session }).await;
        assert_eq!(eve.expect_refusal().await.0, expected, "{what}");
    }
    let (revision, people) = bob.directory().await;
    assert_eq!((revision, people.len()), (3, 1), "no one was let in");
}

#[tokio::test]
async fn a_member_who_publishes_an_old_session_record_or_one_of_another_is_expelled_and_no_one_gets_it() {
    let server = TestServer::start().await;
    let (bob_key, eve_key) = (test_keys::bob(), test_keys::eve());
    let (mut bob, welcome) = TestClient::join(server.address, "bob", &bob_key).await;
    let of_bob = welcome.people[0].session.clone();
    let first = session("eve", &eve_key, 1);
    for record in [first, of_bob, signed_by(&eve_key, "bob", 9, [0; 32]), signed_by(&bob_key, "eve", 9, [0; 32])] {
        let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;
        let second = session("eve", &eve_key, 2);
        eve.send(&ClientMessage::Renew { session: blob(&second) }).await;
        eve.send(&ClientMessage::Renew { session: blob(&record) }).await;
        let mut heard = Vec::new();
        loop {
            match bob.next().await {
                ServerMessage::Renewed { session, .. } => heard.push(session),
                ServerMessage::Left { reason, .. } => {
                    assert_eq!(reason, LeaveReason::Expelled);
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(heard, [second], "the honest renewal and no other");
    }
}

#[tokio::test]
async fn a_member_who_hands_over_or_says_a_letter_of_another_is_expelled_and_no_one_gets_it() {
    let server = TestServer::start().await;
    let (ada_key, bob_key, eve_key) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    let letter = Blob(letter("in the name of Ada", 1, &ada_key, &bob_key).as_bytes().to_vec());
    let to = bob_key.public_key().id();
    for message in
        [ClientMessage::Hand { to, envelope: letter.clone() }, ClientMessage::Say { envelope: letter.clone() }]
    {
        let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;
        eve.send(&message).await;
        assert_eq!(eve.expect_refusal().await.0, RefusalCode::Malformed);
        loop {
            match bob.next().await {
                ServerMessage::Joined { .. } => {}
                ServerMessage::Left { reason, .. } => {
                    assert_eq!(reason, LeaveReason::Expelled);
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
