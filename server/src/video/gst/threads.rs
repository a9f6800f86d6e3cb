//! How many threads make the pictures of a file. Pure, but for the number of cores.

use std::thread;

/// Limit of the encoder branches of one decoder. More only cost memory, because then decoding takes longer than encoding.
const MAX_BRANCHES: usize = 4;

/// Limit of the decoders that work at one file. Each holds some ten frames.
const MAX_LANES: usize = 4;

/// Up to this size one thread decodes faster than real time, and each further one would delay the first picture by a frame.
const SINGLE_THREAD_PIXELS: u32 = 640 * 480;

/// Threads that make the pictures of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Decoders that work at the same time, each at another part of the file.
    pub(crate) lanes: usize,
    /// Encoder branches of each decoder.
    pub(crate) branches: usize,
    /// Whether a decoder has one thread only, not as many as libav finds useful.
    pub(crate) has_one_decoding: bool,
}

impl Threads {
    /// What is fastest for frames of `size` on a machine with `cores`.
    ///
    /// Of what `import` makes (`is_jpeg_ready` is taken for a sign of it), a frame takes two thirds as long to decode as to
    /// encode. So there is a lane for each two cores, with two branches that keep both busy and one thread that decodes. libav's
    /// own threads take more memory, since each holds frames, and more processor time: 5 % for an imported file of 1440p.
    /// Other files may take longer to decode than to encode; they have libav's threads.
    ///
    /// So have those with open groups of pictures (`are_closed` is false): after a seek to one, libav (5.1) with one thread
    /// outputs damaged frames.
    pub(crate) fn for_file(cores: usize, size: (u32, u32), are_closed: bool, is_jpeg_ready: bool) -> Self {
        let is_small = size.0.saturating_mul(size.1) <= SINGLE_THREAD_PIXELS;
        if are_closed && is_jpeg_ready && cores > 1 {
            return Self { lanes: cores.div_ceil(2).min(MAX_LANES), branches: 2, has_one_decoding: true };
        }
        let branches = cores.clamp(1, MAX_BRANCHES);
        Self { lanes: 1, branches, has_one_decoding: are_closed && (is_small || is_jpeg_ready) }
    }
}

/// Cores of this machine that the program may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imported_files_are_split_where_there_are_cores_for_it_and_others_are_not() {
        let (small, large) = ((426, 240), (2560, 1440));
        let threads = |cores, size, are_closed, is_jpeg_ready| {
            let threads = Threads::for_file(cores, size, are_closed, is_jpeg_ready);
            (threads.lanes, threads.branches, threads.has_one_decoding)
        };
        let imported = [1, 2, 3, 4, 8, 16].map(|cores| threads(cores, large, true, true));
        assert_eq!(imported, [(1, 1, true), (1, 2, true), (2, 2, true), (2, 2, true), (4, 2, true), (4, 2, true)]);
        assert_eq!(threads(4, large, true, false), (1, 4, false));
        assert_eq!(threads(4, small, true, false), (1, 4, true));
        assert_eq!([threads(4, small, false, true), threads(2, large, false, true)], [(1, 4, false), (1, 2, false)]);
    }
}
