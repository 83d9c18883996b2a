//! The error document of a registry ([spec, "Error codes"][spec]), cut down to what may be shown.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes

use std::fmt;

use serde::Deserialize;

/// What is read of an error document at most.
pub(super) const LARGEST: u64 = 64 << 10;

/// The errors that a registry named, at most three, each cut to a line. Empty if it named none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer(Vec<Reason>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Vec<serde_json::Value>,
    /// Token servers and proxies in front of registries answer with one of these instead.
    #[serde(default)]
    details: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<serde_json::Value>,
    #[serde(default)]
    error_description: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<serde_json::Value>,
}

impl Answer {
    /// Reads an error document. What is none (an HTML page of a proxy) gives an empty answer.
    /// `secrets` are what was sent along: a registry that repeats them is not repeated.
    pub(super) fn read(body: &[u8], secrets: &[&str]) -> Self {
        let Ok(document) = serde_json::from_slice::<Document>(body) else { return Self::default() };
        let text = |value: Option<&serde_json::Value>, longest| {
            line(value.and_then(serde_json::Value::as_str).unwrap_or_default(), longest, secrets)
        };
        let mut reasons: Vec<Reason> = document
            .errors
            .iter()
            .map(|error| Reason {
                code: text(error.get("code"), 60),
                message: text(error.get("message"), 300),
            })
            .filter(|reason| !reason.code.is_empty() || !reason.message.is_empty())
            .take(3)
            .collect();
        if reasons.is_empty() {
            let message = [document.error_description, document.details, document.message]
                .into_iter()
                .flatten()
                .next();
            let reason = Reason {
                code: text(document.error.as_ref(), 60),
                message: text(message.as_ref(), 300),
            };
            reasons
                .extend((!reason.code.is_empty() || !reason.message.is_empty()).then_some(reason));
        }
        Self(reasons)
    }

    /// Whether the registry named one of these codes.
    #[must_use]
    pub fn names(&self, codes: &[&str]) -> bool {
        self.0.iter().any(|reason| codes.contains(&reason.code.as_str()))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, Reason { code, message }) in self.0.iter().enumerate() {
            f.write_str(if position == 0 { ": " } else { "; " })?;
            match (code.as_str(), message.as_str()) {
                (code, "") => f.write_str(code)?,
                ("", message) => f.write_str(message)?,
                (code, message) => write!(f, "{code}: {message}")?,
            }
        }
        Ok(())
    }
}

/// One line without control characters, and without what must not be shown.
fn line(text: &str, longest: usize, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(longest).collect();
    if text.chars().count() > longest {
        short.push('…');
    }
    short.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        Answer::read(text.as_bytes(), &["hunter2"]).to_string()
    }

    #[test]
    fn codes_and_messages_are_shown_on_one_line() {
        let text = r#"{"errors":[{"code":"DENIED","message":"no\naccess","detail":{"a":1}},
            {"code":"UNAUTHORIZED"},{"message":"c"},{"code":"FOURTH"}]}"#;
        assert_eq!(read(text), ": DENIED: no access; UNAUTHORIZED; c");
        assert!(Answer::read(text.as_bytes(), &[]).names(&["DENIED"]));
        assert_eq!(read(r#"{"details":"incorrect username"}"#), ": incorrect username");
        assert_eq!(
            read(r#"{"error":"invalid_grant","error_description":"x"}"#),
            ": invalid_grant: x"
        );
    }

    #[test]
    fn what_is_no_error_document_is_no_answer() {
        for text in ["", "<html>", "{}", "[]", r#"{"errors":[1]}"#, r#"{"errors":"x"}"#, "\u{0}"] {
            assert_eq!(read(text), "", "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_repeated_is_not_shown_and_length_is_bounded() {
        let text = r#"{"errors":[{"code":"X","message":"bad password hunter2"}]}"#;
        assert_eq!(read(text), ": X: bad password [secret]");
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "é".repeat(1000));
        assert_eq!(read(&long).chars().count(), 303);
    }
}
