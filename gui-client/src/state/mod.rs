//! Everything the window shows, as plain data: [`State::apply`] takes in what the network says, [`State::handle`] what
//! the person does, [`State::tick`] what the clock does. Neither egui nor tokio is known here.
//!
//! ```text
//! NetEvent ──apply──┐
//! Action ──handle───┼──> State ──> Effects: network commands, playback, focus
//! Moment ──tick─────┘
//! ```

pub mod action;
pub mod connection;
pub mod conversation;
pub mod effect;
pub mod people;
pub mod player;
pub mod thumbnails;
pub mod wire;

use std::{collections::HashSet, time::Instant};

use common::{
    crypto::{KeyId, PublicKey},
    limits::{MAX_PEOPLE, MAX_TEXT_BYTES},
    media::{Library, VideoId},
    name::Name,
};

use crate::event::{NetCommand, NetEvent, Offline, Online, PlaybackStatus, ThumbnailKey, WireOutcome};

use self::{
    action::{Action, Moment, Peer, SidePanel},
    connection::{Connection, Phase},
    conversation::Conversations,
    effect::Effect,
    people::{Followup, People},
    player::PlayerState,
    thumbnails::Thumbnails,
    wire::Wire,
};

/// All of it.
#[derive(Debug, Clone)]
pub struct State {
    /// The connection and the form that starts it.
    pub connection: Connection,
    /// The dictionary.
    pub people: People,
    /// What was said.
    pub conversations: Conversations,
    /// Whose conversation is open.
    pub selected: Peer,
    /// What can be watched.
    pub library: Library,
    /// What is being watched.
    pub player: PlayerState,
    /// Small pictures of the videos.
    pub thumbnails: Thumbnails,
    /// What passed by.
    pub wire: Wire,
    /// What stands at the right.
    pub side: SidePanel,
    /// Address and own key of the last time online, to tell a return from a new start.
    last_home: Option<(String, KeyId)>,
}

/// A line of the list of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Whose key it is.
    pub key: KeyId,
    /// The last name it had.
    pub name: Name,
    /// Whether a message would be taken now.
    pub is_online: bool,
    /// Messages that were not yet on the screen.
    pub unread_count: u32,
}

impl State {
    /// Before anything happened, with the form filled in.
    pub fn new(address: String, name: String) -> Self {
        Self {
            connection: Connection::new(address, name),
            people: People::default(),
            conversations: Conversations::default(),
            selected: Peer::Everyone,
            library: Library::default(),
            player: PlayerState::default(),
            thumbnails: Thumbnails::default(),
            wire: Wire::default(),
            side: SidePanel::Conversation,
            last_home: None,
        }
    }

    /// Everybody to write to: those online by name, then those who left a conversation behind. While the link is gone,
    /// everybody who was online last stays listed.
    pub fn contacts(&self) -> Vec<Contact> {
        let unread = |key| self.conversations.get(Peer::Person(key)).map_or(0, |c| c.unread_count);
        let listed: HashSet<KeyId> = self.people.others().map(|(_, key)| key.id()).collect();
        let gone = self.conversations.persons().filter(|key| !listed.contains(key));
        let mut contacts: Vec<Contact> = (listed.iter().copied().chain(gone))
            .filter_map(|key| {
                let is_online = self.people.online_key(&key).is_some();
                Some(Contact { key, name: self.people.name_of(&key)?.clone(), is_online, unread_count: unread(key) })
            })
            .collect();
        contacts.sort_by(|a, b| (!a.is_online, &a.name, a.key).cmp(&(!b.is_online, &b.name, b.key)));
        contacts
    }

    /// Why nothing can be sent to the selected peer now, in words for a person.
    pub fn cannot_send(&self) -> Option<String> {
        if !self.connection.is_online() {
            return Some("You are not connected. What you write stays here until you are.".into());
        }
        match self.selected {
            Peer::Everyone if self.people.others().next().is_none() => {
                Some("Nobody else is online yet. What you write stays here.".into())
            }
            Peer::Person(key) if self.people.online_key(&key).is_none() => {
                let name = self.people.name_of(&key).map_or("This person", Name::as_str);
                Some(format!("{name} has left. What you write stays here until {name} is back."))
            }
            _ => None,
        }
    }

