//! Scenes about what is remembered, lost connections and messages that wait.

use triptych_client::{settings::Settings, state::State};

use super::form;

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let mut state = form();
    match which {
        "settings-damaged" => {
            let notice = "/home/ada/.local/share/triptych/settings.toml cannot be read (expected a value). It was set \
                          aside as /home/ada/.local/share/triptych/settings.toml.damaged.";
            state.use_settings(Settings::default(), Some(notice.into()));
        }
        _ => return None,
    }
    Some(state)
}
