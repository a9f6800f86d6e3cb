//! What [`crate::validate`] refuses, what it cleans, and what it lets pass.

use proptest::prelude::*;

use crate::{
    codec::{decode_server, encode_server},
    crypto::{PublicKey, test_keys},
    limits::{
        MAX_CLIENT_FRAME_BYTES, MAX_NOTICE_CHARS, MAX_PART_BYTES, MAX_PICTURE_BYTES, MAX_SOUND_BYTES,
        MAX_THUMBNAIL_BYTES,
    },
    media::{
        Delivery, Epoch, Library, Origin, PictureHead, SegmentInfo, SoundFormat, SoundHead, StreamId, StreamStart,
        VariantInfo, VideoId, VideoInfo,
    },
    message::{Blob, EndReason, LeaveReason, Person, RefusalCode, ServerInfo, ServerMessage, Viewing},
    name::Name,
    party::{Party, PartyAct, PartyId, Schedule},
    validate::{Breach, notice, server_message},
};

fn person(name: &str, public_key: &PublicKey) -> Person {
    let name = Name::parse(name).expect(name);
    let session = test_keys::unsigned_record(&name, public_key, 1);
    Person { name, public_key: public_key.clone(), session, since_unix_secs: 5 }
}

fn video(id: u64, heights: &[u32]) -> VideoInfo {
    let variant = |&height: &u32| VariantInfo { height, picture_width: 320, picture_height: height, frame_count: 9 };
    VideoInfo {
        id: VideoId(id),
        fingerprint: 1,
        title: "A walk".to_owned(),
        duration_nanos: 5,
        has_sound: true,
        variants: heights.iter().map(variant).collect(),
        is_ready: false,
        unreadable_heights: Vec::new(),
    }
}

fn listing(videos: Vec<VideoInfo>) -> ServerMessage {
    ServerMessage::LibraryChanged { library: Library { videos, unplayable_count: 0 } }
}

fn start(segments: &[(u32, u32, u32, u64)], frame_count: u32, first_index: u32) -> ServerMessage {
    let segment = |&(height, first_index, frame_count, start_nanos): &(u32, u32, u32, u64)| SegmentInfo {
        height,
        first_index,
        frame_count,
        start_nanos,
        sent_height: height,
    };
    ServerMessage::StreamStarted(StreamStart {
        stream: StreamId(1),
        epoch: Epoch(0),
        video: VideoId(1),
        duration_nanos: 9,
        frame_count,
        segments: segments.iter().map(segment).collect(),
        first_index,
        has_sound: false,
        delivery: Delivery::FULL,
    })
}

/// A picture of which the message holds the first `first_bytes`.
fn picture(jpeg_bytes: usize, first_bytes: usize) -> ServerMessage {
    let head = PictureHead {
        stream: StreamId(1),
        epoch: Epoch(0),
        index: 0,
        height: 240,
        pts_nanos: u64::MAX,
        duration_nanos: u64::MAX,
        jpeg_bytes: jpeg_bytes as u32,
        origin: Origin::Memory,
    };
    ServerMessage::Picture { head, jpeg: Blob(vec![0; first_bytes]) }
}

fn part(bytes: usize) -> ServerMessage {
    ServerMessage::PicturePart { stream: StreamId(1), epoch: Epoch(0), index: 0, bytes: Blob(vec![0; bytes]) }
}

fn delivered(picture_step: u8, sent_height: u32) -> ServerMessage {
    let ServerMessage::StreamStarted(mut start) = start(&[(720, 0, 10, 0)], 10, 0) else { unreachable!() };
    start.delivery.picture_step = picture_step;
    start.segments[0].sent_height = sent_height;
    ServerMessage::StreamStarted(start)
}

fn sound(bytes: usize) -> ServerMessage {
    let head = SoundHead { stream: StreamId(1), epoch: Epoch(0), pts_nanos: 0, format: SoundFormat::Pcm };
    ServerMessage::Sound { head, bytes: Blob(vec![0; bytes]) }
}

