//! How keys are named where several people may have had one name.

use common::crypto::KeyId;

use crate::{state::State, ui::kit::widgets};

/// The name of the person with this key; `you` for this client's own. If someone else has that name now, or no name is
/// known, the short form of the key tells them apart.
pub(super) fn name(state: &State, key: &KeyId) -> String {
    if state.people.me() == Some(*key) {
        return "you".to_owned();
    }
    let short_key = widgets::key_text(key);
    match state.people.name_of(key) {
        Some(name) if state.people.has_other_holder(name, key) => format!("{name} ({short_key})"),
        Some(name) => name.to_string(),
        None => short_key,
    }
}

/// The same as a possessive: `your`, or `bob's`.
pub(super) fn possessive(name: &str) -> String {
    if name == "you" { "your".to_owned() } else { format!("{name}'s") }
}
