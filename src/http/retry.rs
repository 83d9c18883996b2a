//! The one retry rule: how long to wait before a failed request is made again, and when to give up.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// How often something is tried, and how long is waited between tries in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) first: Duration,
    pub(crate) total: Duration,
}

/// For how long a request is made again, if nothing else was said.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Patience {
    /// A host that refuses connections is given up after some three seconds; one that says how
    /// long it wants to be left alone, or never answers, gets up to `total`.
    pub(crate) fn of(total: Duration) -> Self {
        Self { tries: 5, first: Duration::from_millis(250), total }
    }
}

impl Patience {
    /// How long to wait after the `tried`-th try, or nothing if there is no point in another one.
    /// `waited` is how much waiting there has been; `jitter` lies between 0 and 1.
    pub(crate) fn wait(
        &self,
        tried: u32,
        waited: Duration,
        asked: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        if tried >= self.tries {
            return None;
        }
        let doubled = self.first * 2_u32.saturating_pow(tried.saturating_sub(1));
        let own = doubled.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0);
        // Never sooner than asked; a little later, so that not everybody comes at once.
        let wait = asked.map_or(own, |asked| asked + self.first.mul_f64(jitter.clamp(0.0, 1.0)));
        (waited.saturating_add(wait) <= self.total).then_some(wait)
    }
}

/// What `Retry-After` asks for: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Whether a request that was answered with this status may succeed a moment later.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let patience = Patience::of(PATIENCE);
        let mut waited = Duration::ZERO;
        let mut tries = 1;
        while let Some(wait) = patience.wait(tries, waited, None, 0.5) {
            waited += wait;
            tries += 1;
        }
        assert_eq!((tries, waited), (5, Duration::from_millis(3750)));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_unless_it_is_too_long() {
        let patience = Patience::of(PATIENCE);
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert!(patience.wait(1, Duration::ZERO, asked(7), 1.0).unwrap() >= Duration::from_secs(7));
        assert_eq!(patience.wait(1, Duration::ZERO, asked(61), 0.0), None);
        assert_eq!(patience.wait(2, Duration::from_secs(50), asked(20), 0.0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-23T14:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read("Mon, 23 Nov 2026 14:00:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(read("Mon, 23 Nov 2026 13:00:05 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
