//! Decodes a tiny file of its own, so that the first picture of a viewer's file does not wait for libraries to be loaded
//! and tables to be computed: measured, 20 ms instead of 6 ms.

use std::{io::Write, os::fd::AsRawFd, path::PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::video::gst::{
    picture_decoder::{DecodeRequest, PictureDecoder},
    pipeline::{DecodeError, Heartbeat, PipelineError},
    probe::probe,
    sound_decoder::SoundDecoder,
    threads::{Threads, cores},
};

/// Two pictures of 64x48 in H.264 with Opus, in Matroska, as `import` makes them.
const CLIP: &[u8] = include_bytes!("warm_up.mkv");

/// Decodes its pictures with and without conversion, and its sound. What fails is only noted: then the first viewer waits.
pub(super) fn warm_up() {
    if let Err(error) = decode() {
        tracing::debug!("a worker process was not warmed up: {error}");
    }
}

fn decode() -> Result<(), DecodeError> {
    let failed = |error: &dyn std::fmt::Display| PipelineError(error.to_string());
    let memory = memfd_create("warm-up", MemfdFlags::CLOEXEC).map_err(|error| failed(&error))?;
    let mut file = std::fs::File::from(memory);
    file.write_all(CLIP).map_err(|error| failed(&error))?;
    // A file in memory lies in no folder, so the sandbox does not matter to it.
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let probed = probe(&path, &|| true).map_err(|error| failed(&error))?;
    for is_planar in [true, false] {
        let request = DecodeRequest {
            path: &path,
            track: &probed.track,
            decoder: &probed.decoder,
            index: &probed.index,
            frames: 0..probed.index.len(),
            seek_nanos: None,
            skim_until_nanos: None,
            size: Some((probed.picture_width, probed.picture_height)),
            needs_rgb: probed.needs_rgb,
            is_interlaced: false,
            is_planar,
            branches: Threads::for_file(cores(), (0, 0), true, true).branches,
            has_one_thread: true,
        };
        PictureDecoder::open(&request, Heartbeat::default(), &|| true)?.next(0, &|| true)?;
    }
    if let Some(sound) = &probed.sound {
        let (track, decoder) = (&sound.track, &sound.decoder);
        SoundDecoder::open(&path, track, decoder, 0, 0, Heartbeat::default(), &|| true)?.pull(&|| true)?;
    }
    Ok(())
}
