//! Frames on disk: servers that are restarted, the commands that make frames ahead, and what clients are told.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{
    crypto::test_keys,
    media::{
        Delivery, Epoch, Library, Origin, Position, Quality, SoundFormat, Statistics, StreamId, VideoId, WatchRequest,
    },
    message::{ClientMessage, EndReason, ServerMessage},
};
use gstreamer::Registry;
use tempfile::{TempDir, tempdir};
use triptych_server::{
    Settings,
    video::{disk::DiskSettings, offline::Preparation},
};

use crate::support::{
    client::TestClient,
    clips::{H264_SHORT_GROUPS, read_barcode, run, three, write_video},
    guard,
    server::{TestServer, settings, worker_processes},
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
        let place = Self::empty();
        write_video(place.videos.path(), TITLE, &three(FRAMES.into(), H264_SHORT_GROUPS, "matroskamux", "mkv"));
        place
    }

    /// The video is one file, and has sound.
    fn with_sound() -> Self {
        let place = Self::empty();
        write_with_sound(&place.videos.path().join(format!("{TITLE}_180p.mkv")));
        place
    }

    fn empty() -> Self {
        Self { videos: tempdir().unwrap(), cache: tempdir().unwrap() }
    }

    /// How many packs there are whose names begin so.
    fn packs(&self, kind: &str) -> usize {
        names_of_packs(&self.frames()).iter().filter(|name| name.starts_with(kind)).count()
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
        self.command_line(arguments).output().unwrap()
    }

    fn command_line(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.videos.path(), &self.frames());
        command.args(arguments);
        command
    }
}

fn command(videos: &Path, frames: &Path) -> Command {
    guard::alive();
    let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
    command.arg("--videos").arg(videos).arg("--disk-cache-dir").arg(frames);
    command
}

/// Two seconds of pictures and sound: 50 frames and 20 chunks.
fn write_with_sound(path: &Path) {
    let description = "matroskamux name=mux ! filesink name=sink \
        videotestsrc num-buffers=50 ! video/x-raw,width=320,height=180,framerate=25/1 ! x264enc ! queue ! mux. \
        audiotestsrc num-buffers=100 ! audio/x-raw,rate=44100,channels=1 ! vorbisenc ! queue ! mux.";
    run(description, path);
}

fn names_of_packs(frames: &Path) -> Vec<String> {
    let folders = fs::read_dir(frames).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let packs = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
    packs.map(|pack| pack.file_name().into_string().unwrap()).collect()
}

