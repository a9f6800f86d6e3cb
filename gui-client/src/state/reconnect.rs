//! When a lost connection is tried again by itself, and which of several reasons the window keeps. Time is passed in.

use std::time::Duration;

use common::message::RefusalCode;

use crate::event::Offline;

use super::connection_problem::ConnectionProblem;

/// Time from the loss of the connection to the first automatic attempt. Each further one waits twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The longest time between two automatic attempts.
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(10);

/// For this many attempts after a loss, "key in use" refers to our own old connection, which the server has not yet noticed
/// to be dead. They take 1 + 2 + 4 + 8 seconds, and a server notices after ten.
const ATTEMPTS_UNTIL_OWN_ENTRY_IS_GONE: u32 = 4;

/// When to try again to reach a server that this client was on, after `attempts` automatic attempts and for this reason;
/// `None` if only the person can decide what to do.
pub(super) fn delay(offline: &Offline, attempts: u32) -> Option<Duration> {
    let doubled = FIRST_RETRY_DELAY.saturating_mul(1 << attempts.min(16)).min(LONGEST_RETRY_DELAY);
    match offline {
        Offline::Unreachable { .. } | Offline::NotTriptych { .. } | Offline::Goodbye(_) => Some(doubled),
        Offline::Refused { code: RefusalCode::KeyInUse, .. } => {
            (attempts < ATTEMPTS_UNTIL_OWN_ENTRY_IS_GONE).then_some(doubled)
        }
        Offline::Refused { code: RefusalCode::TooLate | RefusalCode::Full | RefusalCode::TooMany, .. } => Some(doubled),
        // The right server may come back while the person decides. Nothing is sent to the other one.
        Offline::CertificateChanged(_) => Some(LONGEST_RETRY_DELAY),
        _ => None,
    }
}

/// What the window says after an automatic attempt: the problem that it shows, and why the last attempt failed if that is
/// another reason. The reason for the loss says more than that of an attempt a second later, and an alarm stays until it
/// is decided or the right server is back.
pub(super) fn merge(
    shown: Option<ConnectionProblem>,
    next: Option<ConnectionProblem>,
    is_retried: bool,
) -> (Option<ConnectionProblem>, Option<String>) {
    let (Some(shown), Some(next)) = (shown, next.clone()) else { return (next, None) };
    let change = |problem: &ConnectionProblem| problem.certificate.as_ref().map(|choice| choice.change.clone());
    let is_new_alarm = next.is_alarming && change(&next) != change(&shown);
    if !is_retried || is_new_alarm {
        return (Some(next), None);
    }
    let last_failure = (next.what != shown.what).then_some(next.what);
    (Some(shown), last_failure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::CertificateChange;

    fn unreachable(what: &str) -> Offline {
        Offline::Unreachable { what: what.to_owned(), remedy: String::new() }
    }

    fn refused(code: RefusalCode) -> Offline {
        Offline::Refused { code, message: String::new(), suggestion: None }
    }

    proptest! {
        #[test]
        fn the_delay_grows_from_one_second_to_ten(attempts in 0u32..100) {
            let seconds = |attempts| delay(&unreachable(""), attempts).unwrap().as_secs();
            prop_assert!((1..=10).contains(&seconds(attempts)));
            prop_assert!(seconds(attempts) <= seconds(attempts + 1));
        }
    }

    #[test]
    fn what_only_the_person_can_decide_is_not_tried_again() {
        for code in [RefusalCode::NameInUse, RefusalCode::VersionMismatch, RefusalCode::BadName] {
            assert_eq!(delay(&refused(code), 0), None, "{code:?}");
        }
        let broken = Offline::BrokeProtocol { what: String::new(), remedy: String::new() };
        assert_eq!(delay(&broken, 0), None);
        let change = CertificateChange { address: String::new(), expected: [1; 32], found: [2; 32] };
        assert_eq!(delay(&Offline::CertificateChanged(change), 0), Some(LONGEST_RETRY_DELAY));
    }

    #[test]
    fn ones_own_entry_is_waited_for_as_long_as_the_server_may_need_to_miss_it() {
        let waits: Vec<_> = (0..6).map(|attempts| delay(&refused(RefusalCode::KeyInUse), attempts)).collect();
        let total: Duration = waits.iter().flatten().sum();
        assert!(total >= Duration::from_secs(10) && waits.last() == Some(&None), "{waits:?}");
    }
}
