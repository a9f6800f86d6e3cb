//! The numbers that both ends keep. `docs/PROTOCOL.md` lists them for people who write clients in other languages.

use std::time::Duration;

/// Version of the wire protocol; both ends must name the same one.
pub const PROTOCOL_VERSION: u16 = 2;

/// TCP port of a server that was not told otherwise.
pub const DEFAULT_PORT: u16 = 7878;

/// Longest frame that either end sends before `Welcome`, in bytes without the length prefix.
pub const MAX_GREETING_BYTES: usize = 4 * 1024;

/// Longest frame from a client to the server after `Welcome`: an envelope to [`MAX_PEOPLE`] people fits.
pub const MAX_CLIENT_FRAME_BYTES: usize = 256 * 1024;

/// Longest frame from the server to a client after `Welcome`: a picture of [`MAX_PICTURE_BYTES`] or a full directory fits.
pub const MAX_SERVER_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// Longest JPEG that the server sends; a 2560x1440 picture takes about a tenth of it.
pub const MAX_PICTURE_BYTES: usize = MAX_SERVER_FRAME_BYTES - 1024;

/// Longest text of one message, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Most people online at one server, and most recipients of one envelope.
pub const MAX_PEOPLE: usize = 256;

/// Most characters (Unicode scalar values after NFC) in a name.
pub const MAX_NAME_CHARS: usize = 32;

/// Most videos that a server lists, and most skipped files it names.
pub const MAX_LIBRARY_ENTRIES: usize = 2_000;

/// Widest and tallest picture that is decoded, in pixels (8K). Larger ones are refused with their numbers.
pub const MAX_PICTURE_SIDE: u32 = 8_192;

/// Most pictures and sound chunks a viewer may have outstanding: granted and not yet sent.
pub const MAX_CREDIT: u32 = 256;

/// Sound is 16-bit little-endian PCM at this rate …
pub const SOUND_RATE_HZ: u32 = 48_000;

/// … in this many interleaved channels, left first …
pub const SOUND_CHANNELS: u16 = 2;

/// … in chunks no longer than this.
pub const SOUND_CHUNK_NANOS: u64 = 100_000_000;

/// Longest JPEG of a thumbnail.
pub const MAX_THUMBNAIL_BYTES: usize = 64 * 1024;

/// Tallest thumbnail, in pixels.
pub const THUMBNAIL_HEIGHT: u32 = 108;

/// A client must have joined this long after it connected.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(20);

/// The server pings every client this often.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);

/// A client that was silent for this long is gone; together with [`PING_INTERVAL`] that is within ten seconds.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(7);