/// The plugins of this system without that for Opus, and a place for the list of them.
fn plugins_without_opus() -> (TempDir, PathBuf) {
    triptych_server::video::init().unwrap();
    let opus = Registry::get().find_plugin("opus").unwrap().filename().unwrap();
    let plugins = tempdir().unwrap();
    for plugin in fs::read_dir(opus.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        if plugin != opus {
            std::os::unix::fs::symlink(&plugin, plugins.path().join(plugin.file_name().unwrap())).unwrap();
        }
    }
    let registry = plugins.path().join("registry.bin");
    (plugins, registry)
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

    /// Watches a video as a viewer on a slow link does, and returns how many messages of sound and pictures came.
    async fn watch_with_opus(&mut self, stream: StreamId, video: VideoId) -> (usize, usize) {
        let delivery = Delivery { sound: SoundFormat::Opus, ..Delivery::FULL };
        let (quality, from) = (Quality::Triptych, Position::START);
        self.client.send(&ClientMessage::Watch(WatchRequest { stream, video, quality, delivery, from })).await;
        self.client.send(&ClientMessage::Grant { stream, epoch: Epoch(0), items: 200 }).await;
        let (mut sounds, mut pictures) = (0, 0);
        loop {
            match self.client.next().await {
                ServerMessage::Sound { head, .. } => {
                    assert_eq!(head.format, SoundFormat::Opus);
                    sounds += 1;
                }
                ServerMessage::Picture { .. } => pictures += 1,
                ServerMessage::StreamEnded { reason, .. } => {
                    assert_eq!(reason, EndReason::Finished);
                    return (sounds, pictures);
                }
                _ => {}
            }
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

#[tokio::test]
async fn a_prepared_video_needs_no_decoder_for_a_viewer_who_is_sent_opus() {
    let place = Place::with_sound();
    text(&place.command(&["prepare", TITLE]));
    let mut served = place.serve().await;
    served.wait_until_ready().await;
    let (stream, video) = (StreamId(1), served.library.videos[0].id);
    let (packets, pictures) = served.watch_with_opus(stream, video).await;
    // Two seconds in pieces of a tenth, of which a picture may cut one.
    assert!(packets >= 20 && pictures == 50, "{packets} messages of sound and {pictures} pictures");
    let after = served.statistics().await;
    assert_eq!((after.decoded, after.decoders), (0, 0), "{after:?}");
    served.server.stop().await;
}

#[test]
fn where_opus_cannot_be_encoded_pcm_is_enough_and_is_completed_where_it_can() {
    let place = Place::with_sound();
    let (plugins, registry) = plugins_without_opus();
    let without_opus = |arguments: &[&str]| {
        let mut command = place.command_line(arguments);
        command.env("GST_PLUGIN_SYSTEM_PATH_1_0", plugins.path()).env("GST_REGISTRY", &registry);
        command.output().unwrap()
    };
    assert!(text(&without_opus(&["prepare", TITLE])).starts_with("\"Film\" is ready: wrote "));
    assert_eq!((place.packs("pictures-"), place.packs("sound-"), place.packs("opus-")), (4, 2, 0));
    assert_eq!(text(&without_opus(&["prepare", TITLE])), "\"Film\" was ready already.\n");
    let check = String::from_utf8(without_opus(&["check"]).stdout).unwrap();
    assert!(check.contains("MISSING for sound on slow links: opusenc") && check.contains("Film (ready: "), "{check}");

    assert!(!text(&place.command(&["check"])).contains("Film (ready: "));
    assert!(text(&place.command(&["prepare", TITLE])).starts_with("\"Film\" is ready: wrote "));
    assert_eq!((place.packs("sound-"), place.packs("opus-")), (2, 2));
    assert!(text(&place.command(&["check"])).contains("Film (ready: "));
    let disk = place.settings().disk.unwrap();
    let again = Preparation::open(place.videos.path(), None, &disk, &worker_processes()).unwrap();
    let mut made = 0;
    again.run(|frames| made = frames, || true).unwrap();
    assert_eq!(made, 0, "what is there is not made again");
}

#[test]
fn an_import_makes_its_video_ready_when_told_so() {
    let (videos, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let file = elsewhere.path().join("Short.mkv");
    write_with_sound(&file);
    let frames = elsewhere.path().join("frames");
    let import = ["import", file.to_str().unwrap(), "--ready", "--heights", "96,192"];
    let made = text(&command(videos.path(), &frames).args(import).output().unwrap());
    assert!(made.contains("\"Short\" is ready: wrote "), "{made}");
    let check = command(videos.path(), &frames).arg("check").output().unwrap();
    assert!(text(&check).contains("Short (ready: "));
    let names = names_of_packs(&frames);
    let count = |kind: &str| names.iter().filter(|name| name.starts_with(kind)).count();
    // Frames 0 to 24 of one file, 25 to 49 of the other, and two seconds of sound.
    assert_eq!([count("pictures-"), count("sound-"), count("opus-")], [2 + 3, 2, 2], "{names:?}");
}

/// A process that may write no file longer than this meets what a full disk is: a write that fails after part of a pack is written.
#[test]
fn a_pack_that_cannot_be_written_to_its_end_leaves_nothing_behind() {
    let place = Place::new();
    let prepare = place.command_line(&["prepare", TITLE]);
    // In units of 512 bytes. The signal that would end the process is ignored, so that the write itself fails.
    let limited = "ulimit -f 16; trap '' XFSZ; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, "sh"]).arg(prepare.get_program()).args(prepare.get_args());
    let full = refusal(&command.output().unwrap());
    assert!(full.contains("cannot be written: File too large") && full.contains("free some space there"), "{full}");
    assert_eq!(names_of_packs(&place.frames()), [""; 0]);
    assert!(text(&place.command(&["prepare", TITLE])).starts_with("\"Film\" is ready: wrote "));
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
    let nothing = command(empty.path(), &place.frames()).args(["prepare", "--all"]).output().unwrap();
    assert!(refusal(&nothing).contains("has no videos"));
}
