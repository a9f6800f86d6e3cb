//! How many descriptors (files, sockets) the system lets this process have open.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tracing::debug;

/// Descriptors that connections leave to everything else: the videos and their decoders above all.
const KEPT_FREE: u64 = 128;

/// Raises the soft limit to the hard one, as far as the system lets it. Returns the limit; `None` if there is none.
pub(crate) fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        debug!("The limit of open files stays at {current:?}: {error}.");
    }
    getrlimit(Resource::Nofile).current
}

/// How many of the wanted connections fit; `None` when there would be no use in starting.
pub(crate) fn connections_within(limit: Option<u64>, wanted: usize) -> Option<usize> {
    let Some(limit) = limit else { return Some(wanted) };
    let fitting = limit.checked_sub(KEPT_FREE).filter(|&fitting| fitting > 0)?;
    Some(usize::try_from(fitting).map_or(wanted, |fitting| fitting.min(wanted)))
}

/// Whether an error says that there are no more descriptors.
pub(crate) fn are_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether a connection waits to be accepted. Without a free descriptor `accept` fails before it looks for one.
pub(crate) fn is_connection_waiting(listener: &impl AsFd) -> bool {
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // If the system does not answer, a client that may be waiting comes first.
    poll(&mut listeners, Some(&at_once)) != Ok(0)
}

/// One descriptor that is kept in reserve: given up, it lets one more connection be accepted, and told why it is closed.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Option<File>>>);

/// The reserve while it is in use. Dropping it puts the reserve back.
pub(crate) struct SpareInUse(Spare);

impl Spare {
    /// Takes a descriptor in reserve, if it has none and there is one.
    pub(crate) fn refill(&self) {
        let mut reserve = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reserve.is_none() {
            *reserve = File::open("/dev/null").ok();
        }
    }

    /// Gives the descriptor up, so that the next one who asks the system gets it. `None` while there is none.
    pub(crate) fn give_up(&self) -> Option<SpareInUse> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        drop(file);
        Some(SpareInUse(self.clone()))
    }
}

impl Drop for SpareInUse {
    fn drop(&mut self) {
        self.0.refill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_videos() {
        assert_eq!(connections_within(None, 512), Some(512));
        assert_eq!(connections_within(Some(20_000), 512), Some(512));
        assert_eq!(connections_within(Some(256), 512), Some(128));
        assert_eq!(connections_within(Some(129), 512), Some(1));
        assert_eq!(connections_within(Some(128), 512), None);
        assert_eq!(connections_within(Some(0), 512), None);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        assert_eq!(raise_limit(), getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn the_reserve_is_there_once_and_comes_back() {
        let spare = Spare::default();
        assert!(spare.give_up().is_none());
        spare.refill();
        let in_use = spare.give_up().unwrap();
        assert!(spare.give_up().is_none());
        drop(in_use);
        assert!(spare.give_up().is_some());
    }
}
