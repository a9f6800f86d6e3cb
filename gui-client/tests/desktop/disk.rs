//! What the client writes to the disk, as the kernel sees it.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    TURN,
    programs::{start_client_traced, start_server, with_sample},
    screen::{Area, Screen, wait_for},
};

/// What a client may write in its data folder: keys and the numbers of messages, servers and people it has met, and settings.
const OWN: [&str; 5] = ["identities/", "pins/", "known-servers.", "settings.toml", TEMPORARY];

/// How a file begins that takes the place of one of these when it is whole.
const TEMPORARY: &str = ".tmp";

/// Paths opened for writing in a trace, except those at which the kernel failed, and devices.
fn written(trace: &str) -> BTreeSet<String> {
    let writes =
        |call: &str| ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE", "creat("].iter().any(|flag| call.contains(flag));
    let calls = trace.lines().filter(|call| writes(call) && !call.contains("= -1 "));
    let paths = calls.filter_map(|call| call.split('"').nth(1).map(str::to_owned));
    paths.filter(|path| !["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder))).collect()
}

#[test]
fn a_client_that_plays_a_whole_video_opens_only_its_own_files_for_writing() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (pictures, home, videos) = with_sample("desktop-disk");
    let (_server, address) = start_server(&videos, home.path());
    let screen = Screen::start("ada", &pictures);
    let trace = home.path().join("trace");
    let mut ada = start_client_traced(&screen, &address, "Ada", home.path(), &trace);
    screen.focus_window("Triptych");
    screen.find("Connect", Area::Anywhere);
    screen.press("Return");
    screen.click(&screen.find("sample", Area::Left));
    ada.wait_for_log("frames shown");
    let process = format!("{} +++", ada.child.id());
    ada.end();
    let trace = wait_for("the end of the trace", || {
        let trace = fs::read_to_string(&trace).unwrap();
        trace.lines().any(|line| line.starts_with(&process)).then_some(trace)
    });
    let written = written(&trace);
    let data = home.path().join("Ada").join("triptych");
    let own = |path: &str| {
        Path::new(path).strip_prefix(&data).is_ok_and(|path| {
            let path = path.to_string_lossy();
            OWN.iter().any(|own| path.starts_with(own))
        })
    };
    assert!(written.iter().any(|path| own(path)), "the trace shows what is written: {written:?}");
    let others: Vec<_> = written.iter().filter(|path| !own(path)).collect();
    assert!(others.is_empty(), "the client opened {others:?} for writing");
}
