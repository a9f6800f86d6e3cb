//! The send queue of one client, in two lanes.
//!
//! The control lane holds control messages and chat: they are never dropped, and no number of them disconnects a client.
//! How much all control lanes together may hold is decided by the hub, which makes senders wait and cuts off clients that
//! do not read; see [`Outbox::backlog`]. The picture lane holds a few pictures and sound chunks, as the viewer's credit
//! allows. Control goes first, so a message waits behind at most the one picture that is already being written; and a ping
//! goes before everything else, so that a client on a slow link can show that it is alive.

mod memory;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use self::memory::Charge;
pub use self::memory::{ControlFrame, SendMemory, SharedBytes};

/// Up to this much in the control lane, the client's own requests are served ([`Outbox::calm`]).
const CALM_BYTES: usize = 64 * 1024;
/// The same as a number of messages.
const CALM_MESSAGES: usize = 256;
/// Most pictures and sound chunks that wait while one is being written.
const PICTURE_LANE_LENGTH: usize = 2;
/// Up to this much of the control lane is handed to the writer at a time, to be written in one go.
const BATCH_BYTES: usize = 32 * 1024;
/// What a place in the control lane costs besides the frame in it.
const PLACE_BYTES: u64 = size_of::<Queued>() as u64;

/// Handle of one client's outbox. Cheap to clone; all clones are the same outbox.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    memory: SendMemory,
    lanes: Mutex<Lanes>,
    /// There is a frame to take, or the outbox was closed.
    filled: Notify,
    /// The picture lane has room, or the outbox was closed.
    emptied: Notify,
    /// Little waits in the control lane, or the outbox was closed.
    calmed: Notify,
    /// The client was cut off: not even what is being written is finished.
    is_cut_off: CancellationToken,
}

#[derive(Default)]
struct Lanes {
    opening: Opening,
    /// The newest ping that was not handed out yet.
    ping: Option<Bytes>,
    control: VecDeque<Queued>,
    control_bytes: usize,
    pictures: VecDeque<Frame>,
    /// What was handed to the writer last, and is counted until it asks for more.
    being_written: Vec<Queued>,
    closed: Option<CloseReason>,
}

/// Whether the first message was handed out that everything else has to follow.
#[derive(Default, PartialEq, Eq)]
enum Opening {
    /// It was, or there is none.
    #[default]
    Done,
    /// It is to be added behind this number of older ones; nothing is handed out.
    Corked(usize),
    /// It waits in the control lane.
    Waiting,
}

/// A frame in the control lane.
struct Queued {
    frame: ControlFrame,
    since: Instant,
    is_opening: bool,
    _place: Charge,
}

/// One frame in up to two pieces. The second, the bytes of a picture, is shared with other viewers and not copied.
pub type Frame = [Bytes; 2];

/// Why the outbox accepts no more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The session ended; the frames that wait in the control lane are still written.
    Finished,
    /// The client was cut off because it does not read and the memory for unsent messages is short.
    CutOff {
        /// Bytes of the messages that waited for it.
        waiting_bytes: u64,
        /// How long the oldest of them had waited.
        waited: Duration,
    },
}

/// What waits in a control lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Bytes that are not written yet. Those that wait in other lanes too are counted in each.
    pub bytes: u64,
    /// Since when the oldest message has waited.
    pub since: Instant,
}

impl Outbox {
    /// An outbox whose control lane counts in `memory`.
    pub fn new(memory: &SendMemory) -> Self {
        Self(Arc::new(Shared { memory: memory.clone(), ..Shared::default() }))
    }

    /// Adds a message to the control lane.
    pub fn push_control(&self, frame: Bytes) {
        self.push_shared(ControlFrame::new(&self.0.memory, frame));
    }

    /// Adds a message to the control lane that other outboxes hold too.
    pub fn push_shared(&self, frame: ControlFrame) {
        self.push(vec![frame], false);
    }

    /// Adds messages that follow each other, with nothing but pings between them. Returns their size.
    pub fn push_series(&self, frames: &[ControlFrame]) -> usize {
        let bytes = frames.iter().map(ControlFrame::len).sum();
        self.push(frames.to_vec(), false);
        bytes
    }

    /// From here on nothing is handed out until [`Self::push_opening`].
    pub fn cork(&self) {
        let mut lanes = self.lanes();
        lanes.opening = Opening::Corked(lanes.control.len());
    }

    /// Adds messages that follow each other before all that were added since [`Self::cork`], and lets them and those go out.
    /// Pings go out behind the first of them.
    pub fn push_opening(&self, frames: Vec<ControlFrame>) {
        self.push(frames, true);
    }

    fn push(&self, frames: Vec<ControlFrame>, is_opening: bool) {
        let since = Instant::now();
        let queued = |(number, frame): (usize, ControlFrame)| {
            let place = self.0.memory.charge(PLACE_BYTES);
            Queued { since, is_opening: is_opening && number == 0, _place: place, frame }
        };
        let series: Vec<_> = frames.into_iter().enumerate().map(queued).collect();
        let mut lanes = self.lanes();
        if lanes.closed.is_some() {
            return;
        }
        lanes.control_bytes += series.iter().map(|queued| queued.frame.len()).sum::<usize>();
        if let Opening::Corked(older) = lanes.opening
            && is_opening
        {
            lanes.opening = Opening::Waiting;
            let newer = lanes.control.split_off(older);
            lanes.control.extend(series.into_iter().chain(newer));
        } else {
            lanes.control.extend(series);
        }
        drop(lanes);
        self.0.filled.notify_one();
    }

