//! Why a stream does not start or does not continue, in the words that its viewer reads.

/// Why a stream does not start or does not continue. Its text is a sentence for the viewer.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The viewer asked for a resolution that the video does not have.
    #[error("{title:?} is not available in {height}p.")]
    NoSuchResolution {
        /// Title of the video.
        title: String,
        /// The height that was asked for.
        height: u32,
    },
    /// A planned frame cannot be delivered.
    #[error("{file_name:?} cannot be played from frame {frame} on: {cause}.")]
    BrokenFile {
        /// Name of the file.
        file_name: String,
        /// Index in the file of the frame that is missing, from 0.
        frame: usize,
        /// What is wrong, a clause without a full stop.
        cause: String,
    },
    /// Every decoder of the server has been in use for other viewers for several seconds.
    #[error("All decoders of the server are in use for other viewers. Try again in a moment.")]
    Busy,
    /// The task that sends the stream panicked.
    #[error("The server cannot continue this video because of an internal error. Play the video again.")]
    Internal,
    /// A file that the stream uses is no longer in the video folder.
    #[error("{file_name:?} was removed from the server's video folder.")]
    FileRemoved {
        /// Name of the file.
        file_name: String,
    },
    /// A file that the stream uses was replaced by another one of the same name.
    #[error("{file_name:?} was replaced in the server's video folder; play the video again.")]
    FileReplaced {
        /// Name of the file.
        file_name: String,
    },
}
