//! What the window shows of settings, lost connections and messages that wait, operated by what a screen reader would read.

use egui_kittest::kittest::Queryable;

use crate::support::{scenes::scene, window::window};

#[test]
fn settings_that_could_not_be_read_are_told_of_until_that_was_read() {
    for size in [[1200.0, 760.0], [600.0, 400.0]] {
        let mut harness = window(scene("settings-damaged"), size);
        harness.get_by_label("Your settings could not be read. The defaults are used.");
        harness.get_by_label_contains("settings.toml.damaged");
        harness.get_by_label("OK").click();
        harness.run();
        assert!(harness.query_by_label_contains("settings.toml.damaged").is_none());
    }
}
