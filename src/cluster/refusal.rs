//! The answer of an API server that refuses a request: a `Status`.

use std::fmt;

use serde_json::Value;

use crate::report::{Code, Details, Diagnose};

use super::codes;

/// An answer that is not a success ([`Status`][api]).
///
/// [api]: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The server's message.
    pub message: String,
    /// The machine-readable reason: `NotFound`, `Conflict`; empty if the answer is not a `Status`.
    pub reason: String,
    /// The single problems.
    pub causes: Vec<Cause>,
    /// After how many seconds the request should be sent again.
    pub(super) retry_after: Option<u64>,
}

/// One problem of a refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The machine-readable reason: `FieldValueInvalid`, `FieldManagerConflict`.
    pub reason: String,
    /// The server's message.
    pub message: String,
    /// The field: `.spec.replicas`.
    pub field: String,
}

/// The limit for messages in bytes; some servers send whole objects back.
const MESSAGE: usize = 2000;
/// The limit for the number of causes.
const CAUSES: usize = 100;

/// The text before an invalid value in a message.
const VALUE: &str = "Invalid value: ";

/// A message without the objects and lists in it. The message about a refused pod template has the
/// whole template, with the values of its environment variables.
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
    /// Parses the body of an answer. A body that is not a `Status` becomes the message.
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

    /// Whether the object, its namespace or its kind does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Whether the user is not allowed to do this.
    pub(super) fn is_forbidden(&self) -> bool {
        self.code == 403
    }

    /// Whether the requested resource version is too old to be continued from.
    pub(super) fn is_expired(&self) -> bool {
        self.code == 410
    }

    /// Whether the server is overloaded or restarting, so that a later request may succeed.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.code, 429 | 500..=599)
    }

    /// Whether an admission webhook does not support dry runs.
    pub(super) fn is_about_dry_runs(&self) -> bool {
        self.message.contains("does not support dry run")
    }

    /// Whether the object has changed since it was read, which is not a conflict between managers.
    pub(super) fn is_outdated(&self) -> bool {
        self.code == 409 && self.conflicts().is_empty() && self.reason == "Conflict"
    }

    /// Whether the object is invalid. A server answers 500 if an object does not match its schema, so
    /// the message decides.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self.code, 400 | 422)
            || (self.code == 500 && self.message.contains("failed to create typed patch object"))
    }

    /// The fields that other managers own, if the request is refused because of them.
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
            "" => write!(f, "the server responded with status {}", self.code),
            message => write!(f, "{message} ({})", self.code),
        }
    }
}

impl std::error::Error for Refusal {}

impl Diagnose for Refusal {
    fn details(&self) -> Details {
        let code: &'static Code = match self.code {
            401 => {
                return Details::new(&codes::CLUSTER_UNAUTHORIZED).hint(
                    "the server does not accept these credentials: log in to the cluster again",
                );
            }
            403 => &codes::CLUSTER_FORBIDDEN,
            404 if self.reason.is_empty() => {
                return Details::new(&codes::NOT_AN_API_SERVER).hint(
                    "does the server's URL in the kubeconfig belong to a Kubernetes cluster?",
                );
            }
            404 if self.message.starts_with("namespaces \"") => {
                return Details::new(&codes::OBJECT_NOT_FOUND)
                    .hint("create that namespace first, or add a Namespace to the set");
            }
            404 => &codes::OBJECT_NOT_FOUND,
            409 if self.reason == "AlreadyExists" => &codes::OBJECT_EXISTS,
            409 if self.is_outdated() => {
                return Details::new(&codes::OBJECT_CHANGED)
                    .hint("remove `resourceVersion` and `uid` from the manifest's `metadata`");
            }
            409 if !self.conflicts().is_empty() => &codes::FIELD_CONFLICT,
            400 if self.message.contains("managedFields") => {
                return Details::new(&codes::INVALID_OBJECT)
                    .hint("remove `managedFields` from the manifest's `metadata`");
            }
            422 if self.message.contains("field is immutable") => {
                return Details::new(&codes::INVALID_OBJECT)
                    .hint("delete the object first, or give the new one another name");
            }
            _ if self.is_invalid() => &codes::INVALID_OBJECT,
            _ => &codes::CLUSTER_REFUSED,
        };
        Details::new(code)
    }
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field: `.spec.replicas`.
    pub field: String,
    /// The manager: `kubectl-edit`, `kube-controller-manager`.
    pub manager: String,
}

impl Conflict {
    /// A cause's message is `conflict with "MANAGER"`, followed by subresource, version and time.
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
    fn a_conflict_has_field_and_manager() {
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
    fn an_object_that_does_not_match_its_schema_is_invalid_despite_status_500() {
        let body = br#"{"message":"failed to create typed patch object (default/a; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema"}"#;
        assert!(Refusal::parse(500, body).is_invalid());
        assert!(!Refusal::parse(500, b"{}").is_invalid());
    }

    #[test]
    fn a_refused_template_is_not_shown() {
        let message = "Job \"j\" is invalid: [spec.template: Invalid value: {\"Env\":[{\"Value\":\"}s3cret\\\"\"}]}: \
                       field is immutable, spec.ports[0].port: Invalid value: 70000: must be less]";
        let body = serde_json::json!({"message": message}).to_string();
        let refusal = Refusal::parse(422, body.as_bytes());
        assert_eq!(
            refusal.message,
            "Job \"j\" is invalid: [spec.template: Invalid value: …: field is immutable, \
             spec.ports[0].port: Invalid value: 70000: must be less]"
        );
        assert_eq!(*refusal.details().code(), codes::INVALID_OBJECT);
        assert_eq!(without_values("Invalid value: {\"é"), "Invalid value: …");
    }

    #[test]
    fn an_answer_that_is_not_a_status_is_cropped_and_kept() {
        let refusal = Refusal::parse(502, "é".repeat(1 << 20).as_bytes());
        assert_eq!(refusal.code, 502);
        assert!(refusal.message.len() <= MESSAGE + 3);
        assert_eq!(Refusal::parse(502, b"").to_string(), "the server responded with status 502");
    }
}
