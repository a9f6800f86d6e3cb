//! The limits that server and client both keep. `docs/PROTOCOL.md`, section 11, lists them for authors of other
//! clients.

use std::time::Duration;

/// The version of the wire protocol. Server and client must have the same one.
pub const PROTOCOL_VERSION: u16 = 7;

/// The default TCP port of a server.
pub const DEFAULT_PORT: u16 = 7878;

/// The longest frame before `Welcome`, in either direction, without the length prefix.
pub const MAX_GREETING_BYTES: usize = 4 * 1024;

/// The longest frame from a client to the server after `Welcome`, without the length prefix. The longest envelope, a letter of
/// 12 KB, fits.
pub const MAX_CLIENT_FRAME_BYTES: usize = 16 * 1024;

/// The longest frame from the server to a client from `Welcome` on, without the length prefix. A full library fits.
pub const MAX_SERVER_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// The longest `People`, one page of the dictionary, without the length prefix.
pub const MAX_PAGE_BYTES: usize = 64 * 1024;

/// The largest JPEG that the server sends, in parts. A 2560x1440 picture takes about a tenth of it.
pub const MAX_PICTURE_BYTES: usize = MAX_SERVER_FRAME_BYTES - 1024;

/// The largest part that a picture is sent in, so that other messages wait behind no more than this.
pub const MAX_PART_BYTES: usize = 32 * 1024;

/// The largest [`crate::media::Delivery::picture_step`].
pub const MAX_PICTURE_STEP: u8 = 8;

/// The longest text of a chat message, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The largest number of people online at any server.
pub const MAX_PEOPLE: usize = 4_000;

/// The largest number of people online at a server whose flags do not say otherwise.
pub const DEFAULT_MAX_PEOPLE: usize = 2_000;

/// The largest number of characters (Unicode scalar values after NFC) in a name.
pub const MAX_NAME_CHARS: usize = 32;

/// The largest number of videos in a library.
pub const MAX_LIBRARY_ENTRIES: usize = 2_000;

/// The largest number of people of whom one message says what they watch.
pub const MAX_VIEWINGS: usize = 1_000;

/// The largest number of addresses that a server gives for itself.
pub const MAX_ADDRESSES: usize = 16;

/// The largest number of variants of a video, and of segments of a stream.
pub const MAX_VARIANTS: usize = 64;

/// The largest number of characters (Unicode scalar values) in a text from the server that is shown to a person: a
/// title, a file name, the reason of a refusal or an end.
pub const MAX_NOTICE_CHARS: usize = 500;

/// The largest width and height of a picture, in pixels (8K). Larger videos are refused with their dimensions.
pub const MAX_PICTURE_SIDE: u32 = 8_192;

/// The largest credit of a viewer: pictures and sound chunks that were granted and not yet sent.
pub const MAX_CREDIT: u32 = 256;

/// The sample rate of sound, whatever its format is.
pub const SOUND_RATE_HZ: u32 = 48_000;

/// The number of sound channels, interleaved with the left one first.
pub const SOUND_CHANNELS: u16 = 2;

/// The longest sound chunk.
pub const SOUND_CHUNK_NANOS: u64 = 100_000_000;

/// The size of one sample of every sound channel.
pub const SOUND_FRAME_BYTES: usize = 2 * SOUND_CHANNELS as usize;

/// The size of the longest sound chunk in PCM.
pub const MAX_SOUND_BYTES: usize =
    (SOUND_RATE_HZ as u64 * SOUND_CHUNK_NANOS / 1_000_000_000) as usize * SOUND_FRAME_BYTES;

/// The number of audio frames that a packet of Opus holds: 20 ms.
pub const OPUS_PACKET_AUDIO_FRAMES: usize = SOUND_RATE_HZ as usize / 50;

/// The largest packet of Opus (RFC 6716 §3.4: a frame of 1275 bytes, after the byte that describes it).
pub const MAX_OPUS_PACKET_BYTES: usize = 1_276;

/// The number of packets that a decoder is given before the first that is heard, when it begins anew: 80 ms.
pub const OPUS_PREROLL_PACKETS: usize = 4;

/// The largest number of packets in a sound chunk: a tenth of a second, and what goes before it when a decoder begins anew.
pub const MAX_OPUS_PACKETS: usize = OPUS_PREROLL_PACKETS
    + (SOUND_CHUNK_NANOS * SOUND_RATE_HZ as u64 / 1_000_000_000) as usize / OPUS_PACKET_AUDIO_FRAMES;

/// The largest JPEG of a thumbnail.
pub const MAX_THUMBNAIL_BYTES: usize = 64 * 1024;

/// The largest height of a thumbnail, in pixels.
pub const THUMBNAIL_HEIGHT: u32 = 108;

/// The largest width of a thumbnail, in pixels. A video with a wider shape gets a lower one.
pub const THUMBNAIL_WIDTH: u32 = 4 * THUMBNAIL_HEIGHT;

/// The largest number of previews of a video.
pub const MAX_PREVIEWS: usize = 100;

/// The largest JPEG of a preview.
pub const MAX_PREVIEW_BYTES: usize = 8 * 1024;

/// The largest height of a preview, in pixels.
pub const PREVIEW_HEIGHT: u32 = 90;

/// The largest width of a preview, in pixels. A video with a wider shape gets a lower one.
pub const PREVIEW_WIDTH: u32 = 240;

/// A client must connect, TLS included, and say hello within this time, unless the server's flags say otherwise.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// A client must join within this time after `Hello`, unless the server's flags say otherwise.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(20);

/// The interval at which the server pings every client.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);

/// A peer that sends nothing for this time counts as lost. With [`PING_INTERVAL`], a lost client is noticed within ten
/// seconds.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(7);
