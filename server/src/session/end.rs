//! Why a session ended, and what follows from that: the last message to the client, what the others are told, the log line.

use std::{net::SocketAddr, time::Duration};

use common::{
    message::{LeaveReason, ServerMessage},
    name::Name,
};

use super::{
    notices::{self, Refusal},
    reader::ReadError,
    writer::WRITE_DEADLINE,
};

/// Why a session ended.
pub(super) enum End {
    Quit,
    Refused(Refusal),
    /// Another connection got the place of this one, which had not joined.
    Displaced,
    Read(ReadError),
    /// Nothing could be written to the client for [`WRITE_DEADLINE`].
    NotReading,
    /// The memory for unsent messages was short, and of the clients that do not read this one held most.
    CutOff {
        waiting_bytes: u64,
        waited: Duration,
    },
    WriteFailed,
}

impl End {
    /// Whether the client broke the protocol in a way that may leave unread bytes behind.
    pub(super) fn may_leave_input(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Read(ReadError::TooLong(_) | ReadError::Decode(_)))
    }

    /// What the client is told last, if anything.
    pub(super) fn last_message(&self) -> Option<ServerMessage> {
        match self {
            Self::Refused(refusal) => Some(refusal.clone().into()),
            Self::Displaced => Some(Refusal::displaced().into()),
            Self::Read(error @ (ReadError::TooLong(_) | ReadError::Decode(_))) => {
                Some(Refusal::protocol_fault(error).into())
            }
            Self::Read(ReadError::Stopping) => {
                Some(ServerMessage::Goodbye { reason: notices::SERVER_STOPPED.to_owned() })
            }
            Self::Read(ReadError::Silent) => Some(ServerMessage::Goodbye { reason: notices::client_silent() }),
            Self::Quit | Self::Read(_) | Self::NotReading | Self::CutOff { .. } | Self::WriteFailed => None,
        }
    }

    /// What the other clients are told. `None` when the server stops: every client hears `Goodbye` itself.
    pub(super) fn leave_reason(&self) -> Option<LeaveReason> {
        match self {
            Self::Quit => Some(LeaveReason::Quit),
            Self::Refused(_)
            | Self::Displaced
            | Self::NotReading
            | Self::CutOff { .. }
            | Self::Read(ReadError::TooLong(_) | ReadError::Decode(_)) => Some(LeaveReason::Expelled),
            Self::Read(ReadError::Stopping) => None,
            Self::Read(_) | Self::WriteFailed => Some(LeaveReason::Lost),
        }
    }

    /// The line for the log.
    pub(super) fn log_line(&self, name: Option<&Name>, peer: SocketAddr) -> String {
        let who = name.map_or_else(|| format!("The client at {peer}"), ToString::to_string);
        let when = if name.is_some() { "" } else { " before joining" };
        match self {
            Self::Quit => format!("{who} left{when}."),
            Self::Refused(refusal) => format!("{who} was refused ({:?}). {}", refusal.code, refusal.message),
            Self::Displaced => format!("{who} lost its place to a newer connection{when}."),
            Self::Read(error) => format!("{who} was disconnected{when}: {error}."),
            Self::NotReading => {
                let seconds = WRITE_DEADLINE.as_secs();
                format!("{who} was disconnected{when}: it read nothing for {seconds} s while messages waited for it.")
            }
            Self::CutOff { waiting_bytes, waited } => {
                let (kib, seconds) = (waiting_bytes / 1024, waited.as_secs());
                format!(
                    "{who} was disconnected{when}: the memory for unsent messages is used up (--send-memory-mib), and of \
                     those who read too slowly it held most: {kib} KiB, the oldest of it for {seconds} s."
                )
            }
            Self::WriteFailed => format!("{who} was disconnected{when}: the connection broke while it was written to."),
        }
    }
}

impl From<Refusal> for ServerMessage {
    fn from(Refusal { code, message, suggestion }: Refusal) -> Self {
        Self::Refused { code, message, suggestion }
    }
}
