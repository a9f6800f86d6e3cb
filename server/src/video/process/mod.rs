//! Worker processes: the program started again, to read and decode files outside of the server's process. A file that
//! crashes or takes over its decoder so reaches neither the server's memory nor its keys.
//!
//! ```text
//! server process                                            worker process (triptych-server worker)
//! ProcessPool ── starts, hands out, kills ──► child ──────► serve ─► sandbox, warm_up
//!    │ two spares, warm; idle ones by video     │             │
//!    ▼                                          │             ▼
//! jobs (probe, frames) ─► Lease ─► channel ◄────┴─ stdin ──► jobs_run ─► gst
//! ```
//!
//! * `protocol` is what both say, `channel` how it travels. What comes from a worker process is not trusted: lengths,
//!   order and sizes are checked, and the first thing that is wrong ends the process.
//! * A worker process reads the files of one video, one after the other, which saves a start at each seek and at each
//!   change of the resolution. Only the scan of a whole folder reads several videos in one process.
//! * `sandbox` takes from the process what decoding does not need: landlock, seccomp, limits.
//! * Tests, and programs that use the server as a library, may have all of this on threads of their own process instead:
//!   [`ProcessPool::in_this_process`].

mod channel;
mod child;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod denied_calls;
mod fault;
mod jobs;
mod jobs_run;
mod jpeg_head;
mod lanes;
#[cfg(test)]
mod lanes_on_files;
mod line;
mod opus_chunks;
mod pictures_run;
mod pool;
mod preview_jobs;
mod previews_run;
mod protocol;
mod sandbox;
mod serve;
mod sound_chunks;
#[cfg(target_os = "linux")]
mod warm_up;

pub use self::{
    child::WorkerProgram,
    pool::ProcessPool,
    protocol::Sandbox,
    serve::{WorkerError, run_worker},
};
pub(crate) use self::{
    jobs::{FrameStream, ProbeFailure, Prober, ProcessError, transcode},
    opus_chunks::{CHUNK_PACKETS, opus_chunk_of, silent_opus_chunk},
    preview_jobs::PreviewPictures,
    protocol::{PictureJob, PreviewFrame, PreviewJob, SoundJob, TranscodeJob},
    sound_chunks::{AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES},
};
