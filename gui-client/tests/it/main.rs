//! The client from outside: its views by what a screen reader reads, its playback on real JPEGs.

mod scenes;
