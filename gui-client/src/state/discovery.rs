//! The search for servers as a person sees it: it looks for three seconds, then there is a connection, a choice of servers,
//! or the form. What to do next is decided by [`Search::next_step`], a pure function of what was found and of the time.

use std::time::{Duration, Instant};

use common::{address::ServerAddress, limits::PROTOCOL_VERSION, name::Name};

use super::{State, action::Moment, connection::Phase, effect::Effect};
use crate::event::discovery::{Discovered, Familiarity, FoundServer};

/// How long the first screen says that it looks, and nothing else.
pub const SEARCH_TIME: Duration = Duration::from_secs(3);
/// How long others have to answer after the first server did, before it counts as the only one.
pub const SETTLING_TIME: Duration = Duration::from_millis(800);

/// What the first screen shows while there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstScreen {
    /// That servers are looked for.
    Searching,
    /// The servers that were found, to choose one.
    Servers,
    /// The form in which an address is typed.
    Form,
}

/// Why a server that was found cannot be joined by this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It speaks another version of the protocol.
    OtherVersion,
    /// It has no TLS, and this client was not started with `--plaintext`.
    NotEncrypted,
    /// It has TLS, and this client was started with `--plaintext`.
    Encrypted,
}

/// The search for servers.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whether it was asked for: not while an address was given on the command line.
    is_on: bool,
    /// Whether it may still end in a connection without the person. What they type or choose ends that.
    joins_by_itself: bool,
    /// Whether the person wants to type an address, whatever is found.
    wants_form: bool,
    begun_at: Option<Instant>,
    /// When the first of the servers that are there and can be joined was found.
    found_at: Option<Instant>,
    discovered: Discovered,
    screen: FirstScreen,
    /// When something follows without news.
    due_at: Option<Instant>,
}

/// What follows from what was found until now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Nothing, until the next news or [`Search::next_change`].
    Wait,
    /// Join this server.
    Join(ServerAddress),
    /// Show this.
    Show(FirstScreen),
}

impl Default for Search {
    /// No search: the form.
    fn default() -> Self {
        Self {
            is_on: false,
            joins_by_itself: false,
            wants_form: false,
            begun_at: None,
            found_at: None,
            discovered: Discovered::default(),
            screen: FirstScreen::Form,
            due_at: None,
        }
    }
}

impl Search {
    /// What the first screen shows.
    pub fn screen(&self) -> FirstScreen {
        self.screen
    }

    /// The servers that are there, the known ones first.
    pub fn servers(&self) -> &[FoundServer] {
        &self.discovered.servers
    }

    /// Whether servers are looked for whenever there is no connection.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// How much of [`SEARCH_TIME`] is over, from 0 to 1.
    pub fn progress(&self, now: Instant) -> f32 {
        let elapsed = self.begun_at.map_or(SEARCH_TIME, |begun_at| now.saturating_duration_since(begun_at));
        (elapsed.as_secs_f32() / SEARCH_TIME.as_secs_f32()).min(1.0)
    }

    /// Where was looked, in a sentence.
    pub fn where_looked(&self) -> String {
        let looked = self.discovered.looked;
        let networks = match looked.network_count {
            0 => return "Looked on this computer only, because it is on no network.".to_owned(),
            1 => "1 network".to_owned(),
            count => format!("{count} networks"),
        };
        if looked.uses_mdns {
            format!("Looked on this computer, and by broadcast and mDNS on {networks}.")
        } else {
            format!("Looked on this computer, and by broadcast on {networks}.")
        }
    }

    fn begin(&mut self, joins_by_itself: bool, now: Instant) {
        self.is_on = true;
        self.joins_by_itself = joins_by_itself;
        self.wants_form = false;
        self.begun_at = Some(now);
        self.found_at = None;
        self.screen = if self.servers().is_empty() { FirstScreen::Searching } else { FirstScreen::Servers };
        self.due_at = self.next_change(now);
    }

    /// The person decides from here on.
    pub(super) fn stop_joining_by_itself(&mut self) {
        self.joins_by_itself = false;
    }

    pub(super) fn show_form(&mut self) {
        self.stop_joining_by_itself();
        self.wants_form = true;
        self.screen = FirstScreen::Form;
    }

    /// What follows by `now`. Every search comes to an end: [`FirstScreen::Searching`] is left after [`SEARCH_TIME`].
    fn next_step(&self, is_plaintext: bool, now: Instant) -> Step {
        let is_joinable = |server: &&FoundServer| obstacle(server, is_plaintext).is_none();
        let is_settled = self.found_at.is_some_and(|found_at| now >= found_at + SETTLING_TIME);
        if self.joins_by_itself {
            let joinable: Vec<_> = self.servers().iter().filter(is_joinable).collect();
            let is_last = |server: &&&FoundServer| {
                server.familiarity == Familiarity::Last && server.announcement.certificate_hash.is_some()
            };
            if let Some(last) = joinable.iter().find(is_last) {
                return Step::Join(last.address.clone());
            }
            // A stranger that is alone is joined only by those who have never visited any server: an impostor could wait
            // until the server that a person knows is switched off.
            let only = joinable.first().filter(|_| joinable.len() == 1 && is_settled);
            let is_expected =
                |server: &FoundServer| server.familiarity != Familiarity::New || !self.discovered.knows_servers;
            if let Some(only) = only.filter(|server| is_expected(server)) {
                return Step::Join(only.address.clone());
            }
        }
        let is_over = self.begun_at.is_none_or(|begun_at| now >= begun_at + SEARCH_TIME);
        match self.screen {
            FirstScreen::Form if self.wants_form || !is_settled => Step::Wait,
            FirstScreen::Form => Step::Show(FirstScreen::Servers),
            FirstScreen::Servers if self.servers().is_empty() => Step::Show(FirstScreen::Searching),
            FirstScreen::Servers => Step::Wait,
            FirstScreen::Searching if is_settled || is_over && !self.servers().is_empty() => {
                Step::Show(FirstScreen::Servers)
            }
            FirstScreen::Searching if is_over => Step::Show(FirstScreen::Form),
            FirstScreen::Searching => Step::Wait,
        }
    }

