//! Someone who writes to itself through the whole relay, and measures how long that takes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use common::{
    crypto::KeyId,
    message::{Blob, ClientMessage, ServerMessage},
};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::member::{Member, block};

/// Eight messages a second, which is more than people write and less than a member may send.
const CHAT_INTERVAL: Duration = Duration::from_millis(125);
/// A message that was not relayed within this time is lost.
pub const CHAT_DEADLINE: Duration = Duration::from_secs(2);

/// What the chatter noticed.
#[derive(Default)]
pub struct Chat {
    /// How long each message took; sorted.
    pub times: Vec<Duration>,
    /// Messages that did not come back.
    pub lost: usize,
    /// Whether the server ended the connection.
    pub is_disconnected: bool,
}

/// Writes until it is stopped or disconnected.
pub async fn chat(mut member: Member, stop: CancellationToken) -> Chat {
    let (mut chat, mut sent_at) = (Chat::default(), HashMap::new());
    let (mut number, mut ticks) = (0_u64, interval(CHAT_INTERVAL));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {
                number += 1;
                sent_at.insert(number, Instant::now());
                let envelope = Blob(envelope(member.key_id, number));
                if member.send(block([ClientMessage::Say { envelope }])).await.is_err() {
                    chat.is_disconnected = true;
                    break;
                }
            }
            message = member.receive() => match message {
                Ok(ServerMessage::Relayed { envelope }) => {
                    let own = message_number(&envelope.0).and_then(|number| sent_at.remove(&number));
                    chat.times.extend(own.map(|at| at.elapsed()));
                }
                Ok(_) => {}
                Err(error) => {
                    eprintln!("the chatter was disconnected: {error:#}");
                    chat.is_disconnected = true;
                    break;
                }
            },
        }
    }
    chat.times.sort();
    chat.lost = sent_at.values().filter(|at| at.elapsed() > CHAT_DEADLINE || chat.is_disconnected).count();
    chat
}

/// A letter to itself with a valid layout and without any content, with the length that one with a short text has.
pub fn envelope(key_id: KeyId, number: u64) -> Vec<u8> {
    let mut bytes = vec![1, 2];
    bytes.extend_from_slice(&[0xa7; 8]);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&256_u16.to_be_bytes());
    bytes.resize(bytes.len() + 256 + 1120 + 512 + 16, 0);
    bytes
}

/// The number of an envelope of the chatter's. Those of attackers have numbers of their own.
fn message_number(envelope: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(envelope.get(10..18)?.try_into().ok()?))
}
