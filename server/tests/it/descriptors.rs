//! A server that may open few files: it keeps some for its videos, takes fewer connections, and says so. When there are none
//! left, everything goes on for those who are there. In a process of its own, because the limit holds for a whole process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use common::{
    crypto::test_keys,
    media::{Epoch, Library, Position, Quality, StreamId},
    message::{ClientMessage, EndReason, LeaveReason, RefusalCode, ServerMessage},
    test_messages::watch_message,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use triptych_server::{admission::GRACE, session::notices::Refusal};

use crate::support::{
    client::{TestClient, hello, join_message},
    clips::{Clip, wait_until},
    crowd::identities,
};

/// A server process; killed when dropped.
struct Process {
    child: Child,
    /// What it has logged so far.
    log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a server of the videos in this folder, with this limit of open files, of which so many are taken already.
    fn start(folder: &Path, limit: u32, taken: u32) -> Self {
        // What other tests have open is not closed in a child process if GStreamer opened it.
        let close = "for file in /proc/self/fd/*; do fd=${file##*/}; [ $fd -gt 2 ] && eval \"exec $fd>&-\"; done";
        let take = format!("for ((fd = 10; fd < 10 + {taken}; fd++)); do eval \"exec $fd</dev/null\"; done");
        let script = format!("{close}; {take}; ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_triptych-server"), "--plaintext", "--listen", "127.0.0.1:0"]);
        shell.arg("--videos").arg(folder).arg("--data-dir").arg(folder.join("data"));
        shell.arg("--disk-cache-dir").arg(folder.join("frames"));
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, stderr) = (Arc::<Mutex<String>>::default(), child.stderr.take().unwrap());
        let keep = log.clone();
        let read = move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *keep.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{line}\n");
            }
        };
        thread::Builder::new().name("server-log".into()).spawn(read).unwrap();
        Self { child, log }
    }

    /// Waits until it says which address it listens on.
    fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.split_whitespace().filter_map(|word| word.parse().ok()).next().unwrap_or_else(|| panic!("{}", self.log()))
    }

    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait_for_log(&self, part: &str) {
        wait_until(&format!("{part:?} is logged"), || self.log().contains(part));
    }
}

/// Lets two people join beside a crowd that is silent. Returns the server's log, which has this line.
async fn join_beside_a_crowd(limit: u32, taken: u32, expected_line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), limit, taken);
    let address = process.address();
    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let (_ada, _) = TestClient::join(address, "ada", &test_keys::ada()).await;
    let (_bob, welcome) = TestClient::join(address, "bob", &test_keys::bob()).await;
    assert_eq!(welcome.people.len(), 2);
    process.wait_for_log(expected_line);
    process.wait_for_log("bob joined");
    let log = process.log();
    assert!(log.lines().count() < 30, "the crowd is one line, not four hundred: {log}");
    log
}

#[tokio::test]
async fn a_crowd_takes_no_descriptors_that_the_server_needs() {
    let log = join_beside_a_crowd(192, 0, "leaves room for 64 connections").await;
    assert!(!log.contains("Cannot accept"), "{log}");
}

#[tokio::test]
async fn without_descriptors_newcomers_displace_silent_connections_and_nothing_spins() {
    let log = join_beside_a_crowd(192, 120, "Cannot accept").await;
    assert_eq!(log.matches("Cannot accept").count(), 1, "{log}");
}

#[test]
fn a_limit_that_leaves_nothing_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), 100, 0);
    assert!(!process.child.wait().unwrap().success());
    process.wait_for_log("ulimit -n");
    let log = process.log();
    assert!(log.contains("the limit of open files is 100"), "{log}");
}

/// A client that watches, one picture at a time.
struct Viewer {
    client: TestClient,
    picture_count: u32,
}

const STREAM: StreamId = StreamId(1);

impl Viewer {
    async fn watch(mut client: TestClient, library: &Library) -> Self {
        let (video, quality, from) = (library.videos[0].id, Quality::Triptych, Position::START);
        client.send(&watch_message(STREAM, video, quality, from)).await;
        Self { client, picture_count: 0 }
    }