    /// Sends a ping before everything else that waits. One that was not sent yet is replaced.
    pub fn push_ping(&self, frame: Bytes) {
        let mut lanes = self.lanes();
        if lanes.closed.is_none() {
            lanes.ping = Some(frame);
        }
        drop(lanes);
        self.0.filled.notify_one();
    }

    /// Waits until at most [`CALM_BYTES`] and [`CALM_MESSAGES`] wait in the control lane, so that a client that asks for
    /// much and does not read the answers is not sent more of them.
    pub async fn calm(&self) {
        loop {
            let calmed = self.0.calmed.notified();
            {
                let lanes = self.lanes();
                if lanes.closed.is_some() || lanes.is_calm() {
                    return;
                }
            }
            calmed.await;
        }
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
        let mut lanes = self.lanes();
        if lanes.closed.is_none() {
            lanes.pictures.clear();
            if let CloseReason::CutOff { .. } = reason {
                (lanes.ping, lanes.control_bytes) = (None, 0);
                lanes.control.clear();
                lanes.being_written.clear();
                self.0.is_cut_off.cancel();
            }
            lanes.closed = Some(reason);
        }
        drop(lanes);
        self.0.filled.notify_one();
        self.0.emptied.notify_one();
        self.0.calmed.notify_waiters();
    }

