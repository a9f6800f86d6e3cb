//! The send queue of one client, in two lanes.
//!
//! The control lane holds control messages and chat: bounded and never dropped; a client that lets it overflow is
//! disconnected. The picture lane holds a few pictures and sound chunks, as the viewer's credit allows. Control goes first,
//! so a message waits behind at most the one picture that is already being written.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Most messages that may wait in the control lane.
const MAX_CONTROL_MESSAGES: usize = 4_096;
/// Most bytes that may wait in the control lane.
const MAX_CONTROL_BYTES: usize = 16 * 1024 * 1024;
/// Up to this much in the control lane, messages that can wait are added ([`Outbox::push_when_calm`]).
const CALM_BYTES: usize = 64 * 1024;
/// Most pictures and sound chunks that wait while one is being written.
const PICTURE_LANE_LENGTH: usize = 2;

/// Handle of one client's outbox. Cheap to clone; all clones are the same outbox.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lanes: Mutex<Lanes>,
    /// There is a frame to take, or the outbox was closed.
    filled: Notify,
    /// The picture lane has room, or the outbox was closed.
    emptied: Notify,
    /// At most [`CALM_BYTES`] wait in the control lane, or the outbox was closed.
    calmed: Notify,
}

#[derive(Default)]
struct Lanes {
    control: VecDeque<Bytes>,
    control_bytes: usize,
    pictures: VecDeque<Frame>,
    closed: Option<CloseReason>,
}

/// One frame in up to two pieces. The second, the bytes of a picture, is shared with other viewers and not copied.
pub type Frame = [Bytes; 2];

/// Why the outbox accepts no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The session ended; the frames that wait in the control lane are still written.
    Finished,
    /// The control lane overflowed because the client reads too slowly.
    TooSlow,
}

impl Outbox {
    /// Adds a message to the control lane.
    pub fn push_control(&self, frame: Bytes) {
        let mut lanes = self.lanes();
        if lanes.closed.is_some() {
            return;
        }
        lanes.control_bytes += frame.len();
        lanes.control.push_back(frame);
        if lanes.control.len() > MAX_CONTROL_MESSAGES || lanes.control_bytes > MAX_CONTROL_BYTES {
            self.close_locked(&mut lanes, CloseReason::TooSlow);
        }
        drop(lanes);
        self.0.filled.notify_one();
    }

    /// Adds a message to the control lane once at most [`CALM_BYTES`] wait there, so that a client that asks for much is not
    /// disconnected for not reading it at once. One caller at a time.
    pub async fn push_when_calm(&self, frame: Bytes) {
        loop {
            {
                let lanes = self.lanes();
                if lanes.closed.is_some() || lanes.control_bytes <= CALM_BYTES {
                    break;
                }
            }
            self.0.calmed.notified().await;
        }
        self.push_control(frame);
    }

    /// Waits until the picture lane has room, then adds a frame. Returns `false` when the outbox is closed.
    pub async fn push_picture(&self, frame: Frame) -> bool {
        loop {
            {
                let mut lanes = self.lanes();
                if lanes.closed.is_some() {
                    return false;
                }
                if lanes.pictures.len() < PICTURE_LANE_LENGTH {
                    lanes.pictures.push_back(frame);
                    drop(lanes);
                    self.0.filled.notify_one();
                    return true;
                }
            }
            self.0.emptied.notified().await;
        }
    }

    /// Discards all frames that wait in the picture lane. Returns whether there were any.
    pub fn clear_pictures(&self) -> bool {
        let waiting = std::mem::take(&mut self.lanes().pictures);
        self.0.emptied.notify_one();
        !waiting.is_empty()
    }

    /// Closes the outbox: no more frames are added. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        self.close_locked(&mut self.lanes(), reason);
    }

    /// The reason why the outbox is closed; `None` while it is open.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lanes().closed.clone()
    }

    /// Waits for the next frame to write. `None` when the outbox is closed and its control lane is empty. One caller only.
    pub async fn next(&self) -> Option<Frame> {
        loop {
            {
                let mut lanes = self.lanes();
                if let Some(frame) = lanes.control.pop_front() {
                    lanes.control_bytes -= frame.len();
                    if lanes.control_bytes <= CALM_BYTES {
                        self.0.calmed.notify_one();
                    }
                    return Some([frame, Bytes::new()]);
                }
                if lanes.closed.is_some() {
                    return None;
                }
                if let Some(frame) = lanes.pictures.pop_front() {
                    drop(lanes);
                    self.0.emptied.notify_one();
                    return Some(frame);
                }
            }
            self.0.filled.notified().await;
        }
    }

    fn close_locked(&self, lanes: &mut Lanes, reason: CloseReason) {
        if lanes.closed.is_none() {
            lanes.pictures.clear();
            if reason == CloseReason::TooSlow {
                lanes.control.clear();
            }
            lanes.closed = Some(reason);
        }
        self.0.filled.notify_one();
        self.0.emptied.notify_one();
        self.0.calmed.notify_one();
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // Poisoning is ignored: every critical section leaves the lanes consistent.
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u8) -> Frame {
        [Bytes::copy_from_slice(&[number]), Bytes::from_static(b"jpeg")]
    }

    async fn take(outbox: &Outbox) -> u8 {
        outbox.next().await.unwrap()[0][0]
    }

    #[tokio::test]
    async fn control_overtakes_pictures_and_both_keep_their_order() {
        let outbox = Outbox::default();
        outbox.push_picture(picture(1)).await;
        outbox.push_picture(picture(2)).await;
        outbox.push_control(Bytes::from_static(&[10]));
        outbox.push_control(Bytes::from_static(&[11]));
        let order = [take(&outbox).await, take(&outbox).await, take(&outbox).await, take(&outbox).await];
        assert_eq!(order, [10, 11, 1, 2]);
    }

    #[tokio::test]
    async fn the_picture_lane_makes_its_filler_wait() {
        let outbox = Outbox::default();
        outbox.push_picture(picture(1)).await;
        outbox.push_picture(picture(2)).await;
        let third = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.push_picture(picture(3)).await }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        assert_eq!(take(&outbox).await, 1);
        assert!(third.await.unwrap());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_disconnected() {
        let outbox = Outbox::default();
        for _ in 0..=MAX_CONTROL_MESSAGES {
            outbox.push_control(Bytes::from_static(b"x"));
        }
        assert_eq!(outbox.close_reason(), Some(CloseReason::TooSlow));
        assert!(outbox.next().await.is_none());
    }

    #[tokio::test]
    async fn what_can_wait_is_taken_in_as_it_is_read() {
        let outbox = Outbox::default();
        let half = Bytes::from(vec![0; CALM_BYTES / 2 + 1]);
        let filler = tokio::spawn({
            let outbox = outbox.clone();
            async move {
                for _ in 0..100 {
                    outbox.push_when_calm(half.clone()).await;
                }
            }
        });
        for _ in 0..100 {
            outbox.next().await.unwrap();
            assert!(outbox.lanes().control_bytes <= 2 * CALM_BYTES);
        }
        filler.await.unwrap();
    }

    #[tokio::test]
    async fn closing_still_writes_the_control_lane_but_no_more_pictures() {
        let outbox = Outbox::default();
        outbox.push_picture(picture(1)).await;
        outbox.push_control(Bytes::from_static(&[10]));
        outbox.close(CloseReason::Finished);
        outbox.push_control(Bytes::from_static(&[11]));
        assert!(!outbox.push_picture(picture(2)).await);
        assert_eq!(take(&outbox).await, 10);
        assert!(outbox.next().await.is_none());
    }
}
