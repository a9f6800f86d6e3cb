//! Checks the invariants of ARCHITECTURE.md: which module may use which, and what must not appear in the code.

mod checker_tests;
mod imports;
mod layers;
mod tokens;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use imports::Modules;
use layers::{CLIENT, SERVER, UI, VIDEO, circles, foreign_names, gated_imports};

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

/// The modules of the three crates, without their tests, benchmarks and examples.
fn modules() -> Modules {
    Modules::new(sources().iter().map(|source| (source.path.as_str(), source.text.as_str())))
}

const NONE: [&str; 0] = [];

#[test]
fn imports_run_one_way() {
    let modules = modules();
    for layers in [SERVER, VIDEO, CLIENT, UI] {
        assert_eq!(layers.violations(&modules), NONE);
    }
}

#[test]
fn no_imports_run_in_circles() {
    assert_eq!(Vec::from_iter(circles(&modules())), NONE);
}

#[test]
fn foreign_crates_are_named_where_they_belong() {
    let modules = modules();
    let rules: [(&[&str], &[&str]); 3] = [
        (&["gstreamer", "gstreamer_app", "gstreamer_video", "glib"], &["server/src/video/gst/"]),
        (&["egui", "eframe", "epaint"], &["gui-client/src/ui/", "gui-client/src/app/", "gui-client/src/main.rs"]),
        (&["bincode"], &["common/src/codec.rs"]),
    ];
    for (crates, allowed) in rules {
        assert_eq!(Vec::from_iter(foreign_names(&modules, crates, allowed)), NONE);
        // Guards against misspelt crate names: in the files where they belong, they are found.
        assert!(!foreign_names(&modules, crates, &[]).is_empty(), "{crates:?}");
    }
}

/// Parts that decide and calculate: they wait for nothing and are tested without a runtime.
const PURE: [&str; 9] = [
    "gui-client/src/state/",
    "gui-client/src/ui/",
    "gui-client/src/playback/",
    "server/src/session/machine.rs",
    "server/src/hub/directory.rs",
    "server/src/hub/register.rs",
    "server/src/admission/pool.rs",
    "server/src/video/store/cache.rs",
    "common/src/splice.rs",
];

#[test]
fn the_pure_parts_do_not_know_tokio() {
    let sources = sources();
    for part in PURE {
        assert!(sources.iter().any(|source| source.path.starts_with(part)), "{part} exists");
    }
    let named = foreign_names(&modules(), &["tokio", "tokio_util"], &[]);
    let impure: Vec<_> = named.iter().filter(|file| PURE.iter().any(|part| file.starts_with(part))).collect();
    assert_eq!(impure, NONE);
}

/// In a build of the whole workspace the client's features reach the server, which then could name what it lacks alone.
#[test]
fn the_server_names_nothing_that_opens_messages() {
    let modules = modules();
    assert_eq!(Vec::from_iter(gated_imports(&modules, "server")), NONE);
    assert!(!gated_imports(&modules, "gui-client").is_empty(), "the check finds what the client uses");
}

#[test]
fn secrets_cannot_be_printed() {
    const SECRET: [&str; 5] = ["RsaPrivateKey", "PrivateKey", "GroupSession", "InboundGroupSession", "Zeroizing"];
    let mut count = 0;
    for (_, module) in modules().iter() {
        let is_secret = |(_, words): &&(String, Vec<String>)| words.iter().any(|word| SECRET.contains(&word.as_str()));
        for (name, _) in module.facts.types.iter().filter(is_secret) {
            count += 1;
            assert!(!module.facts.printable.contains(name), "{}: {name} holds a secret and has Debug", module.file);
        }
    }
    assert!(count > 0, "the types that hold secrets were found");
}

/// An `expect` states what this program itself makes sure of; what the system refuses is an error with a remedy.
#[test]
fn expectations_are_invariants() {
    for (_, module) in modules().iter() {
        for message in &module.facts.expectations {
            let is_hope = ["the system can", "can be started", "should"].iter().any(|words| message.contains(words));
            assert!(!is_hope, "{}: expect({message}) is not up to this program", module.file);
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

/// Whether opening and sealing are built: the feature of `common`, or what only they need.
fn can_open_messages(tree: &str) -> bool {
    let features = |line: &str| line.split(['[', ',', ']']).map(str::to_owned).collect::<Vec<_>>();
    tree.lines().any(|line| {
        ["hpke ", "vodozemac "].iter().any(|needed| line.starts_with(needed))
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
