//! Single small pictures of a file, as the rest of the server sees them: a job for a process of its own, which everything else
//! on this computer goes before.

use std::time::Duration;

use bytes::Bytes;

use super::{
    jobs::{ProcessError, Running},
    jpeg_head,
    pool::ProcessPool,
    protocol::{Answer, Job, PreviewJob},
};

/// Time limit for one picture, with several tries. A process that is at work in the background may have to wait long.
const PICTURE_LIMIT: Duration = Duration::from_secs(60);

/// A picture of a [`PreviewJob`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreviewPicture {
    /// The number of the frame within the job.
    pub(crate) number: usize,
    /// When it is shown, in the time of the file.
    pub(crate) nanos: u64,
    /// A JPEG of the size that the job states.
    pub(crate) jpeg: Bytes,
}

/// The pictures of a job, made by a worker process. Dropping it ends the job and the process.
pub(crate) struct PreviewPictures {
    running: Running,
    size: (u32, u32),
    max_bytes: usize,
    frame_count: usize,
    /// The least number that the next picture may have.
    next: usize,
}

impl PreviewPictures {
    /// Starts the job.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub(crate) fn start(
        pool: &ProcessPool,
        job: PreviewJob,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, ProcessError> {
        let path = job.path.to_path();
        let (size, max_bytes, frame_count) = (job.size, job.max_bytes as usize, job.frames.len());
        let running = Running::begin(|| pool.take_for_background(&path), &path, Job::Previews(job), &[], is_wanted)?;
        Ok(Self { running, size, max_bytes, frame_count, next: 0 })
    }

    /// The next picture; `None` after the last one. Frames of which there is none are left out.
    ///
    /// # Errors
    /// [`ProcessError`]; after that there is no next picture.
    pub(crate) fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Option<PreviewPicture>, ProcessError> {
        if self.running.is_job_over {
            return Ok(None);
        }
        let (answer, jpeg) = self.running.answer(self.max_bytes, PICTURE_LIMIT, is_wanted, &|| ())?;
        match answer {
            Answer::Preview { number, nanos } => {
                let number = number as usize;
                if !(self.next..self.frame_count).contains(&number) {
                    return Err(self.running.end(ProcessError::Unsound("a preview out of turn")));
                }
                if jpeg_head::sides(&jpeg) != Some(self.size) {
                    return Err(self.running.end(ProcessError::Unsound("a preview of another format or size")));
                }
                self.next = number + 1;
                Ok(Some(PreviewPicture { number, nanos, jpeg: jpeg.into() }))
            }
            Answer::Finished => {
                self.running.is_job_over = true;
                Ok(None)
            }
            _ => Err(self.running.end(ProcessError::Unsound("an answer to something else"))),
        }
    }
}
