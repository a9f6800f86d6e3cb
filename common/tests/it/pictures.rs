//! Sequences of messages that bring pictures in parts, and what comes of them: as `docs/vectors/pictures.txt` lists them, as
//! [`PictureJoiner`] joins them, and as the Python of `docs/PROTOCOL.md`, section 16, does.

use std::fmt::Write as _;

use common::{
    codec::{PREFIX_BYTES, decode_server, encode_server},
    limits::MAX_PICTURE_BYTES,
    media::{
        Delivery, Epoch, Origin, PictureHead, SegmentInfo, SoundFormat, SoundHead, StreamId, StreamStart, VideoId,
    },
    message::{Blob, EndReason, ServerMessage},
    picture_parts::PictureJoiner,
    validate,
};

use crate::{
    opener::{programs, run_python},
    vectors::{document, hex},
};

const STREAM: StreamId = StreamId(1);

fn picture(epoch: u32, index: u32, jpeg_bytes: usize, first: &[u8]) -> ServerMessage {
    let head = PictureHead {
        stream: STREAM,
        epoch: Epoch(epoch),
        index,
        height: 240,
        pts_nanos: 0,
        duration_nanos: 40_000_000,
        jpeg_bytes: jpeg_bytes as u32,
        origin: Origin::Memory,
    };
    ServerMessage::Picture { head, jpeg: Blob(first.to_vec()) }
}

fn part(epoch: u32, index: u32, bytes: &[u8]) -> ServerMessage {
    ServerMessage::PicturePart { stream: STREAM, epoch: Epoch(epoch), index, bytes: Blob(bytes.to_vec()) }
}

fn sound(epoch: u32) -> ServerMessage {
    let head = SoundHead { stream: STREAM, epoch: Epoch(epoch), pts_nanos: 0, format: SoundFormat::Pcm };
    ServerMessage::Sound { head, bytes: Blob(vec![1, 0, 255, 255]) }
}

fn started(epoch: u32, picture_step: u8, sent_height: u32) -> ServerMessage {
    let segment = SegmentInfo { height: 720, sent_height, first_index: 0, frame_count: 60, start_nanos: 0 };
    ServerMessage::StreamStarted(StreamStart {
        stream: STREAM,
        epoch: Epoch(epoch),
        video: VideoId(258),
        duration_nanos: 2_000_000_000,
        frame_count: 60,
        segments: vec![segment],
        first_index: 30,
        has_sound: true,
        delivery: Delivery { picture_step, ..Delivery::FULL },
    })
}

/// Name, what the messages bring, and the messages.
fn sequences() -> Vec<(&'static str, &'static str, Vec<ServerMessage>)> {
    let begun = || picture(1, 30, 6, &[0xff, 0xd8, 1]);
    let stopped = ServerMessage::StreamEnded { stream: STREAM, epoch: Epoch(1), reason: EndReason::Stopped };
    vec![
        ("one part", "30 ffd8ffd9", vec![picture(1, 30, 4, &[0xff, 0xd8, 0xff, 0xd9])]),
        ("three parts", "30 ffd80102ffd9", vec![begun(), part(1, 30, &[2]), part(1, 30, &[0xff, 0xd9])]),
        (
            "other messages between the parts",
            "30 ffd80102ffd9",
            vec![begun(), ServerMessage::Ping { number: 1 }, part(1, 30, &[2, 0xff, 0xd9])],
        ),
        ("sound after the last part", "30 ffd80102ffd9", vec![begun(), part(1, 30, &[2, 0xff, 0xd9]), sound(1)]),
        (
            "a new epoch before the last part",
            "9 ffd9",
            vec![begun(), started(2, 1, 720), sound(2), picture(2, 9, 2, &[0xff, 0xd9])],
        ),
        (
            "a part that does not continue the picture",
            "30 ffd80102ffd9",
            vec![begun(), part(1, 29, &[7; 9]), part(0, 30, &[7; 9]), part(1, 30, &[2, 0xff, 0xd9])],
        ),
        ("a part after the end", "", vec![begun(), stopped, part(1, 30, &[2, 0xff, 0xd9])]),
        ("every eighth picture, from a smaller file", "30 ff", vec![started(1, 8, 240), picture(1, 30, 1, &[0xff])]),
        ("more bytes than announced", "refused", vec![begun(), part(1, 30, &[2, 3, 0xff, 0xd9])]),
        ("more bytes in the first part than announced", "refused", vec![picture(1, 30, 2, &[0xff, 0xd8, 1])]),
        ("another picture before the last part", "refused", vec![begun(), picture(1, 31, 1, &[0xff])]),
        ("sound before the last part", "refused", vec![begun(), sound(1)]),
        ("a part without bytes", "refused", vec![begun(), part(1, 30, &[])]),
        ("a first part without bytes", "refused", vec![picture(1, 30, 6, &[])]),
        ("no bytes announced", "refused", vec![picture(1, 30, 0, &[])]),
        ("too many bytes announced", "refused", vec![picture(1, 30, MAX_PICTURE_BYTES + 1, &[0xff])]),
        ("one of no pictures", "refused", vec![started(1, 0, 720)]),
        ("one of nine pictures", "refused", vec![started(1, 9, 720)]),
        ("a larger file than planned", "refused", vec![started(1, 1, 1440)]),
    ]
}

