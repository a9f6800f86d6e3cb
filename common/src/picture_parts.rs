//! Pictures in parts: a picture is sent as several messages of at most [`MAX_PART_BYTES`], so that other messages wait for
//! no more than one part of it. The server takes pictures apart, a client joins the parts.

use bytes::Bytes;

use crate::{
    codec::{encode_picture, encode_picture_part},
    limits::{MAX_PART_BYTES, MAX_PICTURE_BYTES},
    media::{Epoch, PictureHead, StreamId},
    message::{Blob, ServerMessage},
    validate::Breach,
};

/// The size of the parts that this splits into: with the head before it, a part fills two TLS records of 16 KiB.
const PART_BYTES: usize = MAX_PART_BYTES - 64;

/// The frames of one picture: `Picture`, then its `PicturePart`s. Each is in two pieces, of which the second is a slice of the
/// JPEG, so that nothing is copied.
#[derive(Debug, Clone)]
pub struct PictureFrames {
    head: PictureHead,
    /// What no frame was made of yet.
    rest: Bytes,
    is_begun: bool,
}

impl PictureFrames {
    /// The frames of `jpeg`. [`PictureHead::jpeg_bytes`] is set here.
    pub fn new(head: PictureHead, jpeg: Bytes) -> Self {
        let jpeg_bytes = u32::try_from(jpeg.len()).expect("pictures are far below 4 GiB");
        Self { head: PictureHead { jpeg_bytes, ..head }, rest: jpeg, is_begun: false }
    }

    /// Whether all frames were made.
    pub fn is_finished(&self) -> bool {
        self.is_begun && self.rest.is_empty()
    }
}

impl Iterator for PictureFrames {
    type Item = [Bytes; 2];

    fn next(&mut self) -> Option<[Bytes; 2]> {
        if self.is_finished() {
            return None;
        }
        let part = self.rest.split_to(self.rest.len().min(PART_BYTES));
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        Some(if is_first { encode_picture(self.head, part) } else { encode_picture_part(&self.head, part) })
    }
}

/// Joins the parts of pictures as they arrive. Holds at most one picture.
#[derive(Debug, Default)]
pub struct PictureJoiner {
    /// A picture of which parts are missing.
    under_way: Option<(PictureHead, Vec<u8>)>,
}

impl PictureJoiner {
    /// Takes the next message of a server. Returns `Picture` with all its bytes once its last part has come, `None` for the
    /// other parts, and every other message as it is.
    ///
    /// Parts that do not continue the picture under way belong to an epoch that has ended, and are dropped.
    ///
    /// # Errors
    /// [`Breach`] when the parts of a picture are longer than announced, when that is more than [`MAX_PICTURE_BYTES`], or when
    /// another item of its epoch comes before the last one.
    pub fn take(&mut self, message: ServerMessage) -> Result<Option<ServerMessage>, Breach> {
        match message {
            ServerMessage::Picture { head, jpeg } => {
                self.uninterrupted(head.stream, head.epoch, "Picture")?;
                let announced = head.jpeg_bytes as usize;
                if announced > MAX_PICTURE_BYTES {
                    return Err(Breach::BadPictureBytes(announced));
                }
                if jpeg.0.len() == announced {
                    return Ok(Some(ServerMessage::Picture { head, jpeg }));
                }
                let joined = Vec::with_capacity(announced);
                self.continued(head, joined, &jpeg.0)
            }
            ServerMessage::PicturePart { stream, epoch, index, bytes } => {
                let is_next =
                    |(head, _): &mut (PictureHead, _)| (head.stream, head.epoch, head.index) == (stream, epoch, index);
                match self.under_way.take_if(is_next) {
                    Some((head, joined)) => self.continued(head, joined, &bytes.0),
                    None => Ok(None),
                }
            }
            ServerMessage::Sound { head, bytes } => {
                self.uninterrupted(head.stream, head.epoch, "Sound")?;
                Ok(Some(ServerMessage::Sound { head, bytes }))
            }
            other => {
                if matches!(other, ServerMessage::StreamStarted(_) | ServerMessage::StreamEnded { .. }) {
                    self.under_way = None;
                }
                Ok(Some(other))
            }
        }
    }

    /// The memory that the picture under way takes.
    pub fn held_bytes(&self) -> usize {
        self.under_way.as_ref().map_or(0, |(_, joined)| joined.capacity())
    }

    /// Ends what is under way, which an item of this epoch must not interrupt.
    fn uninterrupted(&mut self, stream: StreamId, epoch: Epoch, by: &'static str) -> Result<(), Breach> {
        match self.under_way.take() {
            Some((head, _)) if (head.stream, head.epoch) == (stream, epoch) => Err(Breach::InterruptedPicture(by)),
            _ => Ok(()),
        }
    }

    fn continued(
        &mut self,
        head: PictureHead,
        mut joined: Vec<u8>,
        part: &[u8],
    ) -> Result<Option<ServerMessage>, Breach> {
        let announced = head.jpeg_bytes as usize;
        if joined.len() + part.len() > announced {
            return Err(Breach::SurplusPictureBytes(head.jpeg_bytes));
        }
        joined.extend_from_slice(part);
        if joined.len() == announced {
            return Ok(Some(ServerMessage::Picture { head, jpeg: Blob(joined) }));
        }
        self.under_way = Some((head, joined));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        codec::{PREFIX_BYTES, decode_server},
        media::{Origin, SoundFormat, SoundHead},
        message::EndReason,
        validate,
    };