    /// The next picture. Returns how the stream ended when there is none.
    async fn next(&mut self) -> Option<EndReason> {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items: 1 }).await;
        let end = self.client.next_that(|message| match message {
            ServerMessage::Picture { .. } => Some(None),
            ServerMessage::StreamEnded { reason, .. } => Some(Some(reason)),
            ServerMessage::LibraryChanged { library } => panic!("the library changes: {library:#?}"),
            _ => None,
        });
        let end = end.await;
        self.picture_count += u32::from(end.is_none());
        end
    }
}

/// A video, written beside the folder and moved into it, so that it is whole when it is seen.
fn put_video(folder: &TempDir, title: &str, frames: u32) {
    let name = format!("{title}_240p.mp4");
    let elsewhere = tempfile::tempdir().unwrap();
    Clip::new(0, frames.into(), 25).write(&elsewhere.path().join(&name));
    std::fs::rename(elsewhere.path().join(&name), folder.path().join(&name)).unwrap();
}

/// Connects, rests so long that another connection could take the place, then says hello and joins, or is refused.
async fn try_to_join(
    address: SocketAddr,
    name: &str,
    identity: &common::crypto::Identity,
) -> Result<TestClient, String> {
    let mut client = TestClient::connect(address).await;
    match timeout(2 * GRACE, client.next()).await {
        Err(_) => {}
        Ok(ServerMessage::Refused { code: RefusalCode::TooMany, message, .. }) => return Err(message),
        Ok(other) => panic!("nobody else wants this place: {other:?}"),
    }
    client.send(&hello(common::message::MAGIC, common::limits::PROTOCOL_VERSION)).await;
    loop {
        match client.next().await {
            ServerMessage::Challenge { nonce, .. } => client.send(&join_message(name, identity, nonce)).await,
            ServerMessage::Welcome { .. } => return Ok(client),
            ServerMessage::Refused { code: RefusalCode::TooMany, message, .. } => return Err(message),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_members_hold_the_last_descriptors_everything_goes_on_and_newcomers_are_told() {
    const FRAMES: u32 = 200;
    triptych_server::video::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    put_video(&folder, "First", FRAMES);
    let mut process = Process::start(folder.path(), 192, 150);
    let address = process.address();
    let (ada, welcome) = TestClient::join(address, "ada", &test_keys::ada()).await;
    let mut viewer = Viewer::watch(ada, &welcome.library).await;
    while viewer.picture_count < 50 {
        assert_eq!(viewer.next().await, None);
    }

    let mut members = Vec::new();
    let mut refused = None;
    for (number, identity) in identities(30).iter().enumerate() {
        match try_to_join(address, &format!("member-{number}"), identity).await {
            Ok(mut member) => members.push(tokio::spawn(async move { member.stay().await })),
            Err(message) => {
                refused = Some(message);
                break;
            }
        }
        assert_eq!(viewer.next().await, None);
    }
    assert_eq!(refused, Some(Refusal::exhausted().message), "{} members fit", members.len());
    put_video(&folder, "Second", 25);
    process.wait_for_log("the videos are offered as they were");
    let told = try_to_join(address, "bob", &test_keys::bob()).await.err();
    assert_eq!(told, Some(Refusal::exhausted().message), "also the next one is told");
    while viewer.picture_count < FRAMES {
        assert_eq!(viewer.next().await, None, "picture {}", viewer.picture_count);
    }
    assert_eq!(viewer.next().await, Some(EndReason::Finished));

    let left = members.len();
    members.iter().for_each(tokio::task::JoinHandle::abort);
    let mut ada = viewer.client;
    let mut goodbyes = 0;
    let mut has_both = false;
    while goodbyes < left || !has_both {
        match ada.next().await {
            ServerMessage::Left { reason: LeaveReason::Lost, .. } => goodbyes += 1,
            ServerMessage::LibraryChanged { library } => has_both = library.videos.len() == 2,
            other => panic!("{other:?}"),
        }
    }
    try_to_join(address, "bob", &test_keys::bob()).await.expect("there is room again");
    let log = process.log();
    assert!(log.lines().count() < 100, "{log}");
}
