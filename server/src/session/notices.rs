//! The sentences with which the server refuses a client or ends its session or stream, composed in one place. Clients show
//! them to a person as they are.

use std::fmt::Display;

use common::{
    crypto::KeyError,
    limits::{JOIN_DEADLINE, MAX_PEOPLE, PROTOCOL_VERSION, SILENCE_LIMIT},
    message::RefusalCode,
    name::{Name, NameError},
};

use crate::hub::directory::EnterError;

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

    /// The client took too long to join.
    pub fn too_late() -> Self {
        let message = format!("The client did not join within {} s. Connect again.", JOIN_DEADLINE.as_secs());
        Self::new(RefusalCode::TooLate, message)
    }
}

impl From<EnterError> for Refusal {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::NameInUse { name, suggestion } => {
                let message = format!("\"{name}\" is already online. \"{suggestion}\" is free.");
                Self { code: RefusalCode::NameInUse, message, suggestion: Some(suggestion) }
            }
            EnterError::KeyInUse(name) => {
                let message = format!(
                    "Your key is already online under the name \"{name}\". Disconnect there first, or join \
                     with a name that has its own key."
                );
                Self::new(RefusalCode::KeyInUse, message)
            }
            EnterError::Full => {
                let message =
                    format!("The server is full: {MAX_PEOPLE} people are online. Try again when someone has left.");
                Self::new(RefusalCode::Full, message)
            }
        }
    }
}
