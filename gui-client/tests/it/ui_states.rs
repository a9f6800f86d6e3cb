//! Every state in which the client can be: each is named in words, in a window of the first size.

use egui_kittest::kittest::Queryable;

use crate::support::window::window;

/// Scenes, and what has to be read in them.
const STATES: [(&str, &[&str]); 20] = [
    ("searching", &["Looking for servers on your network…", "Other address…"]),
    ("servers", &["3 servers on your network"]),
    ("servers-none", &["No server found yet", "Looked on this computer, and by broadcast and mDNS on 2 networks."]),
    ("connecting", &["Joining 127.0.0.1:7878 as ada", "Reaching the server…", "Cancel"]),
    ("keys", &["Making your keys…", "Only the first time. It takes a few seconds."]),
    ("chat", &["Lab, 127.0.0.1:7878 · 3 online"]),
    ("alone", &["You are alone here.", "192.168.1.5"]),
    ("waiting-lost", &["Connection lost. Trying again in ", "Try now"]),
    ("name-taken", &["This name is taken.", "Join as ada-2"]),
    ("still-online", &["You are already online.", "Join as ada-2"]),
    ("version", &["The server and this client do not match."]),
    ("key-changed", &["bob has another key than before.", "Compare the safety number"]),
    ("certificate", &["The identity of this server has changed.", "Forget this server"]),
    ("empty-library", &["The server has no videos yet.", "triptych-server import FILE"]),
    ("incomplete", &["720p cannot be read"]),
    ("buffering", &["Too little arrives: 8.0 Mbit/s, and 20 are needed."]),
    ("decoding", &["Waiting for the server's decoder"]),
    ("every-second", &["every 2nd picture: your link carries 38 Mbit/s"]),
    ("ended", &["The end", "Play again"]),
    ("failed", &["Playback stopped.", "The file breaks off after frame 251.", "Try again"]),
];

#[test]
fn every_state_is_named_in_words() {
    for (scene, texts) in STATES {
        let harness = window(crate::support::scenes::scene(scene), [960.0, 620.0]);
        for text in texts {
            assert!(harness.query_all_by_label_contains(text).next().is_some(), "{scene}: {text}");
        }
    }
}
