//! What members can do to each other by what they say and by what they do not read: over pipes, whose size is exact and
//! whose clock can be paused, and over sockets.

use std::time::Duration;

use common::{
    codec::encode_client,
    crypto::{Envelope, Identity, test_keys},
    limits::PING_INTERVAL,
    media::{Epoch, Position, SeekRequest, StreamId, VideoId},
    message::{Blob, ClientMessage, LeaveReason, ServerMessage},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use triptych_server::{
    hub::{Hub, Membership},
    limits::Limits,
    outbox::{CloseReason, Outbox},
};

use crate::support::{
    client::{TestClient, letter},
    crowd::{envelope, identities, person, public_key, say_frame},
    pipe::{PIPE_BYTES, Sessions},
    server::TestServer,
};

/// What a member may say at once.
fn messages_at_once() -> usize {
    Limits::default().envelopes_at_once
}

/// Reads until all of `expected` messages have come, and answers pings.
async fn hear(client: &mut TestClient, expected: usize) {
    let mut heard = 0;
    while heard < expected {
        match client.next().await {
            ServerMessage::Relayed { .. } => heard += 1,
            ServerMessage::Joined { .. } => {}
            other => panic!("{other:?} after {heard} messages"),
        }
    }
}

/// The first of the clients send a mebibyte of small messages each, all at once, as fast as the server takes them. Everyone
/// reads, and hears what they may say at once; nobody leaves.
async fn flood(clients: Vec<TestClient>, speakers: &[Identity]) {
    const FLOOD_BYTES: usize = 1 << 20;
    let expected = speakers.len() * messages_at_once();
    let mut hearing = JoinSet::new();
    let mut sending = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        if let Some(speaker) = speakers.get(number) {
            let frame = say_frame(speaker, 1);
            let (bytes, writer) = (frame.repeat(FLOOD_BYTES / frame.len()), client.writer.clone());
            sending.spawn(async move { writer.write(&bytes).await });
        }
        hearing.spawn(async move {
            hear(&mut client, expected).await;
            client
        });
    }
    // Nobody disconnects before all have heard everything.
    hearing.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn members_who_flood_disconnect_nobody_over_pipes() {
    for count in [3, 6, 30] {
        let sessions = Sessions::start();
        let keys = identities(count + 3);
        let mut clients = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            // As much as a socket holds.
            let (mut client, _) = sessions.connect_through(64 * 1024, |stream| stream);
            client.join_as(&format!("p{number}"), key).await;
            clients.push(client);
        }
        flood(clients, &keys[..count]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_who_flood_disconnect_nobody_over_sockets() {
    for count in [3, 6, 30] {
        let server = TestServer::start().await;
        let keys = identities(count + 3);
        let mut clients = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            clients.push(TestClient::join(server.address, &format!("p{number}"), key).await.0);
        }
        flood(clients, &keys[..count]).await;
    }
}

/// A member without a session, that says and reads what a test tells it to.
fn member(hub: &Hub, number: usize, key: &Identity) -> (Membership, Outbox, Envelope) {
    let person = person(number, key.public_key().clone());
    let outbox = hub.outbox();
    (hub.join(person, outbox.clone()).unwrap(), outbox, envelope(key, 1))
}

/// Takes everything from an outbox as it comes.
async fn read_all(outbox: Outbox) {
    while outbox.next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn who_says_little_is_heard_at_once_beside_members_who_flood() {
    let hub = Hub::default();
    let keys = identities(31);
    let mut tasks = JoinSet::new();
    for (number, key) in keys.iter().enumerate().skip(1) {
        let (membership, outbox, envelope) = member(&hub, number, key);
        tasks.spawn(read_all(outbox));
        tasks.spawn(async move {
            loop {
                membership.relay(&envelope).await;
            }
        });
    }
    let (quiet, outbox, envelope) = member(&hub, 0, &keys[0]);
    tasks.spawn(read_all(outbox));
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        let asked_at = Instant::now();
        assert_eq!(quiet.relay(&envelope).await, keys.len());
        let waited = asked_at.elapsed();
        // The time is the paused clock's, so it is what the queue decided and not what this machine took.
        assert!(waited <= Duration::from_millis(10), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_memory_is_short_senders_wait_and_then_who_reads_nothing_is_cut_off() {
    let limits = Limits {
        send_memory_mib: 16,
        room_kib_per_second: 1 << 20,
        room_messages_per_second: 1 << 20,
        ..Limits::default()
    };
    let hub = Hub::new(&limits);
    let keys = identities(4);
    let (speaker, of_speaker, _) = member(&hub, 0, &keys[0]);
    let (_reader, of_reader, _) = member(&hub, 1, &keys[1]);
    let (_deaf, of_deaf, _) = member(&hub, 2, &keys[2]);
    let (_later, of_later, _) = member(&hub, 3, &keys[3]);
    let mut tasks = JoinSet::new();
    tasks.spawn(read_all(of_speaker));
    tasks.spawn(read_all(of_reader.clone()));
    tasks.spawn(read_all(of_later.clone()));
    let begun = Instant::now();
    let envelope = envelope(&keys[0], 8192);
    let mut longest_wait = Duration::ZERO;
    // Four times what the memory holds.
    for _ in 0..4 * (16 << 20) / envelope.as_bytes().len() {
        let asked_at = Instant::now();
        speaker.relay(&envelope).await;
        longest_wait = longest_wait.max(asked_at.elapsed());
        assert!(hub.unsent_bytes() <= 16 << 20);
        tokio::task::yield_now().await;
    }
    let Some(CloseReason::CutOff { waited, .. }) = of_deaf.close_reason() else { panic!("the deaf one stays") };
    assert_eq!((waited.as_secs(), begun.elapsed().as_secs(), longest_wait.as_secs()), (8, 8, 8));
    assert_eq!((of_reader.close_reason(), of_later.close_reason()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn deaf_clients_are_removed_while_others_speak_at_full_rate_and_readers_miss_nothing() {
    const DEAF: usize = 5;
    const MESSAGES: usize = 200;
    let sessions = Sessions::start();
    let keys = identities(DEAF + 2);
    let mut reader = sessions.join("reader", &keys[DEAF + 1]).await;
    let mut deaf = Vec::new();
    for (number, key) in keys[..DEAF].iter().enumerate() {
        let (mut client, _) = sessions.connect_through(1024, |stream| stream);
        client.join_as(&format!("deaf{number}"), key).await;
        deaf.push(client);
    }
    let mut speaker = sessions.join("speaker", &keys[DEAF]).await;
    let frame = say_frame(&keys[DEAF], 8000);
    let writer = speaker.writer.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        writer.write(&frame.repeat(MESSAGES)).await;
    });
    // They show that they are alive, and read nothing.
    tasks.spawn(async move {
        loop {
            for client in &mut deaf {
                if !client.writer.write(&encode_client(&ClientMessage::Pong { number: 0 })).await {
                    break;
                }
            }
            sleep(PING_INTERVAL).await;
        }
    });
    tasks.spawn(async move { while speaker.try_next().await.is_some() {} });
    let (mut heard, mut expelled) = (0, 0);
    while heard < MESSAGES || expelled < DEAF {
        match reader.next().await {
            ServerMessage::Relayed { .. } => heard += 1,
            ServerMessage::Left { name, reason, .. } => {
                assert!(name.as_str().starts_with("deaf") && reason == LeaveReason::Expelled, "{name}: {reason:?}");
                expelled += 1;
            }
            ServerMessage::Joined { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_stays_as_long_as_it_reads() {
    // Less than what the room may say, through a pipe that holds little.
    const BYTES_PER_SECOND: usize = 100 * 1024;
    /// Messages of each speaker, 18 MiB in all.
    const EACH: usize = 500;
    let sessions = Sessions::start();
    let keys = identities(5);
    let (mut slow, _) = sessions.connect_through(16 * 1024, |stream| stream);
    slow.join_as("slow", &keys[4]).await;
    let mut tasks = JoinSet::new();
    for (number, key) in keys[..4].iter().enumerate() {
        let mut client = sessions.join(&format!("p{number}"), key).await;
        let (frame, writer) = (say_frame(key, 8000), client.writer.clone());
        tasks.spawn(async move {
            writer.write(&frame.repeat(EACH)).await;
        });
        tasks.spawn(async move { hear(&mut client, 4 * EACH).await });
    }
    let (mut heard, begun) = (0, Instant::now());
    while heard < 4 * EACH {
        match slow.next().await {
            ServerMessage::Relayed { envelope } => {
                heard += 1;
                sleep(Duration::from_secs(1) * envelope.0.len() as u32 / BYTES_PER_SECOND as u32).await;
            }
            ServerMessage::Joined { .. } => {}
            other => panic!("{other:?} after {heard} messages"),
        }
    }
    assert!(begun.elapsed() > Duration::from_secs(120), "much later than they were said");
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_message_costs_the_one_who_sends_it_and_nobody_else() {
    const FLOOD: usize = 6000;
    let (stream, epoch) = (StreamId(1), Epoch(0));
    let seek = |number: u32| ClientMessage::Seek(SeekRequest { stream, epoch: Epoch(number), to: Position::START });
    let (to, ada_key) = (test_keys::ada().public_key().id(), test_keys::ada());
    let envelope = Blob(letter("x", 1, &ada_key, &ada_key).as_bytes().to_vec());
    let hand = ClientMessage::Hand { to, envelope };
    let kinds = [
        ("Pong", vec![ClientMessage::Pong { number: 1 }; FLOOD]),
        ("Grant", vec![ClientMessage::Grant { stream, epoch, items: u32::MAX }; FLOOD]),
        ("Stop", vec![ClientMessage::Stop { stream }; FLOOD]),
        ("Seek", (1..=FLOOD as u32).map(seek).collect()),
        ("AskStatistics", vec![ClientMessage::AskStatistics; FLOOD]),
        ("AskThumbnail", vec![ClientMessage::AskThumbnail { video: VideoId(1) }; FLOOD]),
        ("AskDirectory", vec![ClientMessage::AskDirectory; FLOOD / 20]),
        ("Hand", vec![hand; FLOOD / 3]),
    ];
    let sessions = Sessions::start();
    let mut bob = sessions.join("bob", &test_keys::bob()).await;
    for (kind, flood) in kinds {
        let mut ada = sessions.join("ada", &test_keys::ada()).await;
        let begun = Instant::now();
        let bytes: Vec<u8> = flood.iter().flat_map(|message| encode_client(message).to_vec()).collect();
        let writer = ada.writer.clone();
        let sending = tokio::spawn(async move {
            writer.write(&bytes).await;
            // The answer shows that all before it was dealt with.
            writer.write(&encode_client(&ClientMessage::Quit)).await;
        });
        let reading = tokio::spawn(async move { while ada.try_next().await.is_some() {} });
        while !reading.is_finished() {
            let asked_at = Instant::now();
            bob.send(&ClientMessage::AskStatistics).await;
            bob.next_that(|message| matches!(message, ServerMessage::Statistics(_)).then_some(())).await;
            assert_eq!(asked_at.elapsed(), Duration::ZERO, "{kind}");
            sleep(Duration::from_millis(500)).await;
        }
        reading.await.unwrap();
        sending.await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(3), "{kind}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_and_does_not_read_is_not_answered_further() {
    for (kind, question) in [
        ("AskDirectory", ClientMessage::AskDirectory),
        ("AskStatistics", ClientMessage::AskStatistics),
        ("AskThumbnail", ClientMessage::AskThumbnail { video: VideoId(1) }),
    ] {
        let sessions = Sessions::start();
        let (mut ada, session) = sessions.connect_through(PIPE_BYTES, |stream| stream);
        ada.join_as("ada", &test_keys::ada()).await;
        let (writer, bytes) = (ada.writer.clone(), encode_client(&question).repeat(200_000));
        let sending = tokio::spawn(async move { writer.write(&bytes).await });
        while !session.is_finished() {
            let unsent_bytes = sessions.services.hub.unsent_bytes();
            assert!(unsent_bytes < 1 << 20, "{kind}: {unsent_bytes} bytes are held");
            sleep(Duration::from_millis(100)).await;
        }
        sending.abort();
    }
}

#[tokio::test]
async fn the_dictionary_is_held_once_however_many_ask_for_it() {
    let hub = Hub::default();
    let members: Vec<_> = (0..200)
        .map(|number| {
            let person = person(number, public_key(number));
            let outbox = hub.outbox();
            (hub.join(person, outbox.clone()).unwrap(), outbox)
        })
        .collect();
    let before = hub.unsent_bytes();
    let sizes: Vec<_> = members.iter().flat_map(|(_, outbox)| (0..10).map(|_| hub.send_directory(outbox))).collect();
    let added_bytes = hub.unsent_bytes() - before;
    assert!(
        sizes[0] > 50_000 && added_bytes < 3 * sizes[0] as u64 + 2000 * 128,
        "{added_bytes} bytes for {}",
        sizes[0]
    );
}
