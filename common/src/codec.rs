//! Encodes messages as frames and decodes them. The only file that names bincode.
//!
//! A frame is a big-endian `u32` length, followed by one message of that length in bincode 2 `standard()` (little
//! endian, variable-length integers). Decoding is strict: the length limit is checked before memory is reserved, a
//! message must use every byte of its frame, and each number must have its shortest encoding.

use bincode::{config::Configuration, enc::write::Writer, error::EncodeError};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::LengthDelimitedCodec;

use crate::{
    bounded_list,
    limits::{MAX_CLIENT_FRAME_BYTES, MAX_GREETING_BYTES, MAX_SERVER_FRAME_BYTES},
    media::{Library, PictureHead, SoundHead},
    message::{Blob, ClientMessage, Person, ServerInfo, ServerMessage},
    name::Name,
};

/// The size of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// Why a frame does not hold a valid message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes do not decode; the text says why.
    #[error("not a message of this protocol: {0}")]
    Malformed(&'static str),
    /// A list in the message has more elements than [`crate::limits`] allows; the text says which.
    #[error("{0}")]
    LongList(&'static str),
    /// This number of bytes follows the message.
    #[error("{0} unused bytes follow the message in its frame")]
    TrailingBytes(usize),
    /// A number in the message has a shorter encoding.
    #[error("the message is not in its canonical encoding")]
    NotCanonical,
}

/// Splits a byte stream into frames of up to `max_bytes`. A longer frame is an error as soon as its length is read.
///
/// Raise the limit with [`LengthDelimitedCodec::set_max_frame_length`] after `Welcome`.
pub fn framing(max_bytes: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().length_field_length(PREFIX_BYTES).max_frame_length(max_bytes).new_codec()
}

/// Encodes a message to the server as a frame, length prefix included.
pub fn encode_client(message: &ClientMessage) -> Bytes {
    frame(message).freeze()
}

/// Encodes a message to a client as a frame, length prefix included.
pub fn encode_server(message: &ServerMessage) -> Bytes {
    frame(message).freeze()
}

/// Encodes `ServerMessage::Picture` as a frame in two pieces, the second being `jpeg` itself, the first part of the picture,
/// so that all viewers share its bytes.
pub fn encode_picture(head: PictureHead, jpeg: Bytes) -> [Bytes; 2] {
    with_last_field(&ServerMessage::Picture { head, jpeg: Blob::default() }, jpeg)
}

/// Encodes `ServerMessage::PicturePart` of the picture with this head as a frame in two pieces, the second being `bytes`
/// itself.
pub fn encode_picture_part(head: &PictureHead, bytes: Bytes) -> [Bytes; 2] {
    let PictureHead { stream, epoch, index, .. } = *head;
    with_last_field(&ServerMessage::PicturePart { stream, epoch, index, bytes: Blob::default() }, bytes)
}

/// Encodes `ServerMessage::Sound` as a frame in two pieces, the second being `bytes` itself.
pub fn encode_sound(head: SoundHead, bytes: Bytes) -> [Bytes; 2] {
    with_last_field(&ServerMessage::Sound { head, bytes: Blob::default() }, bytes)
}

/// Encodes `message`, whose last field is empty, as if that field held `bytes`.
fn with_last_field(message: &ServerMessage, bytes: Bytes) -> [Bytes; 2] {
    // Replaces the length of the empty field, a single zero byte, by the real one.
    let mut start = frame(message);
    start.truncate(start.len() - 1);
    encode_into(&(bytes.len() as u64), &mut start);
    put_length(&mut start, bytes.len());
    [start.freeze(), bytes]
}

/// A person as it is encoded within `People`, so that all pages that hold this person share the bytes.
pub fn encode_person(person: &Person) -> Bytes {
    encode_part(person)
}

/// The start of a `People` frame. As many people as it says are to follow, each as [`encode_person`] encodes it, of
/// `people_bytes` together.
pub fn encode_page_start(people_count: usize, people_bytes: usize) -> Bytes {
    let mut start = frame(&ServerMessage::People { people: Vec::new() });
    // The length of the empty list.
    start.truncate(start.len() - 1);
    encode_into(&(people_count as u64), &mut start);
    put_length(&mut start, people_bytes);
    start.freeze()
}

/// The most that [`encode_page_start`] takes: the length prefix, the number of the message and the length of the list.
pub const PAGE_START_BYTES: usize = PREFIX_BYTES + 1 + 3;

/// The library of `Welcome` and `LibraryChanged`, so that all messages share it.
pub fn encode_library(library: &Library) -> Bytes {
    encode_part(library)
}

/// Encodes `ServerMessage::Welcome` as a frame in two pieces, from [`encode_library`].
pub fn encode_welcome(name: Name, revision: u64, people_count: u32, server: ServerInfo, library: Bytes) -> [Bytes; 2] {
    let message = ServerMessage::Welcome { name, revision, people_count, server, library: Library::default() };
    [with_library(&message, library.len()), library]
}

/// Encodes `ServerMessage::LibraryChanged` as a frame in two pieces, from [`encode_library`].
pub fn encode_library_changed(library: Bytes) -> [Bytes; 2] {
    [with_library(&ServerMessage::LibraryChanged { library: Library::default() }, library.len()), library]
}

fn encode_part(part: &impl Serialize) -> Bytes {
    let mut buffer = BytesMut::new();
    encode_into(part, &mut buffer);
    buffer.freeze()
}

/// The start of a frame whose message ends with an empty library: an empty list and a zero, each a single zero byte. These are cut
/// off, and a library of `library_bytes` is to follow.
fn with_library(message: &ServerMessage, library_bytes: usize) -> Bytes {
    let mut start = frame(message);
    start.truncate(start.len() - 2);
    put_length(&mut start, library_bytes);
    start.freeze()
}

/// Encodes a value for another process of the same program, without a length prefix.
pub fn encode_value(value: &impl Serialize) -> Bytes {
    let mut buffer = BytesMut::with_capacity(64);
    encode_into(value, &mut buffer);
    buffer.freeze()
}

/// Decodes what [`encode_value`] made. `MAX_BYTES` bounds the memory that a length inside the value can reserve: twice
/// the longest encoding.
///
/// # Errors
/// [`DecodeError`] when the bytes do not hold exactly one value in canonical encoding.
pub fn decode_value<V: Serialize + DeserializeOwned, const MAX_BYTES: usize>(bytes: &[u8]) -> Result<V, DecodeError> {
    decode::<V, MAX_BYTES>(bytes)
}

/// Decodes a frame, without its length prefix, from a client that has not joined yet.
///
/// # Errors
/// [`DecodeError`] when the frame does not hold exactly one message in canonical encoding.
pub fn decode_greeting(frame: &[u8]) -> Result<ClientMessage, DecodeError> {
    decode::<_, { 2 * MAX_GREETING_BYTES }>(frame)
}

/// Decodes a frame, without its length prefix, from a client that has joined.
///
/// # Errors
/// Like [`decode_greeting`].
pub fn decode_client(frame: &[u8]) -> Result<ClientMessage, DecodeError> {
    decode::<_, { 2 * MAX_CLIENT_FRAME_BYTES }>(frame)
}

/// Decodes a frame, without its length prefix, from the server.
///
/// # Errors
/// Like [`decode_greeting`].
pub fn decode_server(frame: &[u8]) -> Result<ServerMessage, DecodeError> {
    decode::<_, { 2 * MAX_SERVER_FRAME_BYTES }>(frame)
}

/// Whether a frame, without its length prefix, claims to hold `ServerMessage::Welcome`: the only message of the handshake
/// that may be longer than [`MAX_GREETING_BYTES`].
pub fn is_welcome(frame: &[u8]) -> bool {
    const NUMBER_OF_WELCOME: u8 = 2;
    frame.first() == Some(&NUMBER_OF_WELCOME)
}

/// Whether a frame, without its length prefix, claims to hold `ServerMessage::People`, which has a limit of its own
/// ([`crate::limits::MAX_PAGE_BYTES`]).
pub fn is_page(frame: &[u8]) -> bool {
    const NUMBER_OF_PEOPLE: u8 = 18;
    frame.first() == Some(&NUMBER_OF_PEOPLE)
}

fn frame(message: &impl Serialize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(256);
    buffer.put_u32(0);
    encode_into(message, &mut buffer);
    put_length(&mut buffer, 0);
    buffer
}

fn put_length(frame: &mut BytesMut, following_bytes: usize) {
    let length = u32::try_from(frame.len() - PREFIX_BYTES + following_bytes).expect("messages are far below 4 GiB");
    frame[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
}

fn encode_into(message: &impl Serialize, buffer: &mut BytesMut) {
    bincode::serde::encode_into_writer(message, Append(buffer), bincode::config::standard())
        .expect("bincode can encode every message type");
}

/// `MAX_BYTES` bounds the memory that a length inside the message can make bincode reserve. bincode counts numbers at
/// their full width, not at their encoded size, so the bound is twice the longest frame.
fn decode<M: Serialize + DeserializeOwned, const MAX_BYTES: usize>(frame: &[u8]) -> Result<M, DecodeError> {
    let config: Configuration<_, _, bincode::config::Limit<MAX_BYTES>> =
        bincode::config::standard().with_limit::<MAX_BYTES>();
    let (message, used_bytes) =
        bincode::serde::decode_from_slice::<M, _>(frame, config).map_err(|error| explain(&error))?;
    if used_bytes < frame.len() {
        return Err(DecodeError::TrailingBytes(frame.len() - used_bytes));
    }
    // bincode also accepts longer encodings, such as 5 in nine bytes. Encoding again and comparing on the fly detects
    // them without a second buffer.
    bincode::serde::encode_into_writer(&message, Compare(frame), bincode::config::standard())
        .map_err(|_| DecodeError::NotCanonical)?;
    Ok(message)
}

fn explain(error: &bincode::error::DecodeError) -> DecodeError {
    use bincode::error::DecodeError as E;
    if let E::OtherString(text) = error
        && let Some(reason) = bounded_list::REASONS.into_iter().find(|reason| reason == text)
    {
        return DecodeError::LongList(reason);
    }
    DecodeError::Malformed(match error {
        E::UnexpectedEnd { .. } => "it ends too early",
        E::LimitExceeded => "a length in it exceeds the limit",
        E::Utf8 { .. } => "a string in it is not UTF-8",
        _ => "a value in it is invalid",
    })
}

struct Append<'a>(&'a mut BytesMut);

impl Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Fails at the first byte that differs from the slice.
struct Compare<'a>(&'a [u8]);

