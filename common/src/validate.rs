//! What a client demands of a server's messages beyond their encoding: the limits of [`crate::limits`] that bind the
//! server, and that the parts of a message agree with each other. `docs/PROTOCOL.md`, section 11, lists them.
//!
//! A client calls [`server_message`] on every message before anything else sees it. What a program works with is refused;
//! what a person reads is cleaned, because a sentence that is too long is no reason to lose a connection.

use std::{collections::HashSet, ops::RangeInclusive};

use crate::{
    codec::DecodeError,
    crypto::EnvelopeError,
    limits::{
        MAX_CLIENT_FRAME_BYTES, MAX_NOTICE_CHARS, MAX_PART_BYTES, MAX_PEOPLE, MAX_PICTURE_BYTES, MAX_PICTURE_SIDE,
        MAX_PICTURE_STEP, MAX_PREVIEW_BYTES, MAX_PREVIEWS, MAX_SOUND_BYTES, MAX_THUMBNAIL_BYTES, SOUND_FRAME_BYTES,
    },
    media::{Library, PictureHead, SoundFormat, StreamStart, VariantInfo},
    message::{EndReason, ServerMessage},
    name::Name,
    opus_sound::OpusSound,
};

/// What a server's message breaks, as a clause about the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// The bytes are not a message.
    #[error("{0}")]
    Undecodable(#[from] DecodeError),
    /// Two people have this name, or names that look the same.
    #[error("it lists two people whose names look the same, \"{0}\" and \"{1}\"")]
    RepeatedName(Name, Name),
    /// The same key is listed under both names.
    #[error("it lists the same key under the names \"{0}\" and \"{1}\"")]
    RepeatedKey(Name, Name),
    /// Two videos have the same id.
    #[error("it lists two videos with the same number")]
    RepeatedVideo,
    /// A video has no variants, or their heights, or those of its unreadable files, do not ascend.
    #[error("it lists a video without resolutions, or with resolutions in no ascending order")]
    UnorderedVariants,
    /// A variant announces pictures of this width and height.
    #[error("it announces pictures of {0}x{1} pixels; each side has 1 to {MAX_PICTURE_SIDE}")]
    BadPictureSides(u32, u32),
    /// The segments of a stream are not consecutive, do not ascend, or do not make up its pictures.
    #[error("the segments of a stream do not fit together")]
    BadSegments,
    /// A stream of which one in this number of pictures is sent.
    #[error("it delivers one of {0} pictures; it may be one of 1 to {MAX_PICTURE_STEP}")]
    BadPictureStep(u8),
    /// A JPEG of this size, or an empty one, as a picture of a stream.
    #[error("it carries a picture of {0} bytes; a picture has 1 to {MAX_PICTURE_BYTES}")]
    BadPictureBytes(usize),
    /// A part of a picture of this size, or an empty one.
    #[error("it carries {0} bytes of a picture; a part of one has 1 to {MAX_PART_BYTES}")]
    BadPartBytes(usize),
    /// The parts of a picture together are longer than its head says: this number of bytes.
    #[error("it carries more bytes of a picture than the {0} that it has announced")]
    SurplusPictureBytes(u32),
    /// Another item of the same epoch comes before the last part of a picture.
    #[error("a picture is interrupted by {0}")]
    InterruptedPicture(&'static str),
    /// A thumbnail of this size.
    #[error("it carries a thumbnail of {0} bytes; the limit is {MAX_THUMBNAIL_BYTES}")]
    LongThumbnail(usize),
    /// More previews of a video than there may be.
    #[error("it announces {0} previews of a video; the limit is {MAX_PREVIEWS}")]
    TooManyPreviews(u32),
    /// A preview of this size, or an empty one.
    #[error("it carries a preview of {0} bytes; a preview has 1 to {MAX_PREVIEW_BYTES}")]
    BadPreviewBytes(usize),
    /// A sound chunk of this size.
    #[error("it carries {0} bytes of sound; the limit is {MAX_SOUND_BYTES}, in samples of {SOUND_FRAME_BYTES}")]
    BadSoundBytes(usize),
    /// A sound chunk in Opus of this size that is not made of packets, or breaks a limit.
    #[error("it carries {0} bytes of sound that are not packets of Opus within their limits")]
    BadOpusSound(usize),
    /// An envelope of this size, longer than any that a client could have sent.
    #[error("it carries an envelope of {0} bytes; the limit is {MAX_CLIENT_FRAME_BYTES}")]
    LongEnvelope(usize),
    /// Bytes that are not an envelope, which the server must not relay.
    #[error("it carries an envelope that is not one: {0}")]
    BadEnvelope(#[from] EnvelopeError),
    /// A frame longer than the limit that applies, in bytes.
    #[error("its frame is longer than {0} bytes")]
    LongFrame(usize),
    /// `Welcome` is for another name than the one that was asked for.
    #[error("it welcomes \"{0}\" instead of \"{1}\"")]
    OtherName(Name, Name),
    /// The dictionary lacks the client's own name with its own key.
    #[error("its list of people lacks this client")]
    OwnEntryMissing,
    /// More than [`MAX_PEOPLE`] people are announced, or one more joins.
    #[error("it lists more than {MAX_PEOPLE} people")]
    TooManyPeople,
    /// A page of the dictionary without people.
    #[error("it carries an empty page of the list of people")]
    EmptyPage,
    /// A page of the dictionary that nothing announced, or with more people than were announced.
    #[error("it carries more people than it has announced")]
    SurplusPeople,
    /// Another message comes between the pages of the dictionary.
    #[error("the list of people is interrupted by {0}")]
    InterruptedPages(&'static str),
    /// The session record of this person belongs to another key.
    #[error("the session key that it lists for \"{0}\" belongs to another key")]
    ForeignSession(Name),
    /// The session record of this person is not later than the one before.
    #[error("it replaces the session key of \"{0}\" by one that is not newer")]
    OldSession(Name),
    /// Someone has a new session key who is not in the dictionary.
    #[error("it lists a new session key for \"{0}\", who is not there")]
    UnknownRenewal(Name),
    /// A person leaves who is not in the dictionary.
    #[error("it says that \"{0}\" has left, who was not there")]
    UnknownDeparture(Name),
}

/// Returns the message with its texts for people cleaned (see [`notice`]).
///
/// Lists need no check of their length here: none longer than its limit is ever decoded.
///
/// # Errors
/// The first [`Breach`] that is found.
pub fn server_message(mut message: ServerMessage) -> Result<ServerMessage, Breach> {
    match &mut message {
        ServerMessage::Welcome { people_count, server, library, .. } => {
            check_people_count(*people_count)?;
            notice(&mut server.name);
            server.addresses.iter_mut().for_each(notice);
            check_library(library)?;
        }
        ServerMessage::Directory { people_count, .. } => check_people_count(*people_count)?,
        ServerMessage::People { people } if people.is_empty() => return Err(Breach::EmptyPage),
        ServerMessage::LibraryChanged { library } => check_library(library)?,
        ServerMessage::StreamStarted(start) => {
            check_segments(start)?;
            if !start.delivery.is_valid() {
                return Err(Breach::BadPictureStep(start.delivery.picture_step));
            }
        }
        ServerMessage::Picture { head, jpeg } => check_picture(head, jpeg.0.len())?,
        ServerMessage::PicturePart { bytes, .. } => check(1..=MAX_PART_BYTES, bytes.0.len(), Breach::BadPartBytes)?,
        ServerMessage::Thumbnail { jpeg, .. } => {
            check(0..=MAX_THUMBNAIL_BYTES, jpeg.0.len(), Breach::LongThumbnail)?;
        }
        ServerMessage::Previews { count, .. } if *count as usize > MAX_PREVIEWS => {
            return Err(Breach::TooManyPreviews(*count));
        }
        ServerMessage::Preview { jpeg, .. } => check(1..=MAX_PREVIEW_BYTES, jpeg.0.len(), Breach::BadPreviewBytes)?,
        ServerMessage::Sound { head, bytes } => check_sound(head.format, &bytes.0)?,
        ServerMessage::Relayed { envelope } | ServerMessage::Handed { envelope } => {
            check(0..=MAX_CLIENT_FRAME_BYTES, envelope.0.len(), Breach::LongEnvelope)?;
        }
        ServerMessage::Refused { message: text, .. }
        | ServerMessage::Goodbye { reason: text }
        | ServerMessage::StreamEnded { reason: EndReason::Failed(text), .. }
        | ServerMessage::Challenge { software: text, .. } => notice(text),
        ServerMessage::StreamEnded { reason: EndReason::Finished | EndReason::Stopped, .. }
        | ServerMessage::Joined { .. }
        | ServerMessage::Left { .. }
        | ServerMessage::Renewed { .. }
        | ServerMessage::People { .. }
        | ServerMessage::Ping { .. }
        | ServerMessage::Echo { .. }
        | ServerMessage::Watching { .. }
        | ServerMessage::Party(_)
        | ServerMessage::PartyOver { .. }
        | ServerMessage::Previews { .. }
        | ServerMessage::Statistics(_) => {}
    }
    Ok(message)
}

/// Cleans a text for people: white space other than plain spaces becomes a space, control characters and those that
/// change the direction of the text around them become U+FFFD, and what exceeds [`MAX_NOTICE_CHARS`] is cut off, marked
/// by an ellipsis.
pub fn notice(text: &mut String) {
    let is_unsafe = |c: char| clean(c) != c;
    // Counting stops at the limit, however long the text is.
    let is_too_long = text.chars().nth(MAX_NOTICE_CHARS).is_some();
    if is_too_long {
        // A new string, so that the memory of the long one is freed.
        *text = text.chars().take(MAX_NOTICE_CHARS - 1).map(clean).chain(['…']).collect();
    } else if text.contains(is_unsafe) {
        *text = text.chars().map(clean).collect();
    }
}

fn clean(c: char) -> char {
    match c {
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        plain => plain,
    }
}

fn check(allowed: RangeInclusive<usize>, size: usize, breach: impl FnOnce(usize) -> Breach) -> Result<(), Breach> {
    if allowed.contains(&size) { Ok(()) } else { Err(breach(size)) }
}

/// A picture, of which the message holds `first_bytes`. Whether the parts make up what the head says is for the
/// [`PictureJoiner`](crate::picture_parts::PictureJoiner), which knows all of them.
fn check_picture(head: &PictureHead, first_bytes: usize) -> Result<(), Breach> {
    check(1..=MAX_PICTURE_BYTES, head.jpeg_bytes as usize, Breach::BadPictureBytes)?;
    check(1..=MAX_PART_BYTES, first_bytes, Breach::BadPartBytes)?;
    if first_bytes > head.jpeg_bytes as usize { Err(Breach::SurplusPictureBytes(head.jpeg_bytes)) } else { Ok(()) }
}

fn check_sound(format: SoundFormat, bytes: &[u8]) -> Result<(), Breach> {
    let is_good = match format {
        SoundFormat::Pcm => bytes.len() <= MAX_SOUND_BYTES && bytes.len().is_multiple_of(SOUND_FRAME_BYTES),
        SoundFormat::Opus if OpusSound::parse(bytes).is_none() => return Err(Breach::BadOpusSound(bytes.len())),
        SoundFormat::Opus => true,
    };
    if is_good { Ok(()) } else { Err(Breach::BadSoundBytes(bytes.len())) }
}

/// That the people agree with each other is checked by the client's dictionary, which knows all pages.
fn check_people_count(people_count: u32) -> Result<(), Breach> {
    if people_count as usize > MAX_PEOPLE { Err(Breach::TooManyPeople) } else { Ok(()) }
}

fn check_library(library: &mut Library) -> Result<(), Breach> {
    let mut ids = HashSet::new();
    for video in &mut library.videos {
        if !ids.insert(video.id) {
            return Err(Breach::RepeatedVideo);
        }
        check_variants(&video.variants)?;
        if !video.unreadable_heights.is_sorted_by(|lower, higher| lower < higher) {
            return Err(Breach::UnorderedVariants);
        }
        notice(&mut video.title);
    }
    Ok(())
}

fn check_variants(variants: &[VariantInfo]) -> Result<(), Breach> {
    if variants.is_empty() || !variants.is_sorted_by(|lower, higher| lower.height < higher.height) {
        return Err(Breach::UnorderedVariants);
    }
    let is_side = |side: u32| (1..=MAX_PICTURE_SIDE).contains(&side);
    let bad = variants.iter().find(|variant| !is_side(variant.picture_width) || !is_side(variant.picture_height));
    bad.map_or(Ok(()), |variant| Err(Breach::BadPictureSides(variant.picture_width, variant.picture_height)))
}

/// The segments begin with the first picture, follow each other without a gap, in ascending height and time, and cover
/// every picture. None is sent from a higher variant than its own.
fn check_segments(start: &StreamStart) -> Result<(), Breach> {
    let mut next_index = 0u32;
    for segment in &start.segments {
        if segment.first_index != next_index || segment.frame_count == 0 || segment.sent_height > segment.height {
            return Err(Breach::BadSegments);
        }
        next_index = segment.first_index.checked_add(segment.frame_count).ok_or(Breach::BadSegments)?;
    }
    let ascends = start
        .segments
        .windows(2)
        .all(|pair| pair[0].height < pair[1].height && pair[0].start_nanos <= pair[1].start_nanos);
    if ascends && next_index == start.frame_count && start.first_index < start.frame_count {
        Ok(())
    } else {
        Err(Breach::BadSegments)
    }
}
