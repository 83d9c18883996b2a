//! What an API server says when it does not do as asked: a `Status`.

use std::fmt;

use serde_json::Value;

/// An answer that is no success ([`Status`][api]).
///
/// [api]: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The server's own words.
    pub message: String,
    /// The kind of failure in one word: `NotFound`, `Conflict`.
    pub reason: String,
    /// What exactly was wrong.
    pub causes: Vec<Cause>,
    /// After how many seconds the server wants to be asked again.
    pub(super) retry_after: Option<u64>,
}

/// One of the things that were wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What kind of thing: `FieldValueInvalid`, `FieldManagerConflict`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Which field: `.spec.replicas`.
    pub field: String,
}

/// The longest message that is kept; some servers send whole objects back.
const MESSAGE: usize = 2000;
/// As many causes are kept.
const CAUSES: usize = 100;

/// What stands before a value that a server does not accept.
const VALUE: &str = "Invalid value: ";

/// A message without the objects and lists in it: a refused pod template comes back whole, with
/// all that is in its environment.
fn without_values(mut text: &str) -> String {
    let mut kept = String::new();
    while let Some(start) = text.find(VALUE).map(|at| at + VALUE.len()) {
        let (before, value) = text.split_at(start);
        kept.push_str(before);
        let length = if value.starts_with(['{', '[']) { nested(value) } else { 0 };
        kept.push_str(if length > 0 { "…" } else { "" });
        text = &value[length..];
    }
    kept + text
}

/// The length of the JSON object or list at the beginning of a text.
fn nested(text: &str) -> usize {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

fn bounded(text: &str) -> String {
    let text = without_values(text.trim());
    match text.floor_char_boundary(MESSAGE) {
        end if end < text.len() => format!("{}…", &text[..end]),
        _ => text,
    }
}

impl Refusal {
    /// Reads the body of an answer; one that is no `Status` is a message as it stands.
    pub(super) fn parse(code: u16, body: &[u8]) -> Self {
        let status = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_str).map(bounded).unwrap_or_default()
        };
        let mut message = text(&status, "message");
        if message.is_empty() {
            message = bounded(&String::from_utf8_lossy(&body[..body.len().min(MESSAGE)]));
        }
        let details = status.get("details");
        let causes = details.and_then(|details| details.get("causes")).and_then(Value::as_array);
        let causes = causes.into_iter().flatten().take(CAUSES).map(|cause| Cause {
            reason: text(cause, "reason"),
            message: text(cause, "message"),
            field: text(cause, "field"),
        });
        Self {
            code,
            message,
            reason: text(&status, "reason"),
            causes: causes.collect(),
            retry_after: details
                .and_then(|details| details.get("retryAfterSeconds"))
                .and_then(Value::as_u64),
        }
    }

    /// Nothing is there: the object, its namespace or its kind.
    pub(super) fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// The user may not do this.
    pub(super) fn is_forbidden(&self) -> bool {
        self.code == 403
    }

    /// The object has changed since it was read: no conflict between managers.
    pub(super) fn is_outdated(&self) -> bool {
        self.code == 409 && self.conflicts().is_empty() && self.reason == "Conflict"
    }

    /// The object itself is what is wrong. A server answers 500 where an object does not fit its
    /// schema, so the words decide.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self.code, 400 | 422)
            || (self.code == 500 && self.message.contains("failed to create typed patch object"))
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self.code {
            401 => "the server does not accept these credentials; log in to the cluster again",
            404 if self.message.starts_with("namespaces \"") => {
                "create that namespace first, or bring it as a Namespace of the same set"
            }
            409 if self.is_outdated() => {
                "leave `resourceVersion` and `uid` out of the manifest's `metadata`"
            }
            400 if self.message.contains("managedFields") => {
                "leave `managedFields` out of the manifest's `metadata`"
            }
            422 if self.message.contains("field is immutable") => {
                "delete the object first, or give the new one another name"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The fields that other managers hold, where that is what is wrong.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        if self.code != 409 {
            return Vec::new();
        }
        let conflicts = self.causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
        conflicts.map(Conflict::of).collect()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "the server answered {}", self.code),
            message => write!(f, "{message} ({})", self.code),
        }
    }
}

impl std::error::Error for Refusal {}

/// A field that another manager holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field: `.spec.replicas`.
    pub field: String,
    /// Who holds it: `kubectl-edit`, `kube-controller-manager`.
    pub manager: String,
}

impl Conflict {
    /// A cause's message is `conflict with "MANAGER"`, with a subresource, version and time
    /// behind it.
    fn of(cause: &Cause) -> Self {
        let quoted = cause.message.split('"').nth(1);
        Self { field: cause.field.clone(), manager: quoted.unwrap_or(&cause.message).to_owned() }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is managed by `{}`", self.field, self.manager)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_field_and_manager() {
        let body = br#"{"kind":"Status","reason":"Conflict","code":409,
            "message":"Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas",
            "details":{"causes":[{"reason":"FieldManagerConflict",
            "message":"conflict with \"kubectl\" with subresource \"scale\" using apps/v1","field":".spec.replicas"}]}}"#;
        let refusal = Refusal::parse(409, body);
        let conflicts = refusal.conflicts();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].to_string(), ".spec.replicas is managed by `kubectl`");
        assert!(!refusal.is_outdated());
    }

    #[test]
    fn an_object_that_does_not_fit_its_schema_is_invalid_though_the_answer_is_500() {
        let body = br#"{"message":"failed to create typed patch object (default/a; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema"}"#;
        assert!(Refusal::parse(500, body).is_invalid());
        assert!(!Refusal::parse(500, b"{}").is_invalid());
    }

    #[test]
    fn a_refused_template_is_not_shown_whole() {
        let message = "Job \"j\" is invalid: [spec.template: Invalid value: {\"Env\":[{\"Value\":\"}s3cret\\\"\"}]}: \
                       field is immutable, spec.ports[0].port: Invalid value: 70000: must be less]";
        let body = serde_json::json!({"message": message}).to_string();
        let refusal = Refusal::parse(422, body.as_bytes());
        assert_eq!(
            refusal.message,
            "Job \"j\" is invalid: [spec.template: Invalid value: …: field is immutable, \
             spec.ports[0].port: Invalid value: 70000: must be less]"
        );
        assert!(refusal.hint().is_some());
        assert_eq!(without_values("Invalid value: {\"é"), "Invalid value: …");
    }

    #[test]
    fn an_answer_of_something_else_is_short_and_kept_as_it_stands() {
        let refusal = Refusal::parse(502, "é".repeat(1 << 20).as_bytes());
        assert_eq!(refusal.code, 502);
        assert!(refusal.message.len() <= MESSAGE + 3);
        assert_eq!(Refusal::parse(502, b"").to_string(), "the server answered 502");
    }
}