    /// When [`State::tick`] wants to be called again.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.connection.phase {
            Phase::Waiting { retry_at } => Some(retry_at),
            _ => None,
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Moment) -> Vec<Effect> {
        match self.connection.phase {
            Phase::Waiting { retry_at } if retry_at <= now.instant => self.connect(),
            _ => Vec::new(),
        }
    }

    /// Takes in what the network says.
    pub fn apply(&mut self, event: NetEvent, now: Moment) -> Vec<Effect> {
        match event {
            NetEvent::Progress(progress) => {
                // One that was given up may still say how far it got.
                if matches!(self.connection.phase, Phase::Attempting(_)) {
                    self.connection.phase = Phase::Attempting(progress);
                }
            }
            NetEvent::Online(online) => return self.came_online(online),
            NetEvent::Offline(offline) => return self.went_offline(offline, now),
            NetEvent::Joined { revision, person } => return follow_up(self.people.joined(revision, person)),
            NetEvent::Left { revision, name } => {
                let followup = self.people.left(revision, &name);
                self.forget_departed();
                return follow_up(followup);
            }
            NetEvent::Directory { revision, people } => {
                self.people.directory(revision, people);
                self.forget_departed();
            }
            NetEvent::LibraryChanged(library) => return self.change_library(library),
            NetEvent::Sent { draft, message_id } => self.conversations.sent(draft, message_id),
            NetEvent::SendFailed { draft, reason } => self.conversations.send_failed(draft, reason),
            NetEvent::Received(message) => {
                let (selected, side) = (self.selected, self.side);
                let is_on_screen = |peer| peer == selected && side == SidePanel::Conversation;
                self.conversations.receive(message, is_on_screen);
            }
            NetEvent::Envelope(entry) => {
                if entry.outcome == WireOutcome::Own {
                    self.conversations.relayed(entry.message_id);
                }
                self.wire.push(entry, now.unix_millis);
            }
            NetEvent::StreamStarted(start) => self.player.started(start),
            NetEvent::StreamEnded { stream, epoch, reason } => {
                return self.player.source_ended(stream, epoch, reason);
            }
            NetEvent::Thumbnail { video, fingerprint, jpeg } => {
                return self.thumbnails.came((video, fingerprint), jpeg.0, &self.library);
            }
        }
        Vec::new()
    }

    /// Takes in what the playout says.
    pub fn report(&mut self, status: PlaybackStatus, now: Moment) -> Vec<Effect> {
        self.player.report(status, now.instant)
    }

    /// Takes in that a thumbnail of [`Effect::ShowThumbnail`] was decoded, or could not be. Returns whether it is still
    /// wanted: one that was dropped meanwhile must not be kept, because nothing would drop it again.
    pub fn thumbnail_decoded(&mut self, key: ThumbnailKey, is_readable: bool) -> bool {
        self.thumbnails.decoded(key, is_readable)
    }

    /// These entries of the library are on the screen.
    pub fn see_videos(&mut self, videos: &[VideoId]) -> Vec<Effect> {
        if self.connection.is_online() { self.thumbnails.see(videos, &self.library) } else { Vec::new() }
    }

    /// Takes in what the person does.
    pub fn handle(&mut self, action: Action, now: Moment) -> Vec<Effect> {
        match action {
            Action::EditAddress(address) => self.connection.address = address,
            Action::EditName(name) => self.connection.name = name,
            Action::Connect if self.connection.form_hint().is_none() => return self.connect(),
            Action::Connect => {}
            Action::ConnectAs(name) => {
                self.connection.name = name.as_str().to_owned();
                return self.connect();
            }
            Action::ReconnectNow => {
                self.connection.forget_tries();
                return self.connect();
            }
            Action::Leave => return self.leave(),
            Action::Select(peer) => {
                self.side = SidePanel::Conversation;
                self.select(peer);
                return vec![Effect::FocusComposer];
            }
            Action::EditDraft(text) => {
                let conversation = self.conversations.entry(self.selected);
                conversation.draft = text;
                conversation.hint = None;
            }
            Action::Send => return self.send(now),
            Action::Retry(draft) => return self.retry(draft),
            Action::ShowSide(side) => {
                self.side = side;
                self.select(self.selected);
            }
            Action::Watch(id) => {
                let video = self.library.videos.iter().find(|video| video.id == id).cloned();
                if let Some(video) = video.filter(|_| self.connection.is_online()) {
                    return self.player.watch(video, now.instant);
                }
            }
            Action::StopWatching | Action::ClosePlayer => return self.player.stop(),
            Action::TogglePause => return self.player.toggle_pause(now.instant),
            Action::SeekTo(nanos) => return self.player.seek_to(nanos, now.instant),
            Action::SeekBy(nanos) => return self.player.seek_by(nanos, now.instant),
            Action::SeekToLast => return self.player.seek_to_last(now.instant),
            Action::Step(pictures) => return self.player.step(pictures, now.instant),
            Action::SetQuality(quality) => return self.player.set_quality(quality, now.instant),
            Action::SetVolume(percent) => return self.player.set_volume(percent),
            Action::ChangeVolume(percent) => return self.player.change_volume(percent),
            Action::ToggleMute => return self.player.toggle_mute(),
        }
        Vec::new()
    }

    fn connect(&mut self) -> Vec<Effect> {
        self.connection.begin_attempt();
        let (address, name) = (self.connection.address.trim().to_owned(), self.connection.name.trim().to_owned());
        vec![Effect::Net(NetCommand::Connect { address, name })]
    }

    fn came_online(&mut self, online: Online) -> Vec<Effect> {
        let home = (self.connection.address.trim().to_owned(), online.public_key.id());
        if self.last_home.as_ref() != Some(&home) {
            // Another server or another self: what was said before belongs to neither.
            self.conversations = Conversations::default();
            self.wire = Wire::default();
            self.people = People::default();
            self.selected = Peer::Everyone;
            self.last_home = Some(home);
        }
        self.connection.name = online.name.as_str().to_owned();
        self.connection.came_online(online.server_fingerprint);
        self.people.came_online(online.public_key.id(), online.revision, online.people);
        self.forget_departed();
        self.change_library(online.library)
    }

    /// People who left are forgotten at some time, but not while a conversation shows their name.
    fn forget_departed(&mut self) {
        self.people.forget_departed(|key| self.conversations.get(Peer::Person(*key)).is_some());
    }

    /// What plays goes on: the server ends it if it must.
    fn change_library(&mut self, library: Library) -> Vec<Effect> {
        self.library = library;
        self.thumbnails.keep_only(&self.library)
    }

    fn went_offline(&mut self, offline: Offline, now: Moment) -> Vec<Effect> {
        self.connection.went_offline(offline, now.instant);
        self.people.went_offline();
        self.conversations.went_offline();
        self.thumbnails.went_offline();
        let mut effects = self.player.went_offline();
        if !self.connection.is_wanted {
            effects.extend(self.player.stop());
        }
        effects
    }

    fn leave(&mut self) -> Vec<Effect> {
        let mut effects = self.player.stop();
        self.connection.is_wanted = false;
        self.connection.phase = Phase::Idle;
        self.connection.problem = None;
        self.people.went_offline();
        self.conversations.went_offline();
        self.thumbnails.went_offline();
        effects.push(Effect::Net(NetCommand::Disconnect));
        effects
    }

    fn select(&mut self, peer: Peer) {
        self.selected = peer;
        if self.side == SidePanel::Conversation {
            self.conversations.entry(peer).unread_count = 0;
        }
    }

    fn send(&mut self, now: Moment) -> Vec<Effect> {
        let peer = self.selected;
        let text = self.conversations.entry(peer).outgoing().to_owned();
        if text.trim().is_empty() {
            return Vec::new();
        }
        let too_long = (text.len() > MAX_TEXT_BYTES).then(|| {
            let surplus_bytes = text.len() - MAX_TEXT_BYTES;
            format!("This is {surplus_bytes} bytes too long for one message. Shorten it, or send it in two.")
        });
        if let Some(reason) = self.cannot_send().or(too_long) {
            self.conversations.entry(peer).hint = Some(reason);
            return Vec::new();
        }
        let recipients = self.recipients(peer);
        let conversation = self.conversations.entry(peer);
        conversation.draft.clear();
        conversation.hint = None;
        let draft = self.conversations.write(peer, text.clone(), now.unix_millis);
        vec![Effect::Net(NetCommand::Send { draft, recipients, text })]
    }

    fn retry(&mut self, draft: crate::event::DraftId) -> Vec<Effect> {
        let Some((peer, message)) = self.conversations.failed(draft) else { return Vec::new() };
        let text = message.text.clone();
        self.select(peer);
        if let Some(reason) = self.cannot_send() {
            self.conversations.entry(peer).hint = Some(reason);
            return Vec::new();
        }
        let recipients = self.recipients(peer);
        let draft = self.conversations.rewrite(draft).expect("the failed message was found above");
        vec![Effect::Net(NetCommand::Send { draft, recipients, text })]
    }

    /// Whom a message to `peer` is sealed for. What is for everyone is for me too: that keeps it a message to several
    /// people, which its readers file under Everyone, even when only one other person is online.
    fn recipients(&self, peer: Peer) -> Vec<PublicKey> {
        match peer {
            Peer::Everyone => self.people.online_keys().take(MAX_PEOPLE).cloned().collect(),
            Peer::Person(key) => self.people.online_key(&key).cloned().into_iter().collect(),
        }
    }
}

fn follow_up(followup: Followup) -> Vec<Effect> {
    match followup {
        Followup::None => Vec::new(),
        Followup::AskDirectory => vec![Effect::Net(NetCommand::AskDirectory)],
    }
}
