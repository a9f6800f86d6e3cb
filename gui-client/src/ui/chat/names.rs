//! How keys are named where several people may have had one name.

use std::fmt;

use common::crypto::KeyId;

use crate::{state::State, ui::kit::widgets};

/// How a person is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    /// The person at this client.
    You,
    /// Someone else, who may be called `you`, too.
    Named(String),
}

/// The name of the person with this key. If someone else has that name now, or no name is known, the short form of the key tells
/// them apart.
pub(super) fn name(state: &State, key: &KeyId) -> Called {
    if state.people.me() == Some(*key) {
        return Called::You;
    }
    let short_key = widgets::key_text(key);
    Called::Named(match state.people.name_of(key) {
        Some(name) if state.people.has_other_holder(name, key) => format!("{name} ({short_key})"),
        Some(name) => name.to_string(),
        None => short_key,
    })
}

impl Called {
    /// At the beginning of a text: `You`, or `bob`, as bob writes it.
    pub(super) fn at_start(&self) -> &str {
        match self {
            Self::You => "You",
            Self::Named(name) => name,
        }
    }

    /// Before what they have: `your`, or `bob's`.
    pub(super) fn possessive(&self) -> String {
        match self {
            Self::You => "your".to_owned(),
            Self::Named(name) => format!("{name}'s"),
        }
    }

    /// After what they have: `of yours`, or `of bob`.
    pub(super) fn of(&self) -> String {
        match self {
            Self::You => "of yours".to_owned(),
            Self::Named(name) => format!("of {name}"),
        }
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::You => f.write_str("you"),
            Self::Named(name) => f.write_str(name),
        }
    }
}
