//! Frames on disk: servers that are restarted, the commands that make frames ahead, and what clients are told.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{
    crypto::test_keys,
    media::{Library, Origin, Quality, Statistics, StreamId},
    message::{ClientMessage, ServerMessage},
};
use tempfile::{TempDir, tempdir};
use triptych_server::{Settings, video::disk::DiskSettings};

use crate::support::{
    client::TestClient,
    clips::{H264_SHORT_GROUPS, read_barcode, run, three, write_video},
    guard,
    server::{TestServer, settings},
    watch::{Watched, watch_title},
};

/// A little more than three packs in each third.
const FRAMES: u32 = 150;
const TITLE: &str = "Film";

/// A video folder with one video, and a folder for frames.
struct Place {
    videos: TempDir,
    cache: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { videos: tempdir().unwrap(), cache: tempdir().unwrap() };
        write_video(place.videos.path(), TITLE, &three(FRAMES.into(), H264_SHORT_GROUPS, "matroskamux", "mkv"));
        place
    }

    fn frames(&self) -> PathBuf {
        self.cache.path().join("frames")
    }

    fn settings(&self) -> Settings {
        let disk = DiskSettings { limit_bytes: Some(1 << 30), keep_free_bytes: 0, ..DiskSettings::new(self.frames()) };
        Settings { disk: Some(disk), ..settings(self.videos.path()) }
    }

    /// Starts a server, and joins it.
    async fn serve(&self) -> Served {
        let server = TestServer::start_as(&self.settings()).await;
        let (client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
        Served { server, client, library: welcome.library }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        command(self.videos.path(), &self.frames(), arguments)
    }
}

fn command(videos: &Path, frames: &Path, arguments: &[&str]) -> Output {
    guard::alive();
    let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
    command.arg("--videos").arg(videos).arg("--disk-cache-dir").arg(frames).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server, and a client that watches.
struct Served {
    server: TestServer,
    client: TestClient,
    library: Library,
}

impl Served {
    /// Waits until the server lists the video as ready.
    async fn wait_until_ready(&mut self) {
        while !self.library.videos[0].is_ready {
            let changed = self.client.next_that(|message| match message {
                ServerMessage::LibraryChanged { library } => Some(library),
                _ => None,
            });
            self.library = changed.await;
        }
    }

    async fn statistics(&mut self) -> Statistics {
        self.client.send(&ClientMessage::AskStatistics).await;
        let answer = self.client.next_that(|message| match message {
            ServerMessage::Statistics(statistics) => Some(statistics),
            _ => None,
        });
        answer.await
    }

    /// Watches the video, checks that each picture is the right one, and returns where the server had them from.
    async fn watch(&mut self) -> Vec<Origin> {
        let Watched { pictures, .. } =
            watch_title(&mut self.client, StreamId(1), TITLE, Quality::Triptych, &self.library).await;
        let numbers: Vec<_> = pictures.iter().map(|picture| read_barcode(&picture.jpeg)).collect();
        let expected: Vec<_> = (0..FRAMES).map(|frame| Some((frame, frame * 3 / FRAMES))).collect();
        assert_eq!(numbers, expected);
        pictures.iter().map(|picture| picture.origin).collect()
    }
}

#[tokio::test]
async fn a_restarted_server_decodes_nothing_of_what_was_watched_before() {
    let place = Place::new();
    let mut served = place.serve().await;
    assert!(!served.library.videos[0].is_ready);
    let origins = served.watch().await;
    assert!(origins.contains(&Origin::Decoder) && !origins.contains(&Origin::Disk));
    served.wait_until_ready().await;
    let before = served.statistics().await;
    assert!(before.decoded >= u64::from(FRAMES) && before.disk_bytes > 0, "{before:?}");
    served.server.stop().await;

    let mut served = place.serve().await;
    served.wait_until_ready().await;
    let origins = served.watch().await;
    assert!(origins.contains(&Origin::Disk) && !origins.contains(&Origin::Decoder), "{origins:?}");
    let after = served.statistics().await;
    assert_eq!((after.decoded, after.decoders), (0, 0), "{after:?}");
    assert!(after.disk_hits > 0 && after.disk_bytes == before.disk_bytes && after.disk_limit_bytes == 1 << 30);
    served.server.stop().await;
}

#[tokio::test]
async fn prepare_beside_a_running_server_makes_a_video_ready_at_once() {
    let place = Place::new();
    let mut served = place.serve().await;
    let prepared = place.command(&["prepare", TITLE]);
    assert!(text(&prepared).starts_with("\"Film\" is ready: wrote "), "{prepared:?}");
    served.wait_until_ready().await;
    let before = served.statistics().await;
    let origins = served.watch().await;
    assert!(!origins.contains(&Origin::Decoder), "{origins:?}");
    assert_eq!(served.statistics().await.decoded, before.decoded, "only what was made before it was ready");
    served.server.stop().await;
    assert_eq!(text(&place.command(&["prepare", "--all"])), "\"Film\" was ready already.\n");
    let check = text(&place.command(&["check"]));
    assert!(check.contains("Film (ready: plays without a decoder)\n") && check.contains("Frames on disk: "), "{check}");
    // A file that is replaced is another one.
    let file = fs::File::open(place.videos.path().join("Film_720p.mkv")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(!text(&place.command(&["check"])).contains("ready: plays"));
}

#[test]
fn an_import_makes_its_video_ready_when_told_so() {
    let (videos, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("Short.mkv");
    let description = "matroskamux name=mux ! filesink name=sink \
        videotestsrc num-buffers=50 ! video/x-raw,width=320,height=180,framerate=25/1 ! x264enc ! queue ! mux. \
        audiotestsrc num-buffers=100 ! audio/x-raw,rate=44100,channels=1 ! vorbisenc ! queue ! mux.";
    run(description, &file);
    let frames = elsewhere.path().join("frames");
    let import = ["import", file.to_str().unwrap(), "--ready", "--heights", "96,192"];
    let made = text(&command(videos.path(), &frames, &import));
    assert!(made.contains("\"Short\" is ready: wrote "), "{made}");
    assert!(text(&command(videos.path(), &frames, &["check"])).contains("Short (ready: "));
    let packs = fs::read_dir(&frames).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let names: Vec<_> = packs.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten()).collect();
    let kinds = names.iter().map(|entry| entry.file_name().into_string().unwrap());
    // Frames 0 to 24 of one file, 25 to 49 of the other, and two seconds of sound.
    assert_eq!(kinds.filter(|name| name.starts_with("sound-")).count(), 2);
    assert_eq!(names.len(), 2 + 3 + 2, "{names:?}");
}

#[test]
fn prepare_says_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let unknown = refusal(&place.command(&["prepare", "Movie"]));
    assert!(unknown.contains("\"Movie\" is not a video") && unknown.contains("\"Film\""), "{unknown}");
    let none = refusal(&place.command(&["prepare", TITLE, "--disk-cache-gib", "0"]));
    assert!(none.contains("--disk-cache-gib 0 leaves no space"), "{none}");
    fs::write(place.frames(), "").unwrap();
    let no_folder = refusal(&place.command(&["prepare", TITLE]));
    assert!(no_folder.contains("cannot be used") && no_folder.contains("--disk-cache-dir"), "{no_folder}");
    let empty = tempdir().unwrap();
    assert!(refusal(&command(empty.path(), &place.frames(), &["prepare", "--all"])).contains("has no videos"));
}
