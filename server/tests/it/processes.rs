//! Worker processes: what a file that crashes, hangs or takes over its decoder can do, and what it cannot.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use common::{
    crypto::test_keys,
    media::{Quality, StreamId},
    message::EndReason,
};
use tempfile::{TempDir, tempdir};

use crate::support::{
    client::TestClient,
    clips::{Clip, wait_until, wait_until_within},
    guard,
    server::{TestServer, faulty, worker_processes},
    watch::{Watched, watch_title},
};

const FRAMES: u64 = 100;

/// Two videos, "Good" and "Bad".
fn good_and_bad() -> TempDir {
    triptych_server::video::init().unwrap();
    let folder = tempdir().unwrap();
    for (name, number) in [("Good_240p.mp4", 0), ("Bad_240p.mp4", 1)] {
        Clip::new(number, FRAMES, 25).write(&folder.path().join(name));
    }
    folder
}

/// Watches both videos at the same time on a server in which this goes wrong, then the good one once more.
async fn watch_both(folder: &Path, fault: &str) -> [Watched; 3] {
    let server = TestServer::start_as(&faulty(folder, fault)).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    let library = &welcome.library;
    let (good, bad) = tokio::join!(
        watch_title(&mut ada, StreamId(1), "Good", Quality::Triptych, library),
        watch_title(&mut bob, StreamId(1), "Bad", Quality::Triptych, library),
    );
    let again = watch_title(&mut bob, StreamId(2), "Good", Quality::Triptych, library).await;
    server.stop().await;
    [good, bad, again]
}

