//! The disk of the simulated machine in [`liveness_tests`](super::liveness_tests).

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    reads::ReadRequest,
    source::{Pack, Packs},
};
use crate::video::disk::{PACK_FRAMES, ReadError};

#[derive(Debug, Clone, Copy)]
pub(super) struct PackModel {
    /// How long it takes to read; `None`: the read never ends.
    pub(super) read_ticks: Option<u32>,
    pub(super) end: ReadModel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadModel {
    Good,
    /// The pack turns out not to be there, or to be damaged.
    Missing,
    /// The system cannot read it.
    Failed,
}

/// A thread that reads.
pub(super) struct DiskThread {
    pub(super) request: ReadRequest,
    pub(super) model: PackModel,
    pub(super) ticks_left: Option<u32>,
}

/// Nothing is on disk, or some of the frames.
pub(super) fn packs(frame_count: usize) -> impl Strategy<Value = Vec<Option<PackModel>>> {
    let read_ticks = prop_oneof![8 => (1u32..10).prop_map(Some), 2 => (10u32..100).prop_map(Some), 1 => Just(None)];
    let end = prop_oneof![8 => Just(ReadModel::Good), 1 => Just(ReadModel::Missing), 1 => Just(ReadModel::Failed)];
    let pack = (read_ticks, end).prop_map(|(read_ticks, end)| PackModel { read_ticks, end });
    let some = prop::collection::vec(prop::option::weighted(0.7, pack), frame_count.div_ceil(PACK_FRAMES));
    prop_oneof![1 => Just(Vec::new()), 2 => some]
}

/// The packs of a track. The simulation reads them itself.
#[derive(Debug)]
pub(super) struct SimulatedPacks(Mutex<Vec<Option<PackModel>>>);

impl SimulatedPacks {
    pub(super) fn new(packs: &[Option<PackModel>]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(packs.to_vec())))
    }

    /// How the pack with these frames is read.
    pub(super) fn model(&self, frames: &Range<usize>) -> PackModel {
        self.0.lock().unwrap()[frames.start / PACK_FRAMES].unwrap()
    }

    pub(super) fn remove(&self, frames: &Range<usize>) {
        self.0.lock().unwrap()[frames.start / PACK_FRAMES] = None;
    }
}

impl Packs for SimulatedPacks {
    fn find(&self, frame: usize) -> Option<Pack> {
        let number = frame / PACK_FRAMES;
        (*self.0.lock().unwrap().get(number)?)?;
        Some(Pack { frames: number * PACK_FRAMES..(number + 1) * PACK_FRAMES, bytes: 1000 })
    }

    fn read(&self, _: &Pack, _: Option<usize>, _: &mut dyn FnMut(Vec<(usize, Bytes)>)) -> Result<(), ReadError> {
        unreachable!("the simulation reads nothing")
    }

    fn written_with(&self, frame: usize) -> Range<usize> {
        frame..frame
    }

    fn write(&self, _: usize, _: &[Bytes], _: Instant) {
        unreachable!("the simulation writes nothing")
    }

    fn report_delay(&self) {}
}