fn opus(bytes: Vec<u8>) -> ServerMessage {
    let head = SoundHead { stream: StreamId(1), epoch: Epoch(0), pts_nanos: 0, format: SoundFormat::Opus };
    ServerMessage::Sound { head, bytes: Blob(bytes) }
}

fn thumbnail(bytes: usize) -> ServerMessage {
    ServerMessage::Thumbnail { video: VideoId(1), fingerprint: 1, jpeg: Blob(vec![0; bytes]) }
}

fn directory(people_count: u32) -> ServerMessage {
    ServerMessage::Directory { revision: 3, people_count }
}

#[test]
fn what_an_honest_server_sends_passes_unchanged() {
    let [ada, bob] = [test_keys::ada(), test_keys::bob()].map(|identity| identity.public_key().clone());
    let people = vec![person("ada", &ada), person("bob", &bob)];
    let damaged = VideoInfo { unreadable_heights: vec![480, 720], ..video(2, &[8192]) };
    let library = Library { videos: vec![video(1, &[240, 720, 1440]), damaged], unplayable_count: u32::MAX };
    let server = ServerInfo { name: "Lab Žofie".to_owned(), addresses: vec!["[::1]:7878".to_owned()] };
    let viewing = |video| Viewing { person: ada.id(), video, party: Some(PartyId(u64::MAX)) };
    for message in [
        ServerMessage::Challenge { protocol_version: 9, software: "triptych-server 1".to_owned(), nonce: [0; 32] },
        ServerMessage::Welcome {
            name: Name::parse("ada").expect("a name"),
            revision: 7,
            people_count: 4_000,
            server,
            library: library.clone(),
        },
        ServerMessage::Watching { people: vec![viewing(Some(VideoId(2))), viewing(None)] },
        directory(0),
        directory(4_000),
        ServerMessage::People { people },
        ServerMessage::Joined { revision: 8, person: person("bob", &bob) },
        ServerMessage::Left { revision: 9, name: Name::parse("bob").expect("a name"), reason: LeaveReason::Quit },
        ServerMessage::LibraryChanged { library },
        start(&[(240, 0, 3, 0), (720, 3, 3, 90), (1440, 6, 4, 180)], 10, 9),
        start(&[(720, 0, 10, 0)], 10, 0),
        delivered(8, 240),
        picture(1, 1),
        picture(MAX_PICTURE_BYTES, MAX_PART_BYTES),
        part(1),
        part(MAX_PART_BYTES),
        ServerMessage::Echo { number: u64::MAX, server_nanos: u64::MAX },
        ServerMessage::PartyOver { party: PartyId(u64::MAX) },
        ServerMessage::Party(Party {
            id: PartyId(1),
            video: VideoId(2),
            revision: u64::MAX,
            schedule: Schedule { position_nanos: u64::MAX, at_nanos: u64::MAX, is_playing: true },
            by: ada.id(),
            act: Some(PartyAct::Seek { position_nanos: u64::MAX }),
        }),
        sound(MAX_SOUND_BYTES),
        opus(vec![0, 0, 18, 192]),
        opus(vec![0, 120, 3, 72, 0, 1, 252]),
        thumbnail(0),
        thumbnail(MAX_THUMBNAIL_BYTES),
        ServerMessage::Relayed { envelope: Blob(vec![0; MAX_CLIENT_FRAME_BYTES]) },
        ServerMessage::Handed { envelope: Blob(vec![0; MAX_CLIENT_FRAME_BYTES]) },
        ServerMessage::StreamEnded {
            stream: StreamId(1),
            epoch: Epoch(0),
            reason: EndReason::Failed("The file \"x\" was removed.".to_owned()),
        },
        ServerMessage::Refused { code: RefusalCode::Full, message: "Voll: 256 Menschen.".to_owned(), suggestion: None },
        ServerMessage::Goodbye { reason: "再见".to_owned() },
        ServerMessage::Ping { number: u64::MAX },
    ] {
        assert_eq!(server_message(message.clone()), Ok(message));
    }
}

