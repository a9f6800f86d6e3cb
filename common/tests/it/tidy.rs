//! The invariants of ARCHITECTURE.md, run: who may name whom, and what may not stand in the code.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const WALL_LINES: usize = 500;

struct Source {
    /// From the workspace's root, with slashes.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All Rust sources of the workspace.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for part in ["common", "server", "gui-client"] {
        collect(&root().join(part), &mut sources);
    }
    assert!(sources.len() > 30, "the workspace was found");
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

impl Source {
    fn is_test(&self) -> bool {
        ["/tests/", "/benches/", "/examples/"].iter().any(|folder| self.path.contains(folder))
            || self.path.ends_with("_tests.rs")
    }

    /// The code without comments and without what follows `#[cfg(test)] mod`.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    /// Whether the crate or module `name` is used in the code.
    fn names(&self, name: &str) -> bool {
        let code = self.code();
        [format!("use {name}::"), format!("use {name};"), format!("{name}::"), format!("use {name} as ")].iter().any(
            |pattern| {
                code.match_indices(pattern.as_str()).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                })
            },
        )
    }
}

/// The files outside tests that name `name` although `may` does not let them.
fn strangers(name: &str, may: impl Fn(&str) -> bool) -> Vec<String> {
    let offends = |source: &Source| !source.is_test() && !may(&source.path) && source.names(name);
    sources().into_iter().filter(offends).map(|source| source.path).collect()
}

fn nobody() -> Vec<String> {
    Vec::new()
}

#[test]
fn gstreamer_is_named_in_the_video_engine_only() {
    for name in ["gstreamer", "gstreamer_app", "gstreamer_video", "gst", "gst_app", "gst_video"] {
        assert_eq!(strangers(name, |path| path.starts_with("server/src/video/")), nobody(), "{name}");
    }
}

#[test]
fn egui_is_named_in_the_user_interface_only() {
    let may = |path: &str| {
        ["gui-client/src/ui/", "gui-client/src/app/", "gui-client/src/main.rs"]
            .iter()
            .any(|part| path.starts_with(part))
    };
    for name in ["egui", "eframe", "epaint"] {
        assert_eq!(strangers(name, may), nobody(), "{name}");
    }
}

#[test]
fn the_pure_parts_do_not_know_tokio() {
    let is_pure = |path: &str| {
        path.starts_with("gui-client/src/state/")
            || path.starts_with("gui-client/src/ui/")
            || path.starts_with("gui-client/src/playback/")
            || ["server/src/session/machine.rs", "server/src/hub/directory.rs", "common/src/splice.rs"].contains(&path)
    };
    assert_eq!(strangers("tokio", |path| !is_pure(path)), nobody());
}

#[test]
fn bincode_is_named_in_the_codec_only() {
    assert_eq!(strangers("bincode", |path| path == "common/src/codec.rs"), nobody());
}

#[test]
fn hub_and_video_do_not_see_each_other() {
    for source in sources() {
        if source.path.starts_with("server/src/hub/") {
            assert!(!source.code().contains("video::"), "{}", source.path);
        }
        if source.path.starts_with("server/src/video/") {
            assert!(!source.code().contains("hub::"), "{}", source.path);
        }
    }
}

#[test]
fn state_ui_and_net_meet_only_in_plain_data() {
    for source in sources() {
        let code = source.code();
        let forbidden: &[&str] = match source.path.as_str() {
            path if path.starts_with("gui-client/src/state/") => &["crate::ui", "crate::net", "crate::app"],
            path if path.starts_with("gui-client/src/ui/") => &["crate::net", "crate::app"],
            path if path.starts_with("gui-client/src/net/") => {
                &["crate::ui", "crate::state", "crate::app", "crate::playback"]
            }
            path if path.starts_with("gui-client/src/playback/") => &["crate::ui", "crate::net", "crate::app"],
            _ => &[],
        };
        for module in forbidden {
            assert!(!code.contains(module), "{} names {module}", source.path);
        }
    }
}

/// Packages and features that `cargo build -p package` builds; a build of the whole workspace would unify features.
fn built_alone(package: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    let output = cargo.args(["--format", "{p} [{f}]", "--package", package]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether opening and sealing are built: the feature of `common`, or the cipher that only they need.
fn can_open_messages(tree: &str) -> bool {
    let features = |line: &str| line.split(['[', ',', ']']).map(str::to_owned).collect::<Vec<_>>();
    tree.lines().any(|line| {
        line.starts_with("chacha20poly1305 ")
            || line.starts_with("common ") && features(line).contains(&"e2e".to_owned())
    })
}

#[test]
fn the_server_alone_is_built_without_the_means_to_open_messages() {
    let (server, client) = (built_alone("server"), built_alone("gui-client"));
    assert!(server.lines().any(|line| line.starts_with("common ")), "the tree lists common: {server}");
    assert!(!can_open_messages(&server), "{server}");
    assert!(can_open_messages(&client), "the check finds what the client has: {client}");
}

#[test]
fn queues_are_bounded_and_threads_are_named() {
    for source in sources().into_iter().filter(|source| !source.is_test()) {
        let code = source.code();
        for (forbidden, instead) in [
            ("unbounded_channel", "a channel with a bound"),
            ("mpsc::channel()", "sync_channel with a bound"),
            ("crossbeam_channel::unbounded", "a channel with a bound"),
            ("thread::spawn(", "thread::Builder with a name"),
        ] {
            assert!(!code.contains(forbidden), "{} has {forbidden}; use {instead}", source.path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "{} does not open with //!", source.path);
        let lines = source.text.lines().count();
        assert!(lines <= WALL_LINES, "{} has {lines} lines; {WALL_LINES} is the wall", source.path);
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for part in ["common", "server", "gui-client"] {
        let manifest = fs::read_to_string(root().join(part).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{part} takes the workspace's lints");
    }
}
