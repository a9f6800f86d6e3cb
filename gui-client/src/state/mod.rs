//! The model behind the window, as plain data: [`State::apply`] takes in what the network reports, [`State::handle`] what
//! the person does, [`State::tick`] the passing of time. It depends on neither egui nor tokio.
//!
//! ```text
//! NetEvent ──apply──┐
//! Action ──handle───┼──> State ──> Effects: network commands, playback, focus
//! Moment ──tick─────┘
//! ```

pub mod action;
pub mod appearance;
pub mod connection;
mod connection_problem;
pub mod contacts;
pub mod conversation;
pub mod delivery;
pub mod discovery;
mod draft;
pub mod effect;
mod history;
pub mod identity;
pub mod layout;
pub mod links;
pub mod lists;
mod natural_order;
mod navigation;
mod news;
pub mod notification;
pub mod notifications;
pub mod party;
mod peer;
pub mod people;
pub mod player;
pub mod presence_note;
mod presence_notes;
mod receiving;
mod reconnect;
pub mod sending;
mod server_mark;
mod settings;
pub mod thumbnails;
pub mod trust;
mod unread;
pub mod waiting;
mod waiting_queue;
mod watching;
pub mod wire;

use std::time::Instant;

use common::{crypto::KeyId, media::Library, message::ServerInfo};

use crate::{
    event::{DraftId, NetCommand, NetEvent, Offline, Online, PlaybackStatus},
    figures::Figures,
    settings::Settings,
};

use self::{
    action::{Action, Moment, Peer, SidePanel},
    appearance::Desktop,
    connection::{Connection, Phase},
    conversation::Conversations,
    discovery::Search,
    effect::Effect,
    history::Histories,
    identity::IdentityCard,
    layout::Layout,
    links::WebAddress,
    lists::Lists,
    notifications::Notifier,
    party::Together,
    people::People,
    player::PlayerState,
    sending::SendObstacle,
    thumbnails::Thumbnails,
    trust::Trust,
    waiting::Returning,
    wire::Wire,
};

/// Everything that the window shows, except textures.
#[derive(Debug, Clone)]
pub struct State {
    /// The connection and the form that starts it.
    pub connection: Connection,
    /// The search for servers, on the first screen.
    pub search: Search,
    /// The card for the key of the name in the form, while it is shown.
    pub identity: Option<IdentityCard>,
    /// Who is online.
    pub people: People,
    /// Whether they have the keys with which they were met.
    pub trust: Trust,
    /// The messages of the server that was joined last.
    pub conversations: Conversations,
    /// Whose conversation is open.
    pub selected: Peer,
    /// What the server says about itself.
    pub server: ServerInfo,
    /// The videos of the server, by title.
    pub library: Library,
    /// The video in the player.
    pub player: PlayerState,
    /// Watching it together with others.
    pub together: Together,
    /// Which thumbnails are wanted, requested and loaded.
    pub thumbnails: Thumbnails,
    /// The latest envelopes.
    pub wire: Wire,
    /// What the right column shows.
    pub side: SidePanel,
    /// Whether the right column has most of the window.
    pub is_side_wide: bool,
    /// Which columns are shown and how wide they are.
    pub layout: Layout,
    /// What is searched for in the lists of people and videos.
    pub lists: Lists,
    /// Only keys of people whose names hold this text are listed.
    pub keys_filter: String,
    /// What is remembered for the next run.
    pub settings: Settings,
    /// What the desktop says about the look of programs.
    pub desktop: Desktop,
    /// What the window has to tell about the file of the settings, until it was read.
    pub settings_notice: Option<String>,
    /// The link that the person is asked about.
    pub link_question: Option<WebAddress>,
    /// Whether the page of all keys is shown.
    pub is_keys_page_open: bool,
    /// Whether the window has the keyboard focus.
    is_focused: bool,
    /// What the desktop shows of what arrived since the window was in front.
    notifier: Notifier,
    /// Whether the window shows the end of the open conversation.
    is_end_in_sight: bool,
    /// A conversation that was opened because it had unread messages: it keeps its place at the top until another one
    /// is opened.
    raised: Option<Peer>,
    /// The message to everyone that waits until each member has the sender key, and how many of how many have it.
    handing_over: Option<(DraftId, usize, usize)>,
    /// Those who could not be handed the sender key for the last message to everyone.
    unreachable: Vec<KeyId>,
    /// Why the last attempt to send the draft of the open conversation was refused.
    refused_by: Option<SendObstacle>,
    /// Who was online when the connection was lost, and has not come back.
    returning: Returning,
    histories: Histories,
}