    fn head(index: u32, epoch: u32) -> PictureHead {
        PictureHead {
            stream: StreamId(1),
            epoch: Epoch(epoch),
            index,
            height: 1440,
            pts_nanos: 5,
            duration_nanos: 40,
            jpeg_bytes: 0,
            origin: Origin::Decoder,
        }
    }

    /// The messages that a picture is sent as.
    fn messages(head: PictureHead, jpeg: &[u8]) -> Vec<ServerMessage> {
        let frames = PictureFrames::new(head, Bytes::copy_from_slice(jpeg));
        frames.map(|frame| decode_server(&frame.concat()[PREFIX_BYTES..]).unwrap()).collect()
    }

    fn sound(epoch: u32) -> ServerMessage {
        let head = SoundHead { stream: StreamId(1), epoch: Epoch(epoch), pts_nanos: 0, format: SoundFormat::default() };
        ServerMessage::Sound { head, bytes: Blob(vec![0; 4]) }
    }

    fn jpeg(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn a_small_picture_is_one_message_and_a_large_one_several_of_which_none_is_too_long() {
        for (bytes, count) in [(1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2), (416_000, 13)] {
            let frames: Vec<_> = PictureFrames::new(head(3, 0), jpeg(bytes).into()).collect();
            assert_eq!(frames.len(), count, "{bytes} bytes");
            assert!(frames.iter().all(|frame| frame.concat().len() <= MAX_PART_BYTES), "two TLS records");
            for message in messages(head(3, 0), &jpeg(bytes)) {
                assert_eq!(validate::server_message(message.clone()), Ok(message));
            }
        }
    }

    #[test]
    fn control_messages_may_come_between_the_parts_and_other_items_may_not() {
        let parts = messages(head(3, 0), &jpeg(100_000));
        let mut joiner = PictureJoiner::default();
        assert_eq!(joiner.take(parts[0].clone()), Ok(None));
        let goodbye = ServerMessage::Goodbye { reason: "bye".to_owned() };
        assert_eq!(joiner.take(goodbye.clone()), Ok(Some(goodbye)));
        assert!(joiner.held_bytes() >= 100_000);
        for part in &parts[1..3] {
            assert_eq!(joiner.take(part.clone()), Ok(None));
        }
        let Ok(Some(ServerMessage::Picture { jpeg: joined, .. })) = joiner.take(parts[3].clone()) else {
            panic!("the picture is complete")
        };
        assert!(joined.0 == jpeg(100_000));
        assert_eq!(joiner.held_bytes(), 0);

        for (item, name) in [(sound(0), "Sound"), (parts[0].clone(), "Picture")] {
            let mut joiner = PictureJoiner::default();
            joiner.take(parts[0].clone()).unwrap();
            assert_eq!(joiner.take(item), Err(Breach::InterruptedPicture(name)));
        }
    }

    #[test]
    fn a_new_epoch_abandons_the_picture_under_way_and_its_parts() {
        let (old, new) = (messages(head(3, 0), &jpeg(100_000)), messages(head(9, 1), &jpeg(40_000)));
        let mut joiner = PictureJoiner::default();
        joiner.take(old[0].clone()).unwrap();
        assert_eq!(joiner.take(sound(1)), Ok(Some(sound(1))));
        assert_eq!(joiner.take(old[1].clone()), Ok(None));
        assert_eq!(joiner.take(new[0].clone()), Ok(None));
        assert_eq!(joiner.take(old[2].clone()), Ok(None), "it does not continue the picture under way");
        assert!(matches!(joiner.take(new[1].clone()), Ok(Some(ServerMessage::Picture { .. }))));

        let ended = ServerMessage::StreamEnded { stream: StreamId(1), epoch: Epoch(0), reason: EndReason::Stopped };
        joiner.take(old[0].clone()).unwrap();
        joiner.take(ended).unwrap();
        assert_eq!(joiner.held_bytes(), 0);
    }

    #[test]
    fn more_bytes_than_announced_are_refused_before_they_are_kept() {
        let mut parts = messages(head(3, 0), &jpeg(40_000));
        let mut joiner = PictureJoiner::default();
        joiner.take(parts[0].clone()).unwrap();
        if let ServerMessage::PicturePart { bytes, .. } = &mut parts[1] {
            bytes.0.push(0);
        }
        assert_eq!(joiner.take(parts[1].clone()), Err(Breach::SurplusPictureBytes(40_000)));
        let announcing = |jpeg_bytes| ServerMessage::Picture {
            head: PictureHead { jpeg_bytes, ..head(0, 0) },
            jpeg: Blob(vec![1, 2, 3]),
        };
        assert_eq!(joiner.take(announcing(2)), Err(Breach::SurplusPictureBytes(2)));
        assert_eq!(joiner.take(announcing(u32::MAX)), Err(Breach::BadPictureBytes(u32::MAX as usize)));
        assert_eq!(joiner.held_bytes(), 0);
    }

    proptest! {
        #[test]
        fn joined_parts_are_the_picture(sizes in prop::collection::vec(1usize..150_000, 1..5)) {
            let mut joiner = PictureJoiner::default();
            for (index, &size) in (0..).zip(&sizes) {
                let mut arrived = Vec::new();
                for message in messages(head(index, 0), &jpeg(size)) {
                    arrived.extend(joiner.take(message).unwrap());
                }
                let head = PictureHead { jpeg_bytes: size as u32, ..head(index, 0) };
                prop_assert_eq!(arrived, [ServerMessage::Picture { head, jpeg: Blob(jpeg(size)) }]);
            }
        }
    }
}
