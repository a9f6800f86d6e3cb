//! Checks the worked examples of `docs/PROTOCOL.md`, one per message, against the output of the codec. When a message
//! changes, the failing test prints the new example.

use std::{fmt::Write, fs, path::PathBuf};

use common::{
    codec::{decode_client, decode_server, encode_client, encode_server},
    crypto::{KeyId, SessionRecord, test_keys},
    limits::PROTOCOL_VERSION,
    media::{
        Delivery, Epoch, Library, Origin, PictureHead, Position, Quality, SeekRequest, SegmentInfo, SetQualityRequest,
        SoundFormat, SoundHead, Statistics, StreamId, StreamStart, VariantInfo, VideoId, VideoInfo, WatchRequest,
    },
    message::{
        Blob, ClientMessage, EndReason, LeaveReason, MAGIC, Person, RefusalCode, ServerInfo, ServerMessage, Viewing,
    },
    name::Name,
    opus_sound::OpusSound,
    party::{Party, PartyAct, PartyId, PartyRequest, Schedule},
};

pub fn document(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn bob() -> Person {
    let public_key = test_keys::bob().public_key().clone();
    Person { name: name("bob"), session: session(), public_key, since_unix_secs: 1_780_000_000 }
}

/// Its signature is made of zeros, so that it is always the same.
fn session() -> SessionRecord {
    test_keys::unsigned_record(&name("bob"), test_keys::bob().public_key(), 1_780_000_000_000)
}

fn library() -> Library {
    let variant =
        |height, picture_width, frame_count| VariantInfo { height, picture_width, picture_height: height, frame_count };
    let video = VideoInfo {
        id: VideoId(258),
        fingerprint: 77,
        title: "Fox".to_owned(),
        duration_nanos: 2_000_000_000,
        has_sound: true,
        variants: vec![variant(240, 426, 60), variant(720, 1280, 60)],
        is_ready: false,
        unreadable_heights: vec![1440],
    };
    Library { videos: vec![video], unplayable_count: 3 }
}

fn client_examples() -> Vec<ClientMessage> {
    let (stream, video) = (StreamId(1), VideoId(258));
    vec![
        ClientMessage::Hello {
            magic: MAGIC,
            protocol_version: PROTOCOL_VERSION,
            software: "demo".into(),
            nonce: [0x11; 32],
        },
        ClientMessage::Join {
            name: "ada".into(),
            public_key: Blob(vec![0x30, 0x82]),
            proof: Blob(vec![0xaa, 0xbb]),
            session: Blob(vec![0x01, 0xcc]),
        },
        ClientMessage::Say { envelope: Blob(vec![0x01, 0x03, 0xff]) },
        ClientMessage::AskDirectory,
        ClientMessage::Watch(WatchRequest {
            stream,
            video,
            quality: Quality::Triptych,
            from: Position::START,
            delivery: Delivery::FULL,
        }),
        ClientMessage::Watch(WatchRequest {
            stream: StreamId(2),
            video,
            quality: Quality::Only(720),
            delivery: Delivery { picture_step: 2, max_height: Some(480), sound: SoundFormat::Opus },
            from: Position::Time(1_500_000_000),
        }),
        ClientMessage::Grant { stream, epoch: Epoch(0), items: 24 },
        ClientMessage::Stop { stream },
        ClientMessage::Pong { number: 300 },
        ClientMessage::Quit,
        ClientMessage::Seek(SeekRequest { stream, epoch: Epoch(1), to: Position::Picture(12) }),
        ClientMessage::SetQuality(SetQualityRequest {
            stream,
            epoch: Epoch(2),
            quality: Quality::Only(240),
            at: Position::Picture(40),
            delivery: Delivery::FULL,
        }),
        ClientMessage::AskThumbnail { video },
        ClientMessage::AskStatistics,
        ClientMessage::Renew { session: Blob(vec![0x01, 0xcc]) },
        ClientMessage::Hand { to: KeyId([0x33; 32]), envelope: Blob(vec![0x01, 0x02, 0xff]) },
        ClientMessage::Probe { number: 300 },
        ClientMessage::ShowWatching { is_shown: true },
        ClientMessage::Party(PartyRequest::Start { video, position_nanos: 1_000_000_000, is_playing: true }),
        ClientMessage::Party(PartyRequest::Join(PartyId(3))),
        ClientMessage::Party(PartyRequest::Leave),
        ClientMessage::Party(PartyRequest::Act {
            party: PartyId(3),
            revision: 4,
            act: PartyAct::Seek { position_nanos: 1_000_000_000 },
        }),
        ClientMessage::AskPreviews { video: Some(video) },
        ClientMessage::AskPreviews { video: None },
    ]
}

fn server_examples() -> Vec<ServerMessage> {
    let (stream, video) = (StreamId(1), VideoId(258));
    let segment = |height, first_index, start_nanos| SegmentInfo {
        height,
        first_index,
        frame_count: 30,
        start_nanos,
        sent_height: height,
    };
    let epoch = Epoch(1);
    let silence = OpusSound { skip_audio_frames: 120, audio_frames: 840, packets: vec![&[0xfc, 0xff, 0xfe]] };
    let head = PictureHead {
        stream,
        epoch,
        index: 30,
        height: 720,
        pts_nanos: 1_000_000_000,
        duration_nanos: 33_333_333,
        jpeg_bytes: 4,
        origin: Origin::Decoder,
    };
    let statistics = Statistics {
        viewers: 2,
        decoders: 3,
        hits: 300,
        misses: 20,
        decoded: 64,
        held_bytes: 1_000_000,
        cache_bytes: 536_870_912,
        disk_hits: 40,
        disk_bytes: 2_000_000,
        disk_limit_bytes: 21_474_836_480,
    };
    vec![
        ServerMessage::Challenge { protocol_version: PROTOCOL_VERSION, software: "demo".into(), nonce: [0x22; 32] },
        ServerMessage::Refused {
            code: RefusalCode::NameInUse,
            message: "taken".into(),
            suggestion: Some(name("ada-2")),
        },
        ServerMessage::Welcome {
            name: name("bob"),
            revision: 1,
            people_count: 1,
            server: ServerInfo { name: "Lab".into(), addresses: vec!["10.0.0.5".into()] },
            library: library(),
        },
        ServerMessage::Joined { revision: 1, person: bob() },
        ServerMessage::Left { revision: 2, name: name("bob"), reason: LeaveReason::Lost },
        ServerMessage::Directory { revision: 2, people_count: 300 },
        ServerMessage::Relayed { envelope: Blob(vec![0x01, 0x03, 0xff]) },
        ServerMessage::LibraryChanged { library: Library::default() },
        ServerMessage::StreamStarted(StreamStart {
            stream,
            epoch,
            video,
            duration_nanos: 2_000_000_000,
            frame_count: 60,
            segments: vec![segment(240, 0, 0), segment(720, 30, 1_000_000_000)],
            first_index: 30,
            has_sound: true,
            delivery: Delivery::FULL,
        }),
        ServerMessage::Picture { head, jpeg: Blob(vec![0xff, 0xd8]) },
        ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Finished },
        ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Failed("gone".into()) },
        ServerMessage::Ping { number: 300 },
        ServerMessage::Goodbye { reason: "bye".into() },
        ServerMessage::Sound {
            head: SoundHead { stream, epoch, pts_nanos: 1_000_000_000, format: SoundFormat::Pcm },
            bytes: Blob(vec![1, 0, 255, 255]),
        },
        ServerMessage::Sound {
            head: SoundHead { stream, epoch, pts_nanos: 1_000_000_000, format: SoundFormat::Opus },
            bytes: Blob(silence.encode().to_vec()),
        },
        ServerMessage::Thumbnail { video, fingerprint: 77, jpeg: Blob(vec![0xff, 0xd8, 0xff, 0xd9]) },
        ServerMessage::Statistics(statistics),
        ServerMessage::Renewed { revision: 3, name: name("bob"), session: session() },
        ServerMessage::Handed { envelope: Blob(vec![0x01, 0x02, 0xff]) },
        ServerMessage::People { people: vec![bob()] },
        ServerMessage::PicturePart { stream, epoch, index: 30, bytes: Blob(vec![0xff, 0xd9]) },
        ServerMessage::Echo { number: 300, server_nanos: 1_000_000_000 },
        ServerMessage::Watching {
            people: vec![
                Viewing { person: KeyId([0x33; 32]), video: Some(video), party: Some(PartyId(3)) },
                Viewing { person: KeyId([0x44; 32]), video: None, party: None },
            ],
        },
        ServerMessage::Party(Party {
            id: PartyId(3),
            video,
            revision: 5,
            schedule: Schedule { position_nanos: 2_000_000_000, at_nanos: 3_000_000_000, is_playing: false },
            by: KeyId([0x33; 32]),
            act: Some(PartyAct::Pause),
        }),
        ServerMessage::PartyOver { party: PartyId(3) },
        ServerMessage::Previews { video, fingerprint: 77, count: 10 },
        ServerMessage::Preview {
            video,
            fingerprint: 77,
            pts_nanos: 1_000_000_000,
            jpeg: Blob(vec![0xff, 0xd8, 0xff, 0xd9]),
        },
    ]
}

/// The page without white space, so that examples can be broken into lines.
fn page_digits() -> String {
    document("docs/PROTOCOL.md").chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn the_protocol_page_has_a_correct_example_of_each_message() {
    let page = page_digits();
    let mut missing = String::new();
    for message in client_examples() {
        let frame = encode_client(&message);
        assert_eq!(decode_client(&frame[4..]), Ok(message.clone()));
        if !page.contains(&hex(&frame)) {
            writeln!(missing, "{message:?}\n    {}", hex(&frame)).unwrap();
        }
    }
    for message in server_examples() {
        let frame = encode_server(&message);
        assert_eq!(decode_server(&frame[4..]), Ok(message.clone()));
        if !page.contains(&hex(&frame)) {
            writeln!(missing, "{message:?}\n    {}", hex(&frame)).unwrap();
        }
    }
    assert!(missing.is_empty(), "docs/PROTOCOL.md lacks these examples:\n{missing}");
}
