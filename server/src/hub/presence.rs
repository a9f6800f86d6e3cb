//! Tells the members what each of them watches, and newcomers what the server says about itself. Which changes are told when
//! is decided by [`super::viewings`].

use std::sync::Arc;

use common::{
    codec::encode_server,
    limits::MAX_VIEWINGS,
    media::VideoId,
    message::{ServerInfo, ServerMessage, Viewing},
};
use tokio::time::{Instant, sleep_until};

use super::{
    Hub, Membership, State, now,
    viewings::{Step, Watched},
};
use crate::outbox::{ControlFrame, SendMemory};

impl Membership {
    /// Lets the others know what this member watches, `None` if that is nothing or not to be known, and in any case its party
    /// with the video of that. They hear of it within seconds.
    pub fn watches(&self, video: Option<VideoId>) {
        let mut state = self.hub.state();
        let party = self.party(&state);
        let watched =
            Watched { video: party.map_or(video, |party| Some(party.video)), party: party.map(|party| party.id) };
        if state.viewings.set(self.key, watched) {
            self.hub.0.viewings_changed.notify_one();
        }
    }
}

impl Hub {
    /// Sets what newcomers are told about the server.
    pub fn introduce(&self, server: ServerInfo) {
        self.state().roster.set_server(server);
    }

    /// Tells the members what they watch, for as long as it is polled: one task for a hub.
    pub async fn tell_viewings(&self) {
        loop {
            let step = {
                let mut state = self.state();
                let step = state.viewings.next(now());
                if let Step::Tell(people) = &step {
                    state.viewing_frames = None;
                    let frame = self.frame(&ServerMessage::Watching { people: people.clone() });
                    state.roster.broadcast(&frame);
                }
                step
            };
            match step {
                Step::Tell(_) => {}
                Step::Wait(time) => sleep_until(Instant::from_std(time)).await,
                Step::Rest => self.0.viewings_changed.notified().await,
            }
        }
    }
}

impl State {
    /// What follows the pages of a dictionary: what all watch, as the room was told. It is encoded once and shared.
    pub(super) fn viewing_frames(&mut self, memory: &SendMemory) -> Arc<[ControlFrame]> {
        let Self { viewings, viewing_frames, .. } = self;
        let frames = viewing_frames.get_or_insert_with(|| {
            let people: Vec<Viewing> = viewings.told().collect();
            let message = |people: &[Viewing]| ServerMessage::Watching { people: people.to_vec() };
            people.chunks(MAX_VIEWINGS).map(|part| ControlFrame::new(memory, encode_server(&message(part)))).collect()
        });
        frames.clone()
    }
}

#[cfg(test)]
mod tests {
    use common::{
        codec::{PREFIX_BYTES, decode_server},
        crypto::{KeyId, test_keys},
        message::Person,
        name::Name,
    };

    use super::*;
    use crate::outbox::Outbox;

    fn key(number: u16) -> KeyId {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        KeyId(key)
    }

    /// Everything that waits in an outbox.
    async fn heard(outbox: &Outbox) -> Vec<ServerMessage> {
        outbox.close(crate::outbox::CloseReason::Finished);
        let mut bytes = Vec::new();
        while let Some(pieces) = outbox.next().await {
            bytes.extend(pieces.concat());
        }
        let mut messages = Vec::new();
        while let Some((length, rest)) = bytes.split_at_checked(PREFIX_BYTES) {
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            messages.push(decode_server(&rest[..length]).unwrap());
            bytes.drain(..PREFIX_BYTES + length);
        }
        messages
    }

    #[tokio::test]
    async fn a_newcomer_to_a_large_room_is_told_of_everyone_behind_the_last_page() {
        let hub = Hub::default();
        hub.introduce(ServerInfo { name: "Lab".into(), addresses: vec!["10.0.0.5".into()] });
        {
            let mut state = hub.state();
            for number in 0..2_500 {
                state.viewings.set(key(number), Watched { video: Some(VideoId(7)), party: None });
            }
            let mut time = now();
            loop {
                match state.viewings.next(time) {
                    Step::Wait(next) => time = next,
                    Step::Tell(_) => {}
                    Step::Rest => break,
                }
            }
        }
        let name = Name::parse("ada").unwrap();
        let public_key = test_keys::ada().public_key().clone();
        let session = test_keys::unsigned_record(&name, &public_key, 1);
        let outbox = hub.outbox();
        let ada = Person { name, public_key, session, since_unix_secs: 0 };
        let _membership = hub.join(ada, outbox.clone()).unwrap();
        hub.send_directory(&outbox);
        let messages = heard(&outbox).await;
        let kinds: Vec<_> = messages.iter().map(ServerMessage::kind).collect();
        let watching = ["Watching", "Watching", "Watching"];
        assert_eq!(kinds, [&["Welcome", "People"], &watching[..], &["Directory", "People"], &watching[..]].concat());
        let ServerMessage::Welcome { server, .. } = &messages[0] else { unreachable!() };
        assert_eq!((server.name.as_str(), &*server.addresses), ("Lab", &["10.0.0.5".to_owned()][..]));
        let people: Vec<_> = messages[2..5]
            .iter()
            .flat_map(|message| match message {
                ServerMessage::Watching { people } => people.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(people.len(), 2_500);
        assert!(
            people.iter().zip(0..).all(|(v, n)| *v == Viewing { person: key(n), video: Some(VideoId(7)), party: None })
        );
    }
}
