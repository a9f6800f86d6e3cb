//! The send queue of one client, in two lanes and a place behind them.
//!
//! The control lane holds control messages and chat: they are never dropped, and no number of them disconnects a client.
//! How much all control lanes together may hold is decided by the hub, which makes senders wait and cuts off clients that
//! do not read; see [`Outbox::backlog`]. The picture lane holds a few pictures and sound chunks, as the viewer's credit
//! allows. Control goes first, also between the parts of a picture, so a message waits behind at most the one part that is
//! already being written; and pings and echoes go before everything else, so that a client on a slow link can show that it
//! is alive and measure the link. Behind both lanes is a place for one preview, which goes out while nothing else waits.

mod memory;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use common::picture_parts::PictureFrames;
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
    /// The place behind the lanes is free, or the outbox was closed.
    freed: Notify,
    /// The client was cut off: not even what is being written is finished.
    is_cut_off: CancellationToken,
}

#[derive(Default)]
struct Lanes {
    opening: Opening,
    /// The newest ping that was not handed out yet.
    ping: Option<Bytes>,
    /// The answer to the newest probe, if it was not handed out yet.
    echo: Option<Bytes>,
    control: VecDeque<Queued>,
    control_bytes: usize,
    /// The picture of which parts were handed out and others not.
    unfinished: Option<PictureFrames>,
    pictures: VecDeque<StreamItem>,
    /// What goes out while nothing else waits.
    last: Option<Bytes>,
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

/// What waits in the picture lane.
#[derive(Debug)]
pub enum StreamItem {
    /// A picture, of which one part is handed out at a time.
    Picture(PictureFrames),
    /// A sound chunk, or the end of the stream.
    Frame(Frame),
}

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

    /// Counts bytes that were written to the client.
    pub fn sent(&self, bytes: usize) {
        self.0.memory.sent(bytes);
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
        self.push_urgent(|lanes| &mut lanes.ping, frame);
    }

    /// Sends an echo before everything else that waits. One that was not sent yet is replaced.
    pub fn push_echo(&self, frame: Bytes) {
        self.push_urgent(|lanes| &mut lanes.echo, frame);
    }

    fn push_urgent(&self, place: impl FnOnce(&mut Lanes) -> &mut Option<Bytes>, frame: Bytes) {
        let mut lanes = self.lanes();
        if lanes.closed.is_none() {
            *place(&mut lanes) = Some(frame);
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

    /// Waits until the picture lane has room, then adds an item. Returns `false` when the outbox is closed.
    pub async fn push_picture(&self, item: StreamItem) -> bool {
        loop {
            {
                let mut lanes = self.lanes();
                if lanes.closed.is_some() {
                    return false;
                }
                if lanes.pictures.len() < PICTURE_LANE_LENGTH {
                    lanes.pictures.push_back(item);
                    drop(lanes);
                    self.0.filled.notify_one();
                    return true;
                }
            }
            self.0.emptied.notified().await;
        }
    }

    /// Waits until the place behind the lanes is free, and puts a message there. It goes out while nothing else waits. One caller
    /// at a time.
    pub async fn push_last(&self, frame: Bytes) {
        loop {
            {
                let mut lanes = self.lanes();
                if lanes.closed.is_some() {
                    return;
                }
                if lanes.last.is_none() {
                    lanes.last = Some(frame);
                    drop(lanes);
                    self.0.filled.notify_one();
                    return;
                }
            }
            self.0.freed.notified().await;
        }
    }

    /// Discards what waits behind the lanes.
    pub fn clear_last(&self) {
        self.lanes().last = None;
        self.0.freed.notify_one();
    }

    /// Discards all that waits in the picture lane, also what is left of a picture that is being sent. Returns whether there
    /// was anything.
    pub fn clear_pictures(&self) -> bool {
        let mut lanes = self.lanes();
        let (unfinished, waiting) = (lanes.unfinished.take(), std::mem::take(&mut lanes.pictures));
        drop(lanes);
        self.0.emptied.notify_one();
        unfinished.is_some() || !waiting.is_empty()
    }

    /// Closes the outbox: no more frames are added. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let mut lanes = self.lanes();
        if lanes.closed.is_none() {
            lanes.pictures.clear();
            (lanes.unfinished, lanes.last) = (None, None);
            if let CloseReason::CutOff { .. } = reason {
                (lanes.ping, lanes.echo, lanes.control_bytes) = (None, None, 0);
                lanes.control.clear();
                lanes.being_written.clear();
                self.0.is_cut_off.cancel();
            }
            lanes.closed = Some(reason);
        }
        drop(lanes);
        self.0.filled.notify_one();
        self.0.emptied.notify_one();
        self.0.freed.notify_one();
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

    /// Waits for what is to be written next: a ping or an echo, some control messages, a part of a picture, another item of
    /// a stream, or what is behind the lanes. `None` when the outbox is closed and its control lane is empty. One caller only, which has written the frames of the call before.
    pub async fn next(&self) -> Option<Vec<Bytes>> {
        loop {
            {
                let mut lanes = self.lanes();
                lanes.being_written.clear();
                let is_open = lanes.opening == Opening::Done;
                if is_open && (lanes.ping.is_some() || lanes.echo.is_some()) {
                    let Lanes { ping, echo, .. } = &mut *lanes;
                    return Some(ping.take().into_iter().chain(echo.take()).collect());
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
                let waiting = lanes.pictures.len();
                if let Some(frame) = lanes.take_frame() {
                    let has_room = lanes.pictures.len() < waiting;
                    drop(lanes);
                    if has_room {
                        self.0.emptied.notify_one();
                    }
                    return Some(frame.into());
                }
                if let Some(frame) = lanes.last.take_if(|_| is_open) {
                    drop(lanes);
                    self.0.freed.notify_one();
                    return Some(vec![frame]);
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

    /// The next part of the picture that is being sent, else the first frame of the next item.
    fn take_frame(&mut self) -> Option<Frame> {
        if self.unfinished.is_none() {
            match self.pictures.pop_front()? {
                StreamItem::Frame(frame) => return Some(frame),
                StreamItem::Picture(parts) => self.unfinished = Some(parts),
            }
        }
        let part = self.unfinished.as_mut().and_then(Iterator::next);
        self.unfinished.take_if(|parts| parts.is_finished());
        part
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