impl State {
    /// The state at the start, with the form filled in. `is_plaintext` says that connections will not be encrypted.
    pub fn new(address: String, name: String, is_plaintext: bool) -> Self {
        Self {
            connection: Connection::new(address, name, is_plaintext),
            search: Search::default(),
            identity: None,
            people: People::default(),
            trust: Trust::default(),
            conversations: Conversations::default(),
            selected: Peer::Everyone,
            server: ServerInfo::default(),
            library: Library::default(),
            player: PlayerState::default(),
            together: Together::default(),
            thumbnails: Thumbnails::default(),
            wire: Wire::default(),
            side: SidePanel::Conversation,
            is_side_wide: false,
            layout: Layout::default(),
            lists: Lists::default(),
            keys_filter: String::new(),
            settings: Settings::default(),
            desktop: Desktop::default(),
            settings_notice: None,
            link_question: None,
            is_keys_page_open: false,
            is_focused: true,
            notifier: Notifier::default(),
            is_end_in_sight: true,
            raised: None,
            handing_over: None,
            unreachable: Vec::new(),
            refused_by: None,
            returning: Returning::default(),
            histories: Histories::default(),
        }
    }

    /// When [`State::tick`] has to be called next, if at all.
    pub fn next_tick(&self) -> Option<Instant> {
        let reconnect = match self.connection.phase {
            Phase::Waiting { retry_at } => Some(retry_at),
            _ => None,
        };
        let probe = self.player.next_probe_at();
        let search = self.next_search_tick();
        // Those who return are waited for only by what is said to everyone.
        let returning = self.returning.deadline().filter(|_| !self.conversations.waiting.is_empty());
        let others = probe
            .into_iter()
            .chain(returning)
            .chain(search)
            .chain(self.next_notification())
            .chain(self.next_party_tick());
        reconnect.into_iter().chain(self.conversations.next_tick()).chain(others).min()
    }

    /// Does what is due by now: reconnects, sends what has waited long enough, stops waiting for what has become of messages,
    /// has the desktop told of new ones, and measures the round trip.
    pub fn tick(&mut self, now: Moment) -> Vec<Effect> {
        self.give_up_waiting(now);
        let mut effects = match self.connection.phase {
            Phase::Waiting { retry_at } if retry_at <= now.instant => self.connect(),
            Phase::Idle => self.advance_search(now),
            _ => self.player.probe(now.instant),
        };
        effects.extend(self.tick_party(now));
        effects.extend(self.notify(now));
        effects.extend(self.send_waiting(now));
        effects
    }

    /// Takes in what the network reports.
    pub fn apply(&mut self, event: NetEvent, now: Moment) -> Vec<Effect> {
        let mut effects = self.apply_event(event, now);
        effects.extend(self.player.settle_previews());
        self.forget_overcome_refusal();
        effects.extend(self.send_waiting(now));
        effects
    }

    fn apply_event(&mut self, event: NetEvent, now: Moment) -> Vec<Effect> {
        match event {
            NetEvent::Progress(progress) => {
                // An attempt that was given up may still report progress.
                if matches!(self.connection.phase, Phase::Attempting(_)) {
                    self.connection.phase = Phase::Attempting(progress);
                }
            }
            NetEvent::IdentityDone(outcome) => self.identity_done(outcome),
            NetEvent::Reached(tls) => self.connection.tls = tls,
            NetEvent::Online(online) => return self.came_online(online, now),
            NetEvent::Offline(offline) => return self.went_offline(offline, now),
            NetEvent::Dictionary(dictionary) => return self.dictionary_changed(dictionary, now),
            NetEvent::Watching(viewings) => self.watching_changed(&viewings, now),
            NetEvent::PinsFailed(trouble) => self.trust.trouble = Some(trouble),
            NetEvent::LibraryChanged(library) => return self.change_library(library),
            NetEvent::HandingOver { draft, handed, members } => self.handing_over = Some((draft, handed, members)),
            NetEvent::LeftOut(people) => self.unreachable = people,
            NetEvent::Sent { draft, sealed } => {
                self.handing_over.take_if(|(waiting, ..)| *waiting == draft);
                self.conversations.sent(draft, sealed, now.instant);
            }
            NetEvent::SendFailed { draft, reason } => self.conversations.send_failed(draft, reason),
            NetEvent::Received(message) => return self.received(message, now),
            NetEvent::Confirmed { by, ids } => ids.into_iter().for_each(|id| self.conversations.delivered(by, id)),
            NetEvent::Envelope(entry) => self.passed(entry, now),
            NetEvent::EnvelopesDropped(count) => self.wire.note_dropped(count),
            NetEvent::StreamStarted(start) => return self.player.started(start, now.instant),
            NetEvent::StreamEnded { stream, epoch, reason } => {
                return self.player.source_ended(stream, epoch, reason);
            }
            NetEvent::RoundTrip(round_trip) => return self.echoed(round_trip, now),
            NetEvent::Party(party) => return self.party_changed(party, now),
            NetEvent::PartyOver(party) => return self.party_over(party, now),
            NetEvent::Preview(preview) => return self.preview_came(preview),
            NetEvent::Thumbnail { video, fingerprint, jpeg } => {
                return self.thumbnails.came((video, fingerprint), jpeg.0, &self.library);
            }
        }
        Vec::new()
    }

