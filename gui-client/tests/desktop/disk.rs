//! What the client writes to the disk, as the kernel sees it.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{programs::Client, screen::wait_for, stage::Room};

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

/// Whether a line of a trace is the end of this process. Short numbers of processes have more than one space after them.
fn is_end_of(line: &str, process: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some(process) && words.next() == Some("+++")
}

#[test]
fn the_end_of_a_process_is_found_whatever_its_number() {
    assert!(is_end_of("7304  +++ killed by SIGTERM +++", "7304"));
    assert!(is_end_of("17304 +++ exited with 0 +++", "17304"));
    assert!(!is_end_of("7305  +++ exited with 0 +++", "7304"));
    assert!(!is_end_of("7304  openat(AT_FDCWD, \"+++\", O_RDONLY) = 3", "7304"));
}

#[test]
fn a_client_that_plays_a_whole_video_opens_only_its_own_files_for_writing() {
    let room = Room::open("disk");
    let trace = room.stage.folder("trace");
    let arguments = room.arguments("Ada", "light");
    let mut ada = room.stage.user("Ada", &Client { arguments: &arguments, trace: Some(&trace), ..Client::default() });
    ada.join();
    ada.click_away("They are the same");
    let bob = room.user("Bob", "light");
    ada.open("Bob");
    ada.write("To be kept nowhere.");
    bob.open("Ada");
    bob.write("Nor this.");
    ada.message("Nor this.", "Bob");
    ada.click("Play Triptych sample");
    ada.client.wait_for_log("frames shown");
    ada.screenshot("1-ended");
    let process = ada.client.child.id().to_string();
    ada.client.end();
    let trace = wait_for("the end of the trace", || {
        let trace = fs::read_to_string(&trace).unwrap();
        trace.lines().any(|line| is_end_of(line, &process)).then_some(trace)
    });
    let written = written(&trace);
    let data = ada.home.join("triptych");
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