#[test]
fn a_dictionary_has_as_many_people_as_fit_and_no_empty_page() {
    let name = Name::parse("ada").expect("a name");
    let library = Library::default();
    let server = ServerInfo::default();
    let welcome = ServerMessage::Welcome { name, revision: 1, people_count: u32::MAX, server, library };
    for too_many in [directory(4_001), welcome] {
        assert_eq!(server_message(too_many), Err(Breach::TooManyPeople));
    }
    assert_eq!(server_message(ServerMessage::People { people: Vec::new() }), Err(Breach::EmptyPage));
}

#[test]
fn a_library_that_contradicts_itself_is_refused() {
    assert_eq!(server_message(listing(vec![video(1, &[240]), video(1, &[720])])), Err(Breach::RepeatedVideo));
    for heights in [&[][..], &[720, 240], &[240, 240]] {
        assert_eq!(server_message(listing(vec![video(1, heights)])), Err(Breach::UnorderedVariants), "{heights:?}");
    }
    for (width, height) in [(0, 240), (320, 0), (8193, 240), (320, u32::MAX)] {
        let mut odd = video(1, &[240]);
        (odd.variants[0].picture_width, odd.variants[0].picture_height) = (width, height);
        assert_eq!(server_message(listing(vec![odd])), Err(Breach::BadPictureSides(width, height)));
    }
}

#[test]
fn segments_that_do_not_make_up_the_stream_are_refused() {
    for bad in [
        start(&[], 0, 0),
        start(&[(240, 1, 9, 0)], 10, 0),
        start(&[(240, 0, 9, 0)], 10, 0),
        start(&[(240, 0, 10, 0)], 10, 10),
        start(&[(240, 0, 5, 0), (720, 4, 6, 0)], 10, 0),
        start(&[(240, 0, 5, 0), (720, 6, 5, 0)], 11, 0),
        start(&[(720, 0, 5, 0), (240, 5, 5, 0)], 10, 0),
        start(&[(240, 0, 5, 9), (720, 5, 5, 8)], 10, 0),
        start(&[(240, 0, 10, 0), (720, 10, 0, 0)], 10, 0),
        start(&[(240, 0, u32::MAX, 0), (720, u32::MAX, 1, 0)], u32::MAX, 0),
        delivered(1, 721),
    ] {
        assert_eq!(server_message(bad.clone()), Err(Breach::BadSegments), "{bad:?}");
    }
    for step in [0, 9, 255] {
        assert_eq!(server_message(delivered(step, 720)), Err(Breach::BadPictureStep(step)));
    }
}

#[test]
fn everything_binary_has_its_limit() {
    for (message, breach) in [
        (picture(0, 0), Breach::BadPictureBytes(0)),
        (picture(MAX_PICTURE_BYTES + 1, 1), Breach::BadPictureBytes(MAX_PICTURE_BYTES + 1)),
        (picture(1, 0), Breach::BadPartBytes(0)),
        (picture(MAX_PICTURE_BYTES, MAX_PART_BYTES + 1), Breach::BadPartBytes(MAX_PART_BYTES + 1)),
        (picture(2, 3), Breach::SurplusPictureBytes(2)),
        (part(0), Breach::BadPartBytes(0)),
        (part(MAX_PART_BYTES + 1), Breach::BadPartBytes(MAX_PART_BYTES + 1)),
        (thumbnail(MAX_THUMBNAIL_BYTES + 1), Breach::LongThumbnail(MAX_THUMBNAIL_BYTES + 1)),
        (sound(MAX_SOUND_BYTES + 4), Breach::BadSoundBytes(MAX_SOUND_BYTES + 4)),
        (sound(6), Breach::BadSoundBytes(6)),
        (opus(Vec::new()), Breach::BadOpusSound(0)),
        (opus(vec![0, 0, 18, 193]), Breach::BadOpusSound(4)),
        (opus(vec![0, 120, 3, 73, 0, 1, 252]), Breach::BadOpusSound(7)),
        (
            ServerMessage::Relayed { envelope: Blob(vec![0; MAX_CLIENT_FRAME_BYTES + 1]) },
            Breach::LongEnvelope(MAX_CLIENT_FRAME_BYTES + 1),
        ),
        (
            ServerMessage::Handed { envelope: Blob(vec![0; MAX_CLIENT_FRAME_BYTES + 1]) },
            Breach::LongEnvelope(MAX_CLIENT_FRAME_BYTES + 1),
        ),
    ] {
        assert_eq!(server_message(message), Err(breach));
    }
    assert_eq!(MAX_SOUND_BYTES, 19_200, "as in docs/PROTOCOL.md");
}