    /// Takes in the state of the stream that plays.
    pub fn report(&mut self, status: PlaybackStatus, now: Moment) -> Vec<Effect> {
        let mut effects = self.player.report(status, now.instant);
        effects.extend(self.follow_party(&status, now));
        effects
    }

    /// Takes in the figures of the stream that plays, from which the window writes statistics.
    pub fn take_figures(&mut self, figures: Figures, now: Moment) {
        self.player.party_error_nanos = self.party_error_nanos();
        self.player.take_figures(figures, now.instant);
    }

    /// Takes in what the person does.
    pub fn handle(&mut self, action: Action, now: Moment) -> Vec<Effect> {
        let mut effects = self.handle_action(action, now);
        effects.extend(self.player.settle_previews());
        self.remember_choices();
        effects.extend(self.send_waiting(now));
        effects
    }

    fn handle_action(&mut self, action: Action, now: Moment) -> Vec<Effect> {
        if let Some(effects) = self.handle_together(&action, now) {
            return effects;
        }
        match action {
            Action::EditAddress(address) => {
                self.search.show_form();
                self.connection.edit_address(address);
            }
            Action::EditName(name) => {
                self.search.stop_joining_by_itself();
                self.connection.edit_name(name);
            }
            Action::JoinServer(address) => return self.join_server(&address),
            Action::TypeAddress => self.search.show_form(),
            Action::LookForServers => self.look_for_servers(now),
            Action::Connect if self.connection.form_hint().is_none() => return self.connect(),
            Action::Connect => {}
            Action::ConnectAs(name) => {
                self.connection.name = name.as_str().to_owned();
                return self.connect();
            }
            Action::ReconnectNow => {
                self.connection.reset_attempts();
                return self.connect();
            }
            Action::ShowReasons(is_shown) => self.connection.shows_reasons = is_shown,
            Action::Identity(action) => return self.handle_identity(action),
            Action::ConfirmCertificate(is_confirmed) => self.connection.confirm_certificate(is_confirmed),
            Action::TrustCertificate => {
                return self.trust_certificate().map(Effect::Net).into_iter().collect();
            }
            Action::Repair(repair) => return vec![Effect::Net(self.connection.connect_repairing(repair))],
            Action::ForgetServer => return self.connection.forget_server().into_iter().map(Effect::Net).collect(),
            Action::MarkServer(is_verified) => self.mark_server(is_verified),
            Action::EndFirstVisitNotice => self.connection.is_first_visit = false,
            Action::EndSettingsNotice => self.settings_notice = None,
            Action::Leave => {
                self.resume_search(now);
                return self.leave();
            }
            Action::Select(peer) => {
                self.show_conversation();
                self.select(peer);
                return vec![Effect::FocusComposer];
            }
            Action::GoTo(neighbour) => return self.go_to(neighbour),
            Action::ShowEnvelope(id) => self.show_envelope(id),
            Action::SeeEnd(peer, is_in_sight) => self.see_end(peer, is_in_sight),
            Action::OpenSafetyNumber(key) => self.open_safety_number(key),
            Action::CloseSafetyNumber => self.trust.open = None,
            Action::AcceptKey(key) => return self.accept_key(key, now),
            Action::SetVerified(key, is_verified) => return self.set_verified(key, is_verified, now),
            Action::EditDraft(text) => self.edit_draft(text),
            Action::Send => self.send(now),
            Action::Retry(draft) => self.retry(draft),
            Action::Withdraw(draft) => return self.withdraw(draft),
            Action::ShowSide(side) => self.show_side(side),
            Action::Layout(action) => self.handle_layout(action),
            Action::Appearance(action) => self.handle_appearance(action),
            Action::SetNotifications(notifications) => self.settings.notifications = notifications,
            Action::Lists(action) => self.handle_lists(action),
            Action::WidenSide(is_wide) => self.is_side_wide = is_wide,
            Action::Wire(action) => self.wire.handle(action),
            Action::EditKeysFilter(text) => self.keys_filter = text,
            Action::ShowWatching(is_shown) => {
                self.settings.is_watching_shown = is_shown;
                let is_online = self.connection.is_online();
                return is_online.then_some(Effect::Net(NetCommand::ShowWatching(is_shown))).into_iter().collect();
            }
            Action::AskAboutLink(text) => self.link_question = WebAddress::parse(&text),
            Action::AnswerLink(is_wanted) => {
                let address = self.link_question.take().filter(|_| is_wanted);
                return address.map(Effect::OpenInBrowser).into_iter().collect();
            }
            Action::Watch(id) => {
                let video = self.library.videos.iter().find(|video| video.id == id).cloned();
                if let Some(video) = video.filter(|_| self.connection.is_online()) {
                    self.show_player();
                    return self.player.watch(video, now.instant);
                }
            }
            Action::StartOver => return self.start_over(now),
            Action::WatchNeighbour(places) => return self.watch_neighbour(places, now),
            Action::EndResumeNotice => self.player.end_resume_notice(),
            Action::StopWatching | Action::ClosePlayer => return self.player.stop(),
            Action::Party(action) => return self.handle_party(action, now),
            Action::TogglePause if self.player.has_ended() => return self.start_over(now),
            Action::TogglePause => return self.player.toggle_pause(),
            Action::SeekTo(nanos) => return self.player.seek_to(nanos, now.instant),
            Action::SeekBy(nanos) => return self.player.seek_by(nanos, now.instant),
            Action::SeekToTenth(tenths) => return self.player.seek_to_tenth(tenths, now.instant),
            Action::SeekToLast => return self.player.seek_to_last(now.instant),
            Action::Step(pictures) => return self.player.step(pictures, now.instant),
            Action::WantPreviews => return self.want_previews(),
            Action::SetQuality(quality) => return self.player.set_quality(quality, now.instant),
            Action::SetSpeed(speed) => return self.player.set_speed(speed),
            Action::ChangeSpeed(steps) => return self.player.set_speed(self.player.speed.changed_by(steps)),
            Action::SetVolume(percent) => return self.player.set_volume(percent),
            Action::ChangeVolume(percent) => return self.player.change_volume(percent),
            Action::ToggleMute => return self.player.toggle_mute(),
            Action::ToggleStatistics => self.player.toggle_statistics(),
            Action::ToggleView(view) => self.player.toggle_view(view),
            Action::LeaveView => self.player.leave_view(),
            Action::ToggleKeysPage => self.is_keys_page_open = !self.is_keys_page_open,
        }
        Vec::new()
    }

