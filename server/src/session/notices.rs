//! The sentences with which the server refuses a client or ends its session or stream, composed in one place. Clients show
//! them to a person as they are.

use std::{fmt::Display, time::Duration};

use common::{
    crypto::KeyError,
    limits::{PROTOCOL_VERSION, SILENCE_LIMIT},
    message::RefusalCode,
    name::{Name, NameError},
};

use crate::{
    admission::NoPlace,
    hub::{directory::EnterError, register::DAYS_KEPT},
};

/// The reason in `Goodbye` when the server stops.
pub const SERVER_STOPPED: &str = "The server was stopped.";

/// The reason in `StreamEnded` when a client asks for a video that was removed, or was never there.
pub const NO_SUCH_VIDEO: &str = "This video is no longer on the server.";

/// The reason in `Goodbye` for a client that sends nothing, not even `Pong`.
pub fn client_silent() -> String {
    let seconds = SILENCE_LIMIT.as_secs();
    format!("The server closed the connection because it received nothing from this client for {seconds} s.")
}

/// A refusal, for `ServerMessage::Refused` and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What a program decides by.
    pub code: RefusalCode,
    /// What a person reads.
    pub message: String,
    /// A free name, when the requested one is taken.
    pub suggestion: Option<Name>,
}

impl Refusal {
    fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None }
    }

    /// The greeting does not begin with `MAGIC`.
    pub fn not_a_client() -> Self {
        Self::new(
            RefusalCode::Malformed,
            "This is a Triptych server, and the program that connected is not a Triptych client.",
        )
    }

    /// A message that cannot be read or is not valid in the current state. `fault` is a clause without a full stop.
    pub fn protocol_fault(fault: impl Display) -> Self {
        Self::new(RefusalCode::Malformed, format!("The client broke the protocol: {fault}."))
    }

    /// A session record that the client's key has not signed, or not for this name and server.
    pub fn unsigned_session() -> Self {
        Self::protocol_fault("the session record is not signed by the client's key for this name and this server")
    }

    /// The signature of a new session key could not be verified in time.
    pub fn busy() -> Self {
        Self::new(
            RefusalCode::TooMany,
            "The server has too much to do to verify a new session key. Wait a moment, then connect again.",
        )
    }

    /// The client speaks another version of the protocol.
    pub fn version_mismatch(client_version: u16) -> Self {
        let message = format!(
            "The client speaks protocol version {client_version}, the server version {PROTOCOL_VERSION}. \
             Install the same release of Triptych on both computers."
        );
        Self::new(RefusalCode::VersionMismatch, message)
    }

    /// The key is not one that the protocol allows.
    pub fn bad_key(error: &KeyError) -> Self {
        Self::new(RefusalCode::BadKey, format!("The server does not accept this client's key: {error}."))
    }

    /// The signature in `Join` does not hold.
    pub fn bad_proof() -> Self {
        let message = "The client could not prove that it holds the private key. Connect again.";
        Self::new(RefusalCode::BadProof, message)
    }

    /// The name breaks the rules for names.
    pub fn bad_name(error: &NameError) -> Self {
        Self::new(RefusalCode::BadName, error.to_string())
    }

    /// The client took too long to connect and say hello.
    pub fn no_hello(limit: Duration) -> Self {
        let message = format!("The client did not say hello within {} s. Connect again.", limit.as_secs());
        Self::new(RefusalCode::TooLate, message)
    }

    /// The client took too long to join.
    pub fn no_join(limit: Duration) -> Self {
        let message = format!("The client did not join within {} s. Connect again.", limit.as_secs());
        Self::new(RefusalCode::TooLate, message)
    }

    /// Another client got the place of this one, which had not joined.
    pub fn displaced() -> Self {
        let message = "Many clients are connecting, and this one had not joined yet. Connect again.";
        Self::new(RefusalCode::TooLate, message)
    }

    /// The system lets the server open no more connections.
    pub fn exhausted() -> Self {
        let message = "The server has no more open files left for connections. Try again in a minute.";
        Self::new(RefusalCode::TooMany, message)
    }

    /// The last of so many names that a client may try on one connection was refused.
    pub fn too_many_joins(name_count: usize) -> Self {
        let message = format!("The server refused {name_count} names on this connection. Connect again.");
        Self::new(RefusalCode::TooMany, message)
    }

    /// Clients at the same address have joined too often within a minute.
    pub fn too_many_joins_from_address() -> Self {
        let message = "Clients at your network address have joined too often within a minute. Try again in a minute.";
        Self::new(RefusalCode::TooMany, message)
    }
}

impl From<NoPlace> for Refusal {
    fn from(no_place: NoPlace) -> Self {
        let message = match no_place {
            NoPlace::TooManyFromSource(count) => format!(
                "There are {count} connections from your network address already, which is the most that this server \
                 allows. Disconnect another client there first, or ask the person who runs the server to raise \
                 --max-connections-per-address."
            ),
            NoPlace::NotYet(_) => return Self::displaced(),
            NoPlace::TooMany(count) => format!(
                "There are {count} connections already, which is the most that this server allows. Try again when someone \
                 has left."
            ),
        };
        Self::new(RefusalCode::TooMany, message)
    }
}

impl From<EnterError> for Refusal {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::NameInUse { name, suggestion } => {
                let message = format!("\"{name}\" is already online. {}", instead(suggestion.as_ref()));
                Self { code: RefusalCode::NameInUse, message, suggestion }
            }
            EnterError::NameOwned { name, suggestion } => {
                let message = format!(
                    "\"{name}\" belongs to another key, which was online within the last {DAYS_KEPT} days. {}",
                    instead(suggestion.as_ref())
                );
                Self { code: RefusalCode::NameInUse, message, suggestion }
            }
            EnterError::StillOnline { name, suggestion } => {
                let message = format!(
                    "You are already online as \"{name}\": in another window, or over a connection that the server has not \
                     noticed to be lost. {}",
                    instead(suggestion.as_ref())
                );
                Self { code: RefusalCode::KeyInUse, message, suggestion }
            }
            EnterError::KeyInUse(name) => {
                let message = format!(
                    "Your key is already online under the name \"{name}\". Disconnect there first, or join \
                     with a name that has its own key."
                );
                Self::new(RefusalCode::KeyInUse, message)
            }
            EnterError::Full(people) => {
                let message =
                    format!("The server is full: {people} people are online. Try again when someone has left.");
                Self::new(RefusalCode::Full, message)
            }
        }
    }
}

/// What to do when a name is taken.
fn instead(suggestion: Option<&Name>) -> String {
    match suggestion {
        Some(name) => format!("\"{name}\" is free."),
        None => "Choose another name.".to_owned(),
    }
}