#[test]
fn texts_for_people_are_cut_and_cleaned_and_not_refused() {
    for (text, cleaned) in [
        ("The server\r\nwas\tstopped.\u{2029}", "The server  was stopped. "),
        ("a\u{1b}[31mb\u{7}c\u{9b}d\u{0}", "a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}"),
        ("Evil\u{202e}gpj.exe\u{2066}", "Evil\u{fffd}gpj.exe\u{fffd}"),
        ("مرحبا ❤\u{fe0f} e\u{301}", "مرحبا ❤\u{fe0f} e\u{301}"),
    ] {
        let mut text = text.to_owned();
        notice(&mut text);
        assert_eq!(text, cleaned);
    }
    let long = "ž".repeat(4_000_000);
    let mut file = video(1, &[240]);
    file.title.clone_from(&long);
    let library = Library { videos: vec![file], unplayable_count: 0 };
    let server = ServerInfo { name: long.clone(), addresses: vec![long.clone()] };
    let name = Name::parse("bob").expect("a name");
    let welcome = ServerMessage::Welcome { name, revision: 1, people_count: 1, server, library };
    let Ok(ServerMessage::Welcome { server, library, .. }) = server_message(welcome) else { panic!("refused") };
    let ended = EndReason::Failed(long.clone());
    let ended = ServerMessage::StreamEnded { stream: StreamId(1), epoch: Epoch(0), reason: ended };
    let Ok(ServerMessage::StreamEnded { reason: EndReason::Failed(ended), .. }) = server_message(ended) else {
        panic!("refused")
    };
    let refused = ServerMessage::Refused { code: RefusalCode::Full, message: long.clone(), suggestion: None };
    let Ok(ServerMessage::Refused { message: refused, .. }) = server_message(refused) else { panic!("refused") };
    let Ok(ServerMessage::Goodbye { reason }) = server_message(ServerMessage::Goodbye { reason: long }) else {
        panic!("refused")
    };
    for text in [&library.videos[0].title, &server.name, &server.addresses[0], &ended, &refused, &reason] {
        assert_eq!(text.chars().count(), MAX_NOTICE_CHARS);
        assert!(text.ends_with("ž…"));
        assert!(text.capacity() < 4 * MAX_NOTICE_CHARS + 16, "the memory of the long text is freed");
    }
}

proptest! {
    #[test]
    fn a_cleaned_text_is_short_harmless_and_clean_already(text in "\\PC{0,20}\\PC*|(?s).{0,700}") {
        let mut once = text.clone();
        notice(&mut once);
        prop_assert!(once.chars().count() <= MAX_NOTICE_CHARS);
        prop_assert!(!once.chars().any(char::is_control));
        let mut twice = once.clone();
        notice(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn changed_bytes_are_refused_or_a_message_within_the_limits(at in 0usize..400, byte in any::<u8>()) {
        let welcome = ServerMessage::Welcome {
            name: Name::parse("bob").expect("a name"),
            revision: 300,
            people_count: 300,
            server: ServerInfo { name: "lab".to_owned(), addresses: vec!["10.0.0.5".to_owned()] },
            library: Library { videos: vec![video(1, &[240, 720])], unplayable_count: 2 },
        };
        let mut frame = encode_server(&welcome)[4..].to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        if let Ok(Ok(ServerMessage::Welcome { people_count, library, .. })) = decode_server(&frame).map(server_message) {
            prop_assert!(people_count <= 4_000);
            prop_assert!(library.videos.iter().all(|video| (1..=64).contains(&video.variants.len())));
        }
    }
}
