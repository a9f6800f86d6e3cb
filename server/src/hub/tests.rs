//! The hub with clients: the library that they are offered, and names that are taken.

use common::{codec::decode_server, crypto::test_keys};

use super::*;

fn library(unplayable_count: u32) -> Library {
    Library { videos: Vec::new(), unplayable_count }
}

#[tokio::test]
async fn a_newcomer_gets_the_current_library_and_every_later_one() {
    let hub = Hub::default();
    let outbox = hub.outbox();
    hub.offer(library(1));
    hub.offer(library(2));
    let _membership = hub.join(person("ada", &test_keys::ada()), outbox.clone()).unwrap();
    // In one go, because both are short.
    let both = outbox.next().await.unwrap().concat();
    let welcome = &both[..4 + u32::from_be_bytes(both[..4].try_into().unwrap()) as usize];
    hub.offer(library(3));
    let change = outbox.next().await.unwrap().concat();
    let heard = [welcome, &change].map(|frame| match decode_server(&frame[4..]).unwrap() {
        ServerMessage::Welcome { library, .. } => ("welcome", library),
        ServerMessage::LibraryChanged { library } => ("change", library),
        other => panic!("{other:?}"),
    });
    assert_eq!(heard, [("welcome", library(2)), ("change", library(3))]);
}

fn person(name: &str, identity: &common::crypto::Identity) -> Person {
    let (name, public_key) = (Name::parse(name).unwrap(), identity.public_key().clone());
    let session = test_keys::unsigned_record(&name, &public_key, 1);
    Person { name, public_key, session, since_unix_secs: 0 }
}

#[tokio::test]
async fn a_name_is_kept_for_its_owner_who_is_away() {
    let hub = Hub::default();
    hub.join(person("ada", &test_keys::ada()), Outbox::default()).unwrap().leave(LeaveReason::Quit);
    let refused = hub.join(person("ADA", &test_keys::eve()), Outbox::default()).err();
    let (name, suggestion) = (Name::parse("ADA").unwrap(), Name::parse("ADA-2").ok());
    assert_eq!(refused, Some(EnterError::NameOwned { name, suggestion }));
    assert!(hub.join(person("ada", &test_keys::ada()), Outbox::default()).is_ok());
}

#[tokio::test]
async fn sixteen_similar_names_are_looked_at_and_no_more() {
    let hub = Hub::default();
    let entry = |number: u8| Entry {
        key: common::crypto::KeyId([number; 32]),
        name: Name::parse(&format!("ada-{number}")).unwrap(),
        first_seen: unix_seconds(),
        last_seen: unix_seconds(),
    };
    let _ada = hub.join(person("ada", &test_keys::ada()), Outbox::default()).unwrap();
    hub.restore_names((2..17).map(entry).collect());
    let refused = hub.join(person("ada", &test_keys::eve()), Outbox::default()).err();
    let name = Name::parse("ada").unwrap();
    let suggestion = Name::parse("ada-17").ok();
    assert_eq!(refused, Some(EnterError::NameInUse { name: name.clone(), suggestion }));
    hub.restore_names((2..18).map(entry).collect());
    let refused = hub.join(person("ada", &test_keys::eve()), Outbox::default()).err();
    assert_eq!(refused, Some(EnterError::NameInUse { name, suggestion: None }));
}
