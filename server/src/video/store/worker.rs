//! The thread of a producer: opens a source and makes frames for as long as somebody wants them.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    thread,
};

use super::{
    Shared, Source,
    cache::TrackId,
    scheduler::{Order, Start},
    track::Number,
};
use crate::video::gst::pipeline::DecodeError;

pub(crate) fn spawn(shared: Arc<Shared>, start: Start) -> io::Result<()> {
    thread::Builder::new().name(start.opener.name()).spawn(move || run(&shared, &start)).map(drop)
}

fn run(shared: &Arc<Shared>, start: &Start) {
    let mut frame = start.frame;
    let mut leaving = Leaving { shared, start, cause: Some("its decoder crashed".to_owned()) };
    leaving.cause = match work(shared, start, &mut frame) {
        Ok(()) | Err(DecodeError::Cancelled) => None,
        Err(stop) => {
            tracing::debug!("{} at {frame}: {stop}", start.opener.name());
            Some(stop.to_string())
        }
    };
}

/// Takes the producer out of the books when it is dropped, also by a panic.
struct Leaving<'a> {
    shared: &'a Arc<Shared>,
    start: &'a Start,
    cause: Option<String>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let starts = self.shared.desk().fail(self.start.track, self.start.producer, self.cause.take());
        self.shared.start(starts);
    }
}

fn work(shared: &Arc<Shared>, start: &Start, frame: &mut usize) -> Result<(), DecodeError> {
    let is_wanted = || start.is_wanted.load(Relaxed);
    let mut source: Option<Box<dyn Source>> = None;
    while let Some(target) = next_target(shared, start) {
        while *frame <= target {
            let source = match &mut source {
                Some(source) => source,
                None => source.insert(start.opener.open(*frame, start.heartbeat.clone(), &is_wanted)?),
            };
            let bytes = source.next(&is_wanted)?;
            shared.decoded.fetch_add(1, Relaxed);
            shared.desk().put(start.track, start.producer, bytes);
            *frame += 1;
        }
    }
    Ok(())
}

/// Waits for work. `None`: it is time to go, and the desk knows.
fn next_target(shared: &Arc<Shared>, start: &Start) -> Option<usize> {
    let (track, producer): (TrackId, Number) = (start.track, start.producer);
    let mut desk = shared.desk();
    loop {
        let (order, starts) = desk.order(track, producer);
        if !starts.is_empty() {
            drop(desk);
            shared.start(starts);
            desk = shared.desk();
            if matches!(order, Order::Rest(_)) {
                // The desk was left alone for a moment: ask again before resting.
                continue;
            }
        }
        match order {
            Order::Make(target) => return Some(target),
            Order::Leave => return None,
            Order::Rest(time) => {
                let rested = start.wake.wait_timeout(desk, time);
                desk = rested.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}
