//! The connection as a person sees it: a form, steps, online, problem.

use std::time::{Duration, Instant};

use common::{
    limits::PROTOCOL_VERSION,
    message::RefusalCode,
    name::{Name, NameError},
};

use crate::event::{Offline, Progress};

use super::action::Action;

/// The first automatic try follows a broken link after this long; each further one after twice the time.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The longest time between two automatic tries.
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(10);

/// For so many tries after a break, "your name is in use" means our own connection that the server has not yet missed.
const TRIES_UNTIL_OWN_GHOST_IS_GONE: u32 = 4;

/// Where the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is under way; the form waits, perhaps with [`Connection::problem`].
    Idle,
    /// An attempt is under way.
    Attempting(Progress),
    /// In.
    Online,
    /// The next automatic try comes by itself.
    Waiting {
        /// When.
        retry_at: Instant,
    },
}

/// What went wrong, and the way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionProblem {
    /// What happened.
    pub what: String,
    /// What it means and what to do.
    pub remedy: String,
    /// The one button: its label, and what it does.
    pub button: Option<(String, Action)>,
    /// Whether the server is not who it was: shown as a warning, not as a hitch.
    pub is_alarming: bool,
}

/// The connection and the form that starts it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `host` or `host:port`, as typed.
    pub address: String,
    /// The name wished for, as typed.
    pub name: String,
    /// Where it stands.
    pub phase: Phase,
    /// Why it is not online, when something went wrong.
    pub problem: Option<ConnectionProblem>,
    /// The server's certificate in short form; none on a plaintext link.
    pub server_fingerprint: Option<String>,
    /// Whether this connection was online and should be again.
    pub is_wanted: bool,
    tries: u32,
}

impl Connection {
    /// A form filled in and untouched.
    pub fn new(address: String, name: String) -> Self {
        Self { address, name, phase: Phase::Idle, problem: None, server_fingerprint: None, is_wanted: false, tries: 0 }
    }

    /// Whether messages and videos flow.
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Why the form as typed cannot be sent, in words for a person.
    pub fn form_hint(&self) -> Option<String> {
        if self.address.trim().is_empty() {
            return Some("Enter the server's address, for example 127.0.0.1.".into());
        }
        match Name::parse(self.name.trim()) {
            Ok(_) => None,
            Err(NameError::Empty) => Some("Enter the name that others will see.".into()),
            Err(error) => Some(sentence(&error.to_string())),
        }
    }

    pub(super) fn begin_attempt(&mut self) {
        self.phase = Phase::Attempting(Progress::Connecting);
        if !self.is_wanted {
            // Otherwise it stays until the link is back, so that nothing jumps with each try.
            self.problem = None;
        }
    }

    /// The person will not wait: the delays begin anew.
    pub(super) fn forget_tries(&mut self) {
        self.tries = 0;
    }

    pub(super) fn came_online(&mut self, server_fingerprint: Option<String>) {
        self.phase = Phase::Online;
        self.problem = None;
        self.server_fingerprint = server_fingerprint;
        self.is_wanted = true;
        self.tries = 0;
    }

    /// Takes in why the connection is not there, and decides whether it is tried again.
    pub(super) fn went_offline(&mut self, offline: Offline, now: Instant) {
        let is_retried = self.is_wanted
            && match &offline {
                Offline::Unreachable { .. } | Offline::Goodbye(_) => true,
                Offline::Refused { code: RefusalCode::NameInUse | RefusalCode::KeyInUse, .. } => {
                    self.tries < TRIES_UNTIL_OWN_GHOST_IS_GONE
                }
                Offline::Refused { code: RefusalCode::TooLate | RefusalCode::Full, .. } => true,
                _ => false,
            };
        self.problem = problem(offline, is_retried);
        self.phase = if is_retried {
            let delay = FIRST_RETRY_DELAY.saturating_mul(1 << self.tries.min(16)).min(LONGEST_RETRY_DELAY);
            self.tries += 1;
            Phase::Waiting { retry_at: now + delay }
        } else {
            Phase::Idle
        };
        if self.problem.is_none() {
            self.is_wanted = false;
        }
    }
}

fn problem(offline: Offline, is_retried: bool) -> Option<ConnectionProblem> {
    let hitch = |what: String, remedy: String, label: &str| ConnectionProblem {
        what,
        remedy,
        button: Some(if is_retried {
            ("Reconnect now".to_owned(), Action::ReconnectNow)
        } else {
            (label.to_owned(), Action::Connect)
        }),
        is_alarming: false,
    };
    Some(match offline {
        Offline::Left => return None,
        Offline::Unreachable { what, remedy } => hitch(what, remedy, "Try again"),
        Offline::Goodbye(reason) => hitch(
            format!("The server ended the connection: {reason}"),
            "Your conversations stay here. You can join again when the server is back.".into(),
            "Join again",
        ),
        Offline::Refused { code, message, suggestion } => refusal(code, message, suggestion, is_retried),
        Offline::CertificateChanged { expected, found, known_servers_file } => ConnectionProblem {
            what: "This is not the server that you joined before.".into(),
            remedy: format!(
                "It shows the certificate {found}; the one remembered from the first visit is {expected}. \
                 Somebody may be listening in between, or the server was set up anew. Ask the person who runs it \
                 which one its console names. Only if it is {found}: remove this server's entry from {known_servers_file} \
                 and join again."
            ),
            button: None,
            is_alarming: true,
        },
        Offline::Identity { what, remedy } => hitch(what, remedy, "Try again"),
    })
}

fn refusal(code: RefusalCode, message: String, suggestion: Option<Name>, is_retried: bool) -> ConnectionProblem {
    let connect = |label: &str| Some((label.to_owned(), Action::Connect));
    let (what, remedy, button) = match code {
        RefusalCode::NameInUse | RefusalCode::KeyInUse if is_retried => (
            "The server still holds your broken connection.".to_owned(),
            "It lets go of it within ten seconds; the next try follows by itself.".to_owned(),
            Some(("Reconnect now".to_owned(), Action::ReconnectNow)),
        ),
        RefusalCode::NameInUse => {
            let button = suggestion.map(|name| (format!("Join as {name}"), Action::ConnectAs(name)));
            ("This name is taken.".to_owned(), message, button)
        }
        RefusalCode::VersionMismatch => (
            "The server speaks another version.".to_owned(),
            format!(
                "{message} This client speaks protocol version {PROTOCOL_VERSION}; bring both to the same release."
            ),
            connect("Try again"),
        ),
        RefusalCode::BadName => ("The server does not take this name.".to_owned(), message, None),
        RefusalCode::Full => ("The server is full.".to_owned(), message, connect("Try again")),
        _ => ("The server refused to let you in.".to_owned(), message, connect("Try again")),
    };
    ConnectionProblem { what, remedy, button, is_alarming: false }
}

/// Capital letter in front, full stop behind.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut sentence: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
