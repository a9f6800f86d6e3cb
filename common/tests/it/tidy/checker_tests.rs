//! Proves on small sources that each rule of the layers can fail, however the import is written.

use super::{
    imports::Modules,
    layers::{self, CLIENT, Layers, SERVER, UI, VIDEO},
    tokens::read,
};

/// The whole tree of files that the rules are about, empty, and one of them with `code`.
fn modules_with(file: &str, code: &str) -> Modules {
    let files = [
        "server/src/lib.rs",
        "server/src/main.rs",
        "server/src/listener.rs",
        "server/src/session/mod.rs",
        "server/src/hub/mod.rs",
        "server/src/outbox.rs",
        "server/src/video/gst/probe.rs",
        "server/src/video/library/mod.rs",
        "server/src/video/library/catalog.rs",
        "server/src/video/store/mod.rs",
        "server/src/video/store/cache.rs",
        "server/src/video/stream/viewer.rs",
        "server/src/video/offline/import.rs",
        "gui-client/src/lib.rs",
        "gui-client/src/app/mod.rs",
        "gui-client/src/event.rs",
        "gui-client/src/net/mod.rs",
        "gui-client/src/playback/player.rs",
        "gui-client/src/state/mod.rs",
        "gui-client/src/ui/mod.rs",
        "gui-client/src/ui/chat/people.rs",
        "gui-client/src/ui/kit/widgets.rs",
        "gui-client/src/ui/video/player.rs",
    ];
    let roots =
        ["video", "video/gst", "video/stream", "video/offline"].map(|folder| format!("server/src/{folder}/mod.rs"));
    let client = ["playback", "ui/chat", "ui/kit", "ui/video"].map(|folder| format!("gui-client/src/{folder}/mod.rs"));
    let all = files.iter().map(|&file| file.to_owned()).chain(roots).chain(client);
    let all: Vec<_> = all.filter(|other| other != file).collect();
    Modules::new(all.iter().map(|file| (file.as_str(), "")).chain([(file, code)]))
}

/// One broken import for each rule, and its sentence.
#[test]
fn each_layer_refuses_what_lies_above_or_beside_it() {
    let cases: [(Layers, &str, &str, &str); 15] = [
        (SERVER, "server/src/hub/mod.rs", "use crate::video::store;", "hub may not import video"),
        (SERVER, "server/src/video/store/mod.rs", "use crate::{hub::Hub, outbox};", "video may not import hub"),
        (SERVER, "server/src/outbox.rs", "fn f() { crate::session::run() }", "outbox may not import session"),
        (SERVER, "server/src/session/mod.rs", "use super::listener::accept;", "session may not import listener"),
        (SERVER, "server/src/news.rs", "use crate::hub::Hub;", "news has no place among the layers yet"),
        (VIDEO, "server/src/video/gst/probe.rs", "use super::super::library::Library;", "gst may not import library"),
        (VIDEO, "server/src/video/library/mod.rs", "use crate::{video::store::Store};", "library may not import store"),
        (
            VIDEO,
            "server/src/video/store/cache.rs",
            "type A = super::super::stream::Viewer;",
            "store may not import stream",
        ),
        (
            VIDEO,
            "server/src/video/offline/import.rs",
            "use crate::video::stream::Viewer as V;",
            "offline may not import stream",
        ),
        (
            VIDEO,
            "server/src/video/stream/viewer.rs",
            "use crate::video::VideoService;",
            "stream may not import the folder above",
        ),
        (CLIENT, "gui-client/src/ui/mod.rs", "use crate::{event::X, net::NetHandle};", "ui may not import net"),
        (CLIENT, "gui-client/src/state/mod.rs", "fn f() { g!(crate::ui::View) }", "state may not import ui"),
        (CLIENT, "gui-client/src/net/mod.rs", "use crate::state::State;", "net may not import state"),
        (CLIENT, "gui-client/src/playback/player.rs", "use crate::app::App;", "playback may not import app"),
        (UI, "gui-client/src/ui/chat/people.rs", "use super::super::video::player;", "chat may not import video"),
    ];
    for (layers, file, code, sentence) in cases {
        let violations = layers.violations(&modules_with(file, code));
        let [violation] = violations.as_slice() else { panic!("{file} with {code}: {violations:?}") };
        assert!(violation.contains(sentence) && violation.starts_with(file), "{violation}");
    }
}