/// The reason that the viewer of the bad video was told, after the good one was played to its end, twice.
async fn reason_of(folder: &Path, fault: &str) -> String {
    let [good, bad, again] = watch_both(folder, fault).await;
    for whole in [good, again] {
        assert_eq!((whole.pictures.len() as u64, whole.end), (FRAMES, EndReason::Finished), "{fault}");
    }
    let EndReason::Failed(reason) = bad.end else { panic!("{fault}: {:?}", bad.end) };
    assert!(reason.starts_with("\"Bad_240p.mp4\" cannot be played from frame "), "{fault}: {reason}");
    assert!((bad.pictures.len() as u64) < FRAMES, "{fault}");
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_crashes_its_decoder_ends_one_stream_and_says_so() {
    let folder = good_and_bad();
    let reason = reason_of(folder.path(), "abort:20:Bad_240p.mp4").await;
    assert!(reason.contains("the decoder crashed while reading it, so the file may be damaged"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_does_not_answer_is_ended() {
    let folder = good_and_bad();
    let reason = reason_of(folder.path(), "hang:20:Bad_240p.mp4").await;
    assert!(reason.contains("the decoder did not answer any more and was ended"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_sends_what_it_must_not_is_ended() {
    let folder = good_and_bad();
    for kind in ["noise", "flood", "disorder", "picture", "stall"] {
        let reason = reason_of(folder.path(), &format!("{kind}:20:Bad_240p.mp4")).await;
        assert!(reason.contains("the decoder sent invalid data and was ended"), "{kind}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_was_taken_over_reaches_nothing() {
    let sandbox = worker_processes().sandbox().unwrap();
    #[cfg(target_os = "linux")]
    {
        use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
        let strict = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let has_landlock = strict.handle_access(AccessFs::from_all(ABI::V1)).is_ok();
        assert_eq!((sandbox.limits_files, sandbox.limits_calls), (has_landlock, true), "it uses what the kernel has");
    }
    let (folder, elsewhere) = (good_and_bad(), tempdir().unwrap());
    let key = elsewhere.path().join("id_rsa");
    fs::write(&key, "secret").unwrap();
    let private = folder.path().join("passwords.txt");
    fs::write(&private, "secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let good = folder.path().join("Good_240p.mp4");
    for (is_limited, kind, argument, expected) in [
        // A spare may read all videos, a process that was started for one file only that one.
        (true, "read", file(&folder.path().join("Bad_240p.mp4")), "succeeded"),
        (sandbox.limits_files, "read", file(&key), "Permission denied"),
        (sandbox.limits_files, "read", file(&private), "Permission denied"),
        (sandbox.limits_files, "write", file(&folder.path().join("new")), "Permission denied"),
        (sandbox.limits_files, "write", file(&good), "Permission denied"),
        (sandbox.limits_calls, "connect", address, "Operation not permitted"),
        (sandbox.limits_calls, "listen", String::new(), "Operation not permitted"),
        (sandbox.limits_calls, "execute", "/bin/true".into(), "Operation not permitted"),
        (cfg!(target_os = "linux"), "descriptors", String::new(), "Too many open files"),
    ] {
        if !is_limited {
            eprintln!("not tested on this system: {kind} {argument}");
            continue;
        }
        let reason = reason_of(folder.path(), &format!("{kind}:5:Bad_240p.mp4:{argument}")).await;
        assert!(reason.contains(expected), "{kind} {argument}: {reason}");
    }
    assert!(good.exists() && !folder.path().join("new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_crashes_its_probe_is_skipped_with_that_reason() {
    let folder = good_and_bad();
    let server = TestServer::start_as(&faulty(folder.path(), "abort:probe:Bad_240p.mp4")).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!(welcome.library.unplayable_count, 1);
    let skipped = server.library.skipped_files();
    let skipped: Vec<_> = skipped.iter().map(|file| (file.file_name.as_str(), file.reason.as_str())).collect();
    assert_eq!(skipped, [("Bad_240p.mp4", "the decoder crashed while reading it, so the file may be damaged")]);
    let good = watch_title(&mut ada, StreamId(1), "Good", Quality::Triptych, &welcome.library).await;
    assert_eq!(good.end, EndReason::Finished);
    server.stop().await;
}

/// A server as a process of its own. Killed when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(folder: &Path) -> Self {
        guard::alive();
        let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
        command.args(["--plaintext", "--listen", "127.0.0.1:0", "--log", "error", "--videos"]).arg(folder);
        command.arg("--data-dir").arg(folder.join("data")).args(["--disk-cache-gib", "0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').nth(3).and_then(|word| word.parse().ok());
        Self { address: address.unwrap_or_else(|| panic!("{line:?}")), child }
    }

    /// Its worker processes, and whether each still runs.
    fn workers(&self) -> Vec<(u32, bool)> {
        let parent = self.child.id().to_string();
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let worker = |pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
            (fields[1] == parent).then_some((pid, fields[0] != "Z"))
        };
        processes.filter_map(worker).collect()
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Longer than processes are kept without work.
const IDLE_DEADLINE: Duration = Duration::from_secs(60);

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_are_replaced_and_none_outlives_the_server() {
    let folder = good_and_bad();
    let program = Program::start(folder.path());
    wait_until("there are spares", || program.workers().len() >= 2);
    let (mut ada, welcome) = TestClient::join(program.address, "ada", &test_keys::ada()).await;
    let library = &welcome.library;
    for stream in 1..=3 {
        let before: BTreeSet<_> = program.workers().into_iter().collect();
        before.iter().for_each(|&(pid, _)| kill(pid));
        wait_until("no zombie is left", || before.iter().all(|&(pid, _)| !Path::new(&format!("/proc/{pid}")).exists()));
        let watched = watch_title(&mut ada, StreamId(stream), "Good", Quality::Triptych, library).await;
        assert_eq!((watched.pictures.len() as u64, watched.end), (FRAMES, EndReason::Finished));
    }
    // Standard streams, the listener, this client, the runtime, the folder, and the sockets of two spares.
    wait_until_within(IDLE_DEADLINE, "24 descriptors and two spares are left", || {
        guard::alive();
        program.descriptors() <= 24 && program.workers().len() <= 2
    });
    assert!(program.workers().iter().all(|&(_, is_running)| is_running), "no zombies");
    let last = program.workers();
    kill(program.child.id());
    wait_until("all processes are gone", || last.iter().all(|&(pid, _)| !is_running(pid)));
}
