//! The client from outside: its state by events and actions, its views by what a screen reader reads, its playback on
//! real JPEGs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a panic is how a test fails")]
#![allow(clippy::let_underscore_must_use, reason = "what a test does not check does not matter to it")]
#![allow(unreachable_pub, reason = "a test program has no callers outside")]

#[cfg(target_os = "linux")]
mod app_portal;
mod attack_flood;
mod attack_join;
mod attack_jpeg;
mod attack_keys;
mod attack_member;
mod attack_relay;
mod attack_server;
mod delivery;
mod hand_over;
mod net;
mod net_discovery;
mod net_pins;
mod net_presence;
mod net_resume;
mod net_stream;
#[cfg(target_os = "linux")]
mod notifications;
mod playback_audio;
mod playback_continue;
mod playback_cue;
mod playback_opus;
mod playback_player;
mod playback_playout;
mod playback_speed;
mod reconnect;
mod snapshots;
mod sound_opus;
mod state;
mod state_certificate;
mod state_chat;
mod state_connection;
mod state_delivery;
mod state_layout;
mod state_player;
mod state_presence;
mod state_quality;
mod state_reconnect;
mod state_resume;
mod state_settings;
mod state_together;
mod state_trust;
mod state_unread;
mod state_wait;
mod state_waiting;
mod support;
mod ui_certificate;
mod ui_conversation;
mod ui_discovery;
mod ui_full_screen;
mod ui_identity;
mod ui_keys;
mod ui_layout;
mod ui_lists;
mod ui_player;
mod ui_previews;
mod ui_session;
mod ui_states;
mod ui_statistics;
mod ui_text;
mod ui_together;
mod ui_trust;
mod ui_views;
mod ui_warnings;
mod ui_wire;