#[test]
fn what_the_layers_allow_is_no_violation() {
    let code = "use crate::{outbox::Outbox, video::{store::Store, library}}; use std::fmt; use gstreamer as gst;
        #[cfg(test)] mod tests { use crate::hub::Hub; } #[cfg(test)] use crate::hub;";
    let modules = modules_with("server/src/video/stream/viewer.rs", code);
    assert_eq!(SERVER.violations(&modules), [""; 0]);
    assert_eq!(VIDEO.violations(&modules), [""; 0]);
}

/// A name that a folder's own file hands on counts as an import of the file where it is defined.
#[test]
fn imports_are_followed_through_reexports() {
    let files = [
        ("server/src/lib.rs", "pub use video::Store;"),
        ("server/src/video/mod.rs", "pub use self::store::cache::Cache as Store;"),
        ("server/src/video/store/mod.rs", ""),
        ("server/src/video/store/cache.rs", ""),
        ("server/src/video/library/mod.rs", "use crate::Store;"),
    ];
    let violations = VIDEO.violations(&Modules::new(files));
    assert_eq!(violations, ["server/src/video/library/mod.rs: library may not import store"]);
}

#[test]
fn circles_are_found_between_files_and_between_folders() {
    let files = [
        ("server/src/lib.rs", ""),
        ("server/src/a.rs", "use crate::{b::B, c};"),
        ("server/src/b.rs", "use super::c::{self, C};"),
        ("server/src/c/mod.rs", "mod inner; use inner::X;"),
        ("server/src/c/inner.rs", "use crate::a; use super::C;"),
    ];
    let found: Vec<_> = layers::circles(&Modules::new(files)).into_iter().collect();
    assert_eq!(found, ["server: a -> c -> a"]);
}

#[test]
fn foreign_crates_are_found_however_they_are_named() {
    for code in [
        "use tokio::sync::watch;",
        "use {std::fmt, ::tokio as t};",
        "fn f() { tokio::spawn(g()); }",
        "fn f() { println!(\"{}\", tokio::time::now()) }",
        "#[tokio::main] async fn f() {}",
        "use tokio as t; fn f() { t::spawn() }",
    ] {
        let modules = modules_with("gui-client/src/state/mod.rs", code);
        let found = layers::foreign_names(&modules, &["tokio"], &["server/"]);
        assert_eq!(Vec::from_iter(found), ["gui-client/src/state/mod.rs names tokio"], "{code}");
    }
    let modules =
        modules_with("gui-client/src/state/mod.rs", "/// tokio::spawn\nfn f() { g(\"tokio::spawn\", my::tokio::X) }");
    assert!(layers::foreign_names(&modules, &["tokio"], &[]).is_empty());
}

#[test]
fn what_is_behind_a_feature_is_not_named_by_who_lacks_it() {
    let crypto = "#[cfg(feature = \"e2e\")] mod letter; mod proof; #[cfg(feature = \"e2e\")] pub use letter::open; pub use proof::P;";
    let files = |server| {
        Modules::new([
            ("common/src/lib.rs", "pub mod crypto;"),
            ("common/src/crypto/mod.rs", crypto),
            ("common/src/crypto/letter.rs", ""),
            ("common/src/crypto/proof.rs", ""),
            ("server/src/hub.rs", server),
        ])
    };
    let found = layers::gated_imports(&files("use common::crypto::{P, open};"), "server");
    assert_eq!(Vec::from_iter(found), ["server/src/hub.rs names common::crypto::letter"]);
    assert!(
        layers::gated_imports(&files("use common::crypto::P; #[cfg(test)] use common::crypto::open;"), "server")
            .is_empty()
    );
}

#[test]
fn printable_types_and_expectations_are_read() {
    let text = "#[derive(Clone, Debug)] struct A { key: Zeroizing<u8> } #[derive(Clone)] struct B(pub Key);
        impl fmt::Debug for B {} impl<T> Clone for C<T> {} fn f() { g().expect(\"all is well\") }";
    let facts = &read(text)[&vec![]];
    assert_eq!(facts.printable, ["A", "B"]);
    assert_eq!(facts.expectations, ["\"all is well\""]);
    assert!(facts.types[0].1.contains(&"Zeroizing".to_owned()));
}
