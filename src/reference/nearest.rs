//! Suggestions for misspelt names.

/// The maximum length of a name with suggestions, in bytes.
const LONGEST: usize = 300;

/// Up to three candidates that are similar to a name, the most similar first.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let tail = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let name = plain(name);
    // Comparing a very long name takes too long.
    if name.len() > LONGEST {
        return Vec::new();
    }
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let plain = plain(candidate);
            let whole = strsim::jaro_winkler(&name, &plain);
            let last = strsim::jaro_winkler(&tail(&name), &tail(&plain));
            (whole.max(last), candidate)
        })
        .filter(|(score, _)| *score >= 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    // A very similar candidate excludes less similar ones.
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score >= best - 0.06);
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// `did you mean A, B or C?`, or `None` if no candidate is similar.
#[must_use]
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let names: Vec<String> =
        nearest(name, candidates).into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("did you mean {only}?")),
        [first @ .., last] => Some(format!("did you mean {} or {last}?", first.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_strangers_not_at_all() {
        let names = ["link-service", "user-service", "svc/link_service", "zebra"];
        assert_eq!(nearest("link_servise", names)[0], "link-service");
        assert!(!nearest("link_servise", names).contains(&"zebra"));
        assert_eq!(did_you_mean("qqqq", names), None);
        assert_eq!(did_you_mean("zebr", names).as_deref(), Some("did you mean `zebra`?"));
    }
}