    /// When [`Search::next_step`] can have another result without news.
    fn next_change(&self, now: Instant) -> Option<Instant> {
        let over = self.begun_at.map(|begun_at| begun_at + SEARCH_TIME);
        let settled = self.found_at.map(|found_at| found_at + SETTLING_TIME);
        over.into_iter().chain(settled).filter(|at| *at > now).min()
    }
}

/// Why this client cannot join a server, if it cannot.
pub fn obstacle(server: &FoundServer, is_plaintext: bool) -> Option<Obstacle> {
    let announcement = &server.announcement;
    if announcement.protocol_version != PROTOCOL_VERSION {
        return Some(Obstacle::OtherVersion);
    }
    match (announcement.certificate_hash.is_some(), is_plaintext) {
        (false, false) => Some(Obstacle::NotEncrypted),
        (true, true) => Some(Obstacle::Encrypted),
        _ => None,
    }
}

impl State {
    /// Begins to look for servers. Exactly one that is found is joined, as long as the person types nothing.
    pub fn begin_search(&mut self, now: Moment) {
        self.search.begin(true, now.instant);
    }

    /// Whether servers are to be looked for now: on the first screen, while nothing else is under way.
    pub fn wants_search(&self) -> bool {
        self.search.is_on && self.connection.phase == Phase::Idle && !self.connection.is_wanted
    }

    /// Takes in what was found.
    pub fn discovered(&mut self, discovered: Discovered, now: Moment) -> Vec<Effect> {
        self.search.discovered = discovered;
        self.search.found_at = (self.joinable_count() > 0).then(|| self.search.found_at.unwrap_or(now.instant));
        self.advance_search(now)
    }

    /// How many of the servers that are there this client can join.
    fn joinable_count(&self) -> usize {
        let is_plaintext = self.connection.is_plaintext;
        self.search.servers().iter().filter(|server| obstacle(server, is_plaintext).is_none()).count()
    }

    /// Does what follows from what was found by now.
    pub(super) fn advance_search(&mut self, now: Moment) -> Vec<Effect> {
        if !self.wants_search() {
            return Vec::new();
        }
        let step = self.search.next_step(self.connection.is_plaintext, now.instant);
        self.search.due_at = self.search.next_change(now.instant);
        match step {
            Step::Wait => Vec::new(),
            Step::Show(screen) => {
                if screen == FirstScreen::Searching {
                    self.search.begun_at = Some(now.instant);
                    self.search.due_at = self.search.next_change(now.instant);
                }
                // Who has several before them chooses, also when all but one go away meanwhile.
                let joins_by_itself = self.search.joins_by_itself && self.joinable_count() < 2;
                (self.search.screen, self.search.joins_by_itself) = (screen, joins_by_itself);
                Vec::new()
            }
            Step::Join(_) if Name::parse(self.connection.name.trim()).is_err() => {
                self.search.joins_by_itself = false;
                self.advance_search(now)
            }
            Step::Join(address) => self.join_server(&address),
        }
    }

    /// When [`State::advance_search`] has to be called next, if at all.
    pub(super) fn next_search_tick(&self) -> Option<Instant> {
        self.search.due_at.filter(|_| self.wants_search())
    }

    /// Joins a server of the list, if it is still there and can be joined.
    pub(super) fn join_server(&mut self, address: &ServerAddress) -> Vec<Effect> {
        self.search.joins_by_itself = false;
        let is_plaintext = self.connection.is_plaintext;
        let found = self.search.servers().iter().find(|server| server.address == *address);
        let Some(found) = found.filter(|server| obstacle(server, is_plaintext).is_none()) else { return Vec::new() };
        if Name::parse(self.connection.name.trim()).is_err() {
            return Vec::new();
        }
        self.connection.address = found.address.to_string();
        self.connection.announced = found.announcement.certificate_hash;
        // What an attempt that fails comes back to.
        self.search.screen = FirstScreen::Servers;
        self.connect()
    }

    /// Servers cannot be looked for here: what is left is the form.
    pub fn end_search(&mut self) {
        self.search = Search::default();
    }

    /// Looks for servers because the person asked for it; it is theirs to choose one.
    pub(super) fn look_for_servers(&mut self, now: Moment) {
        self.search.begin(false, now.instant);
    }

    /// Looks for servers again after the person has left one, which must not be joined again at once.
    pub(super) fn resume_search(&mut self, now: Moment) {
        if self.search.is_on {
            self.search.begin(false, now.instant);
        }
    }
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
