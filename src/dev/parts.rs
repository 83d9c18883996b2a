//! What the time of a round was spent on: a fold over its events.

use std::time::Duration;

use crate::report::{Event, Part, Stage};

/// The parts of the time of a round.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts(Vec<Part>);

impl Parts {
    /// Begins with the time that the change was waited for until it was complete.
    pub(super) fn new(wait: Option<Duration>) -> Self {
        Self(wait.map(|duration| Part { name: "wait", duration }).into_iter().collect())
    }

    /// The parts after one more event.
    #[must_use]
    pub(super) fn after(mut self, event: &Event) -> Self {
        let Event::Finished { stage, duration } = event else { return self };
        let name = match stage {
            Stage::Compile => "compile",
            Stage::Publish => "send",
            Stage::Apply => "apply",
            Stage::Wait => "serve",
            Stage::Read | Stage::Plan => return self,
        };
        let mut duration = *duration;
        // Images are sent while others are compiled.
        if name == "send" {
            duration = duration.saturating_sub(self.of("compile"));
        }
        match self.0.iter_mut().find(|part| part.name == name) {
            Some(part) => part.duration += duration,
            None => self.0.push(Part { name, duration }),
        }
        self
    }

    fn of(&self, name: &str) -> Duration {
        self.0.iter().filter(|part| part.name == name).map(|part| part.duration).sum()
    }

    pub(super) fn list(self) -> Vec<Part> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_during_compiling_is_counted_once() {
        let seconds = Duration::from_secs;
        let finished = |stage, time| Event::Finished { stage, duration: seconds(time) };
        let events = [
            finished(Stage::Plan, 1),
            finished(Stage::Compile, 3),
            finished(Stage::Publish, 5),
            finished(Stage::Wait, 2),
        ];
        let parts = events.iter().fold(Parts::new(Some(seconds(1))), Parts::after);
        let part = |name, time| Part { name, duration: seconds(time) };
        let expected = [part("wait", 1), part("compile", 3), part("send", 2), part("serve", 2)];
        assert_eq!(parts.list(), expected);
    }
}