    fn connect(&mut self) -> Vec<Effect> {
        self.identity = None;
        self.search.stop_joining_by_itself();
        self.connection.begin_attempt();
        vec![Effect::Net(self.connection.command())]
    }

    fn came_online(&mut self, online: Online, now: Moment) -> Vec<Effect> {
        let me = online.public_key.id();
        let is_renamed = self.take_up_history(me);
        self.connection.came_online(online.tls, online.is_first_visit);
        self.remember_visit();
        (self.handing_over, self.unreachable) = (None, Vec::new());
        // Everyone is met anew: the file may have changed since, and belong to another server.
        let listed = online.people.people().map(|person| (person.name.clone(), person.public_key.id()));
        let listed: Vec<_> = listed.filter(|(_, key)| *key != me).collect();
        // Under another name, one's own entry of before has not left.
        let before = self.people.dictionary().cloned().filter(|_| !is_renamed);
        self.await_others(&online.people, now);
        self.people.came_online(me, online.people);
        self.note_presence(before, now.unix_millis);
        self.forget_departed();
        self.trust.begin(online.pins);
        let mut effects = self.meet(listed, now);
        self.server = online.server;
        effects.push(Effect::Net(NetCommand::ShowWatching(self.settings.is_watching_shown)));
        effects.extend(self.change_library(online.library));
        effects.extend(self.player.came_online(&self.library, now.instant));
        effects.extend(self.rejoin_party(now));
        effects
    }

    /// Forgets the names of people who left long ago, except those of conversations.
    fn forget_departed(&mut self) {
        self.people.forget_departed(|key| self.conversations.get(Peer::Person(*key)).is_some());
    }

    /// The video in the player goes on: if its files are gone, the server ends the stream.
    fn change_library(&mut self, library: Library) -> Vec<Effect> {
        self.library = library;
        self.library.videos.sort_by_cached_key(|video| (natural_order::key(&video.title), video.id));
        self.lists.note_library(&self.library);
        self.thumbnails.keep_only(&self.library)
    }

    fn went_offline(&mut self, offline: Offline, now: Moment) -> Vec<Effect> {
        self.connection.went_offline(offline, now.instant);
        self.people.went_offline();
        self.conversations.went_offline();
        self.thumbnails.went_offline();
        let mut effects = self.player.went_offline();
        effects.extend(self.interrupt_party());
        if !self.connection.is_wanted {
            effects.extend(self.player.stop());
        }
        effects
    }

    fn leave(&mut self) -> Vec<Effect> {
        let mut effects = [self.leave_party(), self.player.stop()].concat();
        self.connection.leave();
        self.people.went_offline();
        self.conversations.went_offline();
        self.thumbnails.went_offline();
        effects.push(Effect::Net(NetCommand::Disconnect));
        effects
    }
}