    /// The reason why the outbox is closed; `None` while it is open.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lanes().closed
    }

    /// Returns when the client is cut off.
    pub async fn cut_off(&self) {
        self.0.is_cut_off.cancelled().await;
    }

    /// What waits in the control lane or is being written of it; `None` if nothing does.
    pub fn backlog(&self) -> Option<Backlog> {
        let lanes = self.lanes();
        let oldest = lanes.being_written.first().or_else(|| lanes.control.front())?;
        let written_bytes: usize = lanes.being_written.iter().map(|queued| queued.frame.len()).sum();
        let places = lanes.being_written.len() + lanes.control.len();
        let bytes = (written_bytes + lanes.control_bytes) as u64 + places as u64 * PLACE_BYTES;
        Some(Backlog { bytes, since: oldest.since })
    }

    /// Waits for what is to be written next: a ping, some control messages, or a picture. `None` when the outbox is closed
    /// and its control lane is empty. One caller only, which has written the frames of the call before.
    pub async fn next(&self) -> Option<Vec<Bytes>> {
        loop {
            {
                let mut lanes = self.lanes();
                lanes.being_written.clear();
                let is_open = lanes.opening == Opening::Done;
                if let Some(ping) = lanes.ping.take_if(|_| is_open) {
                    return Some(vec![ping]);
                }
                let batch = lanes.take_batch();
                if !batch.is_empty() {
                    if lanes.is_calm() {
                        self.0.calmed.notify_waiters();
                    }
                    return Some(batch);
                }
                if lanes.closed.is_some() {
                    return None;
                }
                if let Some(frame) = lanes.pictures.pop_front() {
                    drop(lanes);
                    self.0.emptied.notify_one();
                    return Some(frame.into());
                }
            }
            self.0.filled.notified().await;
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // Poisoning is ignored: every critical section leaves the lanes consistent.
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn is_calm(&self) -> bool {
        self.control_bytes <= CALM_BYTES && self.control.len() <= CALM_MESSAGES
    }

    /// The pieces of the next control messages: at least one message if any waits, and as many as fit into
    /// [`BATCH_BYTES`].
    fn take_batch(&mut self) -> Vec<Bytes> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        if matches!(self.opening, Opening::Corked(_)) {
            return pieces;
        }
        while let Some(queued) =
            self.control.pop_front_if(|queued| bytes == 0 || bytes + queued.frame.len() <= BATCH_BYTES)
        {
            bytes += queued.frame.len();
            if queued.is_opening {
                self.opening = Opening::Done;
            }
            pieces.extend(queued.frame.pieces());
            self.being_written.push(queued);
        }
        self.control_bytes -= bytes;
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u8) -> Frame {
        [Bytes::copy_from_slice(&[number]), Bytes::from_static(b"jpeg")]
    }

    /// The first byte of each control message, or of the picture.
    async fn take(outbox: &Outbox) -> Vec<u8> {
        let pieces = outbox.next().await.unwrap();
        pieces.iter().filter(|piece| piece.len() == 1).map(|piece| piece[0]).collect()
    }

    #[tokio::test]
    async fn control_overtakes_pictures_and_both_keep_their_order() {
        let outbox = Outbox::default();
        outbox.push_picture(picture(1)).await;
        outbox.push_picture(picture(2)).await;
        outbox.push_control(Bytes::from_static(&[10]));
        outbox.push_control(Bytes::from_static(&[11]));
        outbox.push_ping(Bytes::from_static(&[20]));
        outbox.push_ping(Bytes::from_static(&[21]));
        let order = [take(&outbox).await, take(&outbox).await, take(&outbox).await, take(&outbox).await];
        assert_eq!(order, [vec![21], vec![10, 11], vec![1], vec![2]]);
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
        assert_eq!(take(&outbox).await, [1]);
        assert!(third.await.unwrap());
    }

    #[tokio::test]
    async fn what_waits_counts_until_it_is_written() {
        let memory = SendMemory::default();
        let outbox = Outbox::new(&memory);
        assert_eq!(outbox.backlog(), None);
        for _ in 0..10_000 {
            outbox.push_control(Bytes::from_static(b"x"));
        }
        assert_eq!(outbox.close_reason(), None, "no number of messages closes it");
        let backlog = outbox.backlog().unwrap();
        assert_eq!(backlog.bytes, 10_000 * (1 + PLACE_BYTES));
        assert!(memory.held_bytes() > backlog.bytes);
        while outbox.lanes().control_bytes > 0 {
            outbox.next().await.unwrap();
        }
        assert!(outbox.backlog().is_some() && memory.held_bytes() > 0, "handed out, and not yet written");
        outbox.close(CloseReason::Finished);
        assert!(outbox.next().await.is_none());
        assert_eq!((outbox.backlog(), memory.held_bytes()), (None, 0));
    }

    #[tokio::test]
    async fn a_client_that_is_cut_off_holds_nothing_any_more() {
        let memory = SendMemory::default();
        let outbox = Outbox::new(&memory);
        outbox.push_control(Bytes::from_static(b"x"));
        outbox.next().await.unwrap();
        outbox.push_control(Bytes::from_static(b"y"));
        let reason = CloseReason::CutOff { waiting_bytes: 2, waited: Duration::from_secs(9) };
        outbox.close(reason);
        outbox.cut_off().await;
        assert_eq!((outbox.close_reason(), memory.held_bytes()), (Some(reason), 0));
        assert!(outbox.next().await.is_none());
    }

    #[tokio::test]
    async fn several_that_wait_for_calm_go_on_as_messages_are_read() {
        let outbox = Outbox::default();
        let half = Bytes::from(vec![0; CALM_BYTES / 2 + 1]);
        let filler = || {
            let (outbox, half) = (outbox.clone(), half.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    outbox.calm().await;
                    outbox.push_control(half.clone());
                }
            })
        };
        let fillers = [filler(), filler()];
        for _ in 0..100 {
            outbox.next().await.unwrap();
            assert!(outbox.lanes().control_bytes <= 3 * CALM_BYTES);
        }
        for filler in fillers {
            filler.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_corked_outbox_hands_out_nothing_before_its_first_message() {
        let outbox = Outbox::default();
        outbox.push_control(Bytes::from_static(&[0]));
        outbox.cork();
        outbox.push_control(Bytes::from_static(&[2]));
        outbox.push_ping(Bytes::from_static(&[3]));
        let frame = |number: u8| ControlFrame::new(&SendMemory::default(), Bytes::copy_from_slice(&[number]));
        let taken = tokio::spawn({
            let outbox = outbox.clone();
            async move { (take(&outbox).await, take(&outbox).await) }
        });
        tokio::task::yield_now().await;
        assert!(!taken.is_finished());
        outbox.push_opening([10, 11, 12].map(frame).to_vec());
        assert_eq!(taken.await.unwrap(), (vec![0, 10, 11, 12, 2], vec![3]));
    }

    #[tokio::test]
    async fn only_a_ping_comes_between_the_messages_of_a_series() {
        let outbox = Outbox::default();
        let page = |number: u8| {
            let pieces = [vec![number], vec![0; BATCH_BYTES]];
            ControlFrame::of_pieces(pieces.map(|piece| SharedBytes::new(&SendMemory::default(), piece.into())))
        };
        outbox.cork();
        outbox.push_control(Bytes::from_static(&[9]));
        outbox.push_opening([1, 2, 3].map(page).to_vec());
        assert_eq!(take(&outbox).await, [1]);
        outbox.push_ping(Bytes::from_static(&[20]));
        outbox.push_picture(picture(30)).await;
        outbox.push_control(Bytes::from_static(&[8]));
        assert_eq!(outbox.push_series(&[4, 5].map(page)), 2 * (1 + BATCH_BYTES));
        let mut order = Vec::new();
        for _ in 0..7 {
            order.extend(take(&outbox).await);
        }
        assert_eq!(order, [20, 2, 3, 9, 8, 4, 5, 30]);
    }

    #[tokio::test]
    async fn closing_still_writes_the_control_lane_but_no_more_pictures() {
        let outbox = Outbox::default();
        outbox.push_picture(picture(1)).await;
        outbox.push_control(Bytes::from_static(&[10]));
        outbox.close(CloseReason::Finished);
        outbox.push_control(Bytes::from_static(&[11]));
        assert!(!outbox.push_picture(picture(2)).await);
        assert_eq!(take(&outbox).await, [10]);
        assert!(outbox.next().await.is_none());
    }
}
