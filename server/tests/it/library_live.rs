//! The video folder while the server runs: added, replaced and removed files are announced to every client.

use std::{fs, io::Write, path::Path, sync::Arc, time::Duration};

use common::{
    crypto::test_keys,
    media::{Epoch, Library, Position, Quality, StreamId, VideoInfo},
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;
use triptych_server::video::{self, process::ProcessPool};

use crate::support::{
    client::TestClient,
    clips::Clip,
    server::{DEADLINE, TestServer},
};

const STREAM: StreamId = StreamId(1);
const FRAMES: u32 = 60;

fn titles(library: &Library) -> Vec<&str> {
    library.videos.iter().map(|video| video.title.as_str()).collect()
}

/// A library and the watcher that keeps it up to date.
struct LiveLibrary {
    library: video::library::Library,
    changes: tokio::sync::watch::Receiver<u64>,
    _watcher: video::library::FolderWatcher,
}

impl LiveLibrary {
    fn new(folder: &Path) -> Self {
        video::init().unwrap();
        let (library, records) =
            video::library::Library::scan_with_records(folder, &ProcessPool::in_this_process()).unwrap();
        let watcher = video::library::FolderWatcher::start(library.clone(), records).unwrap();
        Self { changes: library.changes(), library, _watcher: watcher }
    }

    /// Waits until `is_wanted` accepts the listing, and returns it.
    async fn until(&mut self, what: &str, is_wanted: impl Fn(&Library) -> bool) -> Library {
        loop {
            let listing = self.library.listing();
            if is_wanted(&listing) {
                return listing;
            }
            let change = timeout(DEADLINE, self.changes.changed()).await;
            change.unwrap_or_else(|_| panic!("{what}: {listing:#?}")).unwrap();
        }
    }
}

/// Writes a clip and moves it into place, so that it is complete at once.
fn place(clip: &Clip, folder: &Path, name: &str) {
    let unfinished = folder.join(".unfinished");
    clip.write(&unfinished);
    fs::rename(unfinished, folder.join(name)).unwrap();
}

async fn next_library(client: &mut TestClient) -> Library {
    client
        .next_that(|message| match message {
            ServerMessage::LibraryChanged { library } => Some(library),
            _ => None,
        })
        .await
}

async fn library_with(client: &mut TestClient, wanted: &[&str]) -> Library {
    loop {
        let library = next_library(client).await;
        if titles(&library) == wanted {
            return library;
        }
    }
}

#[tokio::test]
async fn added_and_removed_files_are_announced_to_every_client() {
    let folder = tempdir().unwrap();
    let server = TestServer::start_with(folder.path()).await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!(welcome.library, Library::default());
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;

    place(&Clip::new(0, 9, 25), folder.path(), "New_240p.mp4");
    let library = library_with(&mut ada, &["New"]).await;
    assert_eq!(library_with(&mut bob, &["New"]).await, library);
    assert_eq!(library.videos[0].variants.len(), 1);
    let (mut eve, welcome) = TestClient::join(server.address, "eve", &test_keys::eve()).await;
    assert_eq!(welcome.library, library, "a new client gets the same library");

    fs::remove_file(folder.path().join("New_240p.mp4")).unwrap();
    for client in [&mut ada, &mut bob, &mut eve] {
        library_with(client, &[]).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_being_copied_is_offered_when_it_is_complete() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let whole = elsewhere.path().join("whole");
    Clip::new(0, 50, 25).write(&whole);
    let bytes = fs::read(whole).unwrap();
    let mut live = LiveLibrary::new(folder.path());
    let mut copy = fs::File::create(folder.path().join("Slow_240p.mp4")).unwrap();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    // Byte by byte until the watcher notices that the file grows.
    let mut pieces = head.iter();
    while live.library.skipped_files().is_empty() {
        copy.write_all(&[*pieces.next().expect("the watcher notices the growing file in time")]).unwrap();
        let _ = timeout(Duration::from_millis(50), live.changes.changed()).await;
    }
    let listing = live.library.listing();
    assert_eq!(&*live.library.skipped_files()[0].reason, "still being copied");
    assert_eq!((titles(&listing), listing.unplayable_count), (vec![], 0), "it is about to become a video");
    copy.write_all(pieces.as_slice()).unwrap();
    copy.write_all(tail).unwrap();
    let listing = live.until("it is offered", |listing| titles(listing) == ["Slow"]).await;
    assert_eq!((listing.videos[0].variants[0].frame_count, live.library.skipped_files()), (50, vec![]));
}

fn only(library: &Library) -> VideoInfo {
    assert_eq!(library.videos.len(), 1, "{library:#?}");
    library.videos[0].clone()
}

#[tokio::test]
async fn a_replaced_file_keeps_the_id_and_never_leaves_the_list() {
    let folder = tempdir().unwrap();
    place(&Clip::new(0, 9, 25), folder.path(), "A_240p.mp4");
    place(&Clip::new(0, 9, 25), folder.path(), "B_240p.mp4");
    let mut live = LiveLibrary::new(folder.path());
    let before = live.library.listing();
    let held: Vec<_> = before.videos.iter().map(|video| live.library.video(video.id).unwrap()).collect();
    assert_ne!(before.videos[0].fingerprint, before.videos[1].fingerprint);

    place(&Clip::new(1, 12, 25), folder.path(), "A_240p.mp4");
    let old = before.videos[0].fingerprint;
    let after = live.until("it is another one", |listing| listing.videos[0].fingerprint != old).await;
    assert_eq!(*live.changes.borrow_and_update(), 1, "one change is announced, not two");
    assert_eq!((after.videos[0].id, after.videos[0].variants[0].frame_count), (before.videos[0].id, 12));
    assert_eq!(after.videos[1], before.videos[1]);
    assert_eq!(held[0].info, before.videos[0], "a reference to the old video keeps it");
    let untouched = live.library.video(before.videos[1].id).unwrap();
    assert!(Arc::ptr_eq(&untouched, &held[1]), "the video that did not change is not rebuilt");
}

#[tokio::test]
async fn files_that_appear_together_are_announced_together() {
    let folder = tempdir().unwrap();
    let mut live = LiveLibrary::new(folder.path());
    let made = ["A_240p.mp4", "A_720p.mp4", "A_1440p.mp4"];
    for name in made {
        Clip::new(0, 9, 25).write(&folder.path().join(format!(".{name}")));
    }
    for name in made {
        fs::rename(folder.path().join(format!(".{name}")), folder.path().join(name)).unwrap();
    }
    let listing = live.until("it is offered", |listing| !listing.videos.is_empty()).await;
    assert_eq!(only(&listing).variants.len(), 3, "no listing has only some of the variants");
}

#[tokio::test]
async fn the_fingerprint_depends_only_on_the_files() {
    let folder = tempdir().unwrap();
    place(&Clip::new(0, 9, 25), folder.path(), "A_240p.mp4");
    let mut live = LiveLibrary::new(folder.path());
    let first = only(&live.library.listing());
    assert_eq!(only(&LiveLibrary::new(folder.path()).library.listing()), first, "the same after a restart");
    place(&Clip::new(1, 9, 25), folder.path(), "A_720p.mp4");
    let both = live.until("the second one is there", |listing| listing.videos[0].variants.len() == 2).await;
    assert_ne!(only(&both).fingerprint, first.fingerprint);
    fs::remove_file(folder.path().join("A_720p.mp4")).unwrap();
    let one = live.until("it is gone", |listing| listing.videos[0].variants.len() == 1).await;
    assert_eq!(only(&one), first, "the same files are the same video");
}

#[tokio::test]
async fn a_folder_that_is_moved_away_and_back_is_found_again() {
    let outer: TempDir = tempdir().unwrap();
    let (folder, aside) = (outer.path().join("videos"), outer.path().join("aside"));
    fs::create_dir(&folder).unwrap();
    place(&Clip::new(0, 9, 25), &folder, "A_240p.mp4");
    let mut live = LiveLibrary::new(&folder);
    let before = live.library.listing();
    fs::rename(&folder, &aside).unwrap();
    live.until("nothing is offered", |listing| listing.videos.is_empty()).await;
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(live.until("it is back", |listing| !listing.videos.is_empty()).await, before);
    place(&Clip::new(1, 9, 25), &folder, "B_240p.mp4");
    live.until("it is followed again", |listing| titles(listing) == ["A", "B"]).await;
}

#[tokio::test]
async fn a_broken_file_is_named_and_forgotten_with_it() {
    let folder = tempdir().unwrap();
    let mut live = LiveLibrary::new(folder.path());
    fs::write(folder.path().join("Broken_240p.mp4"), "no video").unwrap();
    live.until("it is counted", |listing| listing.unplayable_count == 1).await;
    let named = live.library.skipped_files();
    assert!(named[0].reason.starts_with("not a video"), "{named:#?}");
    fs::remove_file(folder.path().join("Broken_240p.mp4")).unwrap();
    live.until("it is forgotten", |listing| listing.unplayable_count == 0).await;
    assert_eq!(live.library.skipped_files(), []);
}

/// A server that offers "Film" in 240p and 720p, and a client that has received the first pictures of a stream of it.
struct Playing {
    folder: TempDir,
    client: TestClient,
    _server: TestServer,
}

impl Playing {
    async fn start(quality: Quality) -> Self {
        let folder = tempdir().unwrap();
        place(&film(0), folder.path(), "Film_240p.mp4");
        place(&film(1), folder.path(), "Film_720p.mp4");
        let server = TestServer::start_with(folder.path()).await;
        let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
        let video = only(&welcome.library).id;
        client.send(&watch_message(STREAM, video, quality, Position::START)).await;
        let mut playing = Self { folder, client, _server: server };
        playing.grant(4).await;
        for index in 0..4 {
            assert_eq!(playing.next_picture().await, Ok(index));
        }
        playing
    }

    async fn grant(&mut self, items: u32) {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items }).await;
    }

    /// Index of the next picture, or the reason for the end of the stream.
    async fn next_picture(&mut self) -> Result<u32, EndReason> {
        self.client
            .next_that(|message| match message {
                ServerMessage::Picture { head, .. } => Some(Ok(head.index)),
                ServerMessage::StreamEnded { reason, .. } => Some(Err(reason)),
                _ => None,
            })
            .await
    }

    /// Waits until clients know of a change of the film's files.
    async fn changed(&mut self) -> VideoInfo {
        only(&next_library(&mut self.client).await)
    }

    /// Waits for the end of the stream and returns the reason for a failure.
    async fn failure(&mut self) -> String {
        loop {
            match self.next_picture().await {
                Ok(_) => {}
                Err(EndReason::Failed(reason)) => return reason,
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// Plays from the fifth picture to the end of the stream.
    async fn expect_the_rest(&mut self) {
        for index in 4..FRAMES {
            self.grant(1).await;
            assert_eq!(self.next_picture().await, Ok(index));
        }
        assert_eq!(self.next_picture().await, Err(EndReason::Finished));
    }
}

fn film(variant: u32) -> Clip {
    Clip::new(variant, FRAMES.into(), 25)
}

#[tokio::test]
async fn a_stream_continues_when_a_resolution_is_added_to_its_video() {
    let mut playing = Playing::start(Quality::Triptych).await;
    place(&film(2), playing.folder.path(), "Film_1440p.mp4");
    assert_eq!(playing.changed().await.variants.len(), 3);
    playing.expect_the_rest().await;
}

#[tokio::test]
async fn a_stream_continues_when_a_file_that_it_does_not_use_is_replaced_or_removed() {
    let mut playing = Playing::start(Quality::Only(720)).await;
    let small = "Film_240p.mp4";
    place(&Clip::new(2, 9, 25), playing.folder.path(), small);
    assert_eq!(playing.changed().await.variants[0].frame_count, 9);
    fs::remove_file(playing.folder.path().join(small)).unwrap();
    assert_eq!(playing.changed().await.variants.len(), 1);
    playing.expect_the_rest().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_name_of_the_file_that_was_replaced() {
    let mut playing = Playing::start(Quality::Triptych).await;
    place(&Clip::new(2, 9, 25), playing.folder.path(), "Film_720p.mp4");
    let expected = "\"Film_720p.mp4\" was replaced in the server's video folder; play the video again.";
    assert_eq!(playing.failure().await, expected);
}

#[tokio::test]
async fn a_stream_ends_with_the_name_of_the_file_that_was_removed() {
    let mut playing = Playing::start(Quality::Triptych).await;
    fs::remove_file(playing.folder.path().join("Film_720p.mp4")).unwrap();
    assert_eq!(playing.failure().await, "\"Film_720p.mp4\" was removed from the server's video folder.");
}
