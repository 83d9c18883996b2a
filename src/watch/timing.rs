//! When a group of changes is complete. Pure: instants are given.

use std::time::{Duration, Instant};

/// How long it has to be quiet.
const QUIET: Duration = Duration::from_millis(50);
/// How long a group may take in all.
const LONGEST: Duration = Duration::from_secs(1);
/// How long Git's lock is waited for: a checkout or a rebase takes several steps.
const GIT: Duration = Duration::from_secs(10);

/// The events of a group that is not complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    first: Instant,
    last: Instant,
}

impl Timing {
    /// A group that begins with an event.
    pub(super) fn start(now: Instant) -> Self {
        Self { first: now, last: now }
    }

    /// One more event.
    pub(super) fn event(&mut self, now: Instant) {
        self.last = now;
    }

    /// When it began.
    pub(super) fn first(&self) -> Instant {
        self.first
    }

    /// When the group is complete if no other event comes. `is_locked` says whether Git is at work.
    pub(super) fn due(&self, is_locked: bool, now: Instant) -> Instant {
        let due = (self.last + QUIET).min(self.first + LONGEST);
        if is_locked && now < self.first + GIT {
            // The lock is looked at again a little later.
            return due.max(now + QUIET).min(self.first + GIT);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_group_is_complete_when_it_is_quiet_or_after_a_second() {
        let start = Instant::now();
        let mut timing = Timing::start(start);
        assert_eq!(timing.due(false, start), after(start, 50));
        timing.event(after(start, 40));
        assert_eq!(timing.due(false, start), after(start, 90));
        timing.event(after(start, 990));
        assert_eq!(timing.due(false, start), after(start, 1000));
    }

    #[test]
    fn git_is_waited_for_but_not_without_end() {
        let start = Instant::now();
        let timing = Timing::start(start);
        assert_eq!(timing.due(true, after(start, 3000)), after(start, 3050));
        assert_eq!(timing.due(true, after(start, 9990)), after(start, 10_000));
        assert_eq!(timing.due(true, after(start, 10_000)), after(start, 50));
    }
}