fn file() -> String {
    let mut text = "# Messages of a server, as frames in hexadecimal, that bring pictures in parts, as section 9 of PROTOCOL.md \
                    says. Each block is a\n# name, index and bytes of the picture that comes of them (\"refused\" if the \
                    server breaks the protocol), and the frames.\n"
        .to_owned();
    for (name, brought, messages) in sequences() {
        writeln!(text, "\n{name}: {brought}").unwrap();
        messages.iter().for_each(|message| writeln!(text, "{}", hex(&encode_server(message))).unwrap());
    }
    text
}

/// Index and bytes of the picture that comes of some frames.
fn brought(messages: &[ServerMessage]) -> String {
    let (mut joiner, mut brought) = (PictureJoiner::default(), String::new());
    for message in messages {
        let message = decode_server(&encode_server(message)[PREFIX_BYTES..]).unwrap();
        let Ok(joined) = validate::server_message(message).and_then(|message| joiner.take(message)) else {
            return "refused".to_owned();
        };
        if let Some(ServerMessage::Picture { head, jpeg }) = joined {
            write!(brought, "{} {}", head.index, hex(&jpeg.0)).unwrap();
        }
    }
    brought
}

#[test]
fn the_committed_sequences_bring_what_is_said_of_them() {
    for (name, expected, messages) in sequences() {
        assert_eq!(brought(&messages), expected, "{name}");
    }
    assert!(document("docs/vectors/pictures.txt") == file(), "docs/vectors/pictures.txt is not:\n{}", file());
}

/// Reads blocks as in the file, and prints what they bring.
const DRIVER: &str = r#"
import sys
for block in sys.stdin.read().split("\n\n")[1:]:
    name, *frames = block.strip().split("\n")
    pictures, brought = Pictures(), ""
    try:
        for frame in frames:
            fields = Fields(bytes.fromhex(frame)[4:])
            picture = pictures.take(fields.number(), fields)
            if picture:
                brought = f"{picture[0]['index']} {picture[1].hex()}"
    except ValueError:
        brought = "refused"
    print(f"{name.split(': ')[0].rstrip(':')}: {brought}")
"#;

#[test]
fn the_python_of_the_protocol_page_joins_the_committed_sequences_alike() {
    let expected = sequences().into_iter().fold(String::new(), |mut lines, (name, brought, _)| {
        // What StreamStarted says of the delivery is not looked at by that client.
        if !name.starts_with("one of") && !name.starts_with("a larger") {
            writeln!(lines, "{name}: {brought}").unwrap();
        }
        lines
    });
    let printed = run_python(&(programs(2) + DRIVER), &document("docs/vectors/pictures.txt"));
    let printed: String = printed
        .lines()
        .filter(|line| !line.starts_with("one of") && !line.starts_with("a larger"))
        .fold(String::new(), |lines, line| lines + line + "\n");
    assert_eq!(printed, expected);
}