impl Writer for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0 = self.0.strip_prefix(bytes).ok_or(EncodeError::UnexpectedEnd)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::{Epoch, Origin, SoundFormat, StreamId};

    const HEAD: PictureHead = PictureHead {
        stream: StreamId(7),
        epoch: Epoch(2),
        index: 300,
        height: 1440,
        pts_nanos: 1 << 40,
        duration_nanos: 40_000_000,
        jpeg_bytes: 400_000,
        origin: Origin::Disk,
    };
    const SOUND: SoundHead =
        SoundHead { stream: StreamId(7), epoch: Epoch(2), pts_nanos: 100_000_000, format: SoundFormat::Pcm };

    #[test]
    fn a_picture_a_part_or_a_sound_in_two_pieces_is_the_same_frame() {
        for length in [0, 1, 250, 251, 70_000] {
            let bytes = vec![0xab; length];
            let picture = encode_server(&ServerMessage::Picture { head: HEAD, jpeg: Blob(bytes.clone()) });
            assert_eq!(encode_picture(HEAD, bytes.clone().into()).concat(), picture, "{length} bytes");
            let PictureHead { stream, epoch, index, .. } = HEAD;
            let part = ServerMessage::PicturePart { stream, epoch, index, bytes: Blob(bytes.clone()) };
            assert_eq!(
                encode_picture_part(&HEAD, bytes.clone().into()).concat(),
                encode_server(&part),
                "{length} bytes"
            );
            let sound = encode_server(&ServerMessage::Sound { head: SOUND, bytes: Blob(bytes.clone()) });
            assert_eq!(encode_sound(SOUND, bytes.into()).concat(), sound, "{length} bytes");
        }
    }

    #[test]
    fn a_picture_arrives_as_it_was_sent() {
        let message = ServerMessage::Picture { head: HEAD, jpeg: Blob(vec![1, 2, 3]) };
        assert_eq!(decode_server(&encode_server(&message)[PREFIX_BYTES..]), Ok(message));
    }

    #[test]
    fn a_welcome_and_a_page_are_recognised_by_their_numbers() {
        let name = Name::parse("ada").expect("a name");
        let (server, library) = (ServerInfo::default(), Library::default());
        let welcome = ServerMessage::Welcome { name, revision: 1, people_count: 18, server, library };
        let page = ServerMessage::People { people: Vec::new() };
        for (message, kinds) in
            [(welcome, (true, false)), (page, (false, true)), (ServerMessage::Ping { number: 2 }, (false, false))]
        {
            let frame = encode_server(&message);
            assert_eq!((is_welcome(&frame[PREFIX_BYTES..]), is_page(&frame[PREFIX_BYTES..])), kinds, "{message:?}");
        }
        assert!(!is_welcome(&[]) && !is_page(&[]));
    }

    #[test]
    fn nothing_may_follow_a_message() {
        let mut frame = encode_client(&ClientMessage::Quit).to_vec();
        frame.push(0);
        assert_eq!(decode_client(&frame[PREFIX_BYTES..]), Err(DecodeError::TrailingBytes(1)));
    }

    #[test]
    fn numbers_have_one_form() {
        let short = encode_client(&ClientMessage::Pong { number: 5 });
        assert_eq!(short[PREFIX_BYTES..], [7, 5]);
        assert_eq!(decode_client(&[7, 251, 5, 0]), Err(DecodeError::NotCanonical));
    }

    #[test]
    fn a_huge_promised_length_is_refused_without_reserving_it() {
        // Say, with an envelope of 2^63 bytes.
        let frame = [2, 253, 0, 0, 0, 0, 0, 0, 0, 0x80];
        assert_eq!(decode_client(&frame), Err(DecodeError::Malformed("a length in it exceeds the limit")));
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_by_its_announced_length() {
        // People, LibraryChanged, and a StreamStarted of video 0; then the length, and no element.
        let announced = |start: &[u8], length: u16| [start, &[251], &length.to_le_bytes()].concat();
        for (frame, reason) in [
            (announced(&[18], 4001), "it lists more than 4000 people"),
            (announced(&[7], 2001), "it lists more than 2000 videos"),
            (announced(&[21], 1001), "it says of more than 1000 people what they watch"),
            (vec![2, 1, b'a', 1, 1, 0, 17], "it lists more than 16 addresses of the server"),
            (vec![8, 1, 0, 0, 9, 9, 65], "it lists more than 64 segments of a stream"),
            (vec![7, 1, 1, 1, 0, 9, 0, 0, 65], "it lists more than 64 resolutions of a video"),
        ] {
            assert_eq!(decode_server(&frame), Err(DecodeError::LongList(reason)));
        }
        let most = announced(&[18], 4000);
        assert_eq!(decode_server(&most), Err(DecodeError::Malformed("it ends too early")), "4000 are not too many");
    }

    #[test]
    fn a_message_may_fill_its_frame_to_the_last_byte() {
        let hello = |length: usize| {
            let software = "x".repeat(length);
            let hello = ClientMessage::Hello { magic: *b"TRIPTYCH", protocol_version: 1, software, nonce: [0; 32] };
            encode_client(&hello)[PREFIX_BYTES..].to_vec()
        };
        let overhead = hello(1000).len() - 1000;
        let longest = hello(MAX_GREETING_BYTES - overhead);
        assert_eq!(longest.len(), MAX_GREETING_BYTES);
        assert!(decode_greeting(&longest).is_ok());
    }

    proptest! {
        #[test]
        fn noise_is_refused_or_canonical(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = decode_client(&noise) {
                prop_assert_eq!(&encode_client(&message)[PREFIX_BYTES..], &noise[..]);
            }
            if let Ok(message) = decode_server(&noise) {
                prop_assert_eq!(&encode_server(&message)[PREFIX_BYTES..], &noise[..]);
            }
        }
    }
}
