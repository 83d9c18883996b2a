//! Errors, warnings and notes as values.

use std::error::Error as StdError;

use serde::Serialize;

use super::Code;
use crate::source::Spot;

/// How serious a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Severity {
    /// The run fails.
    Error,
    /// The run goes on; the result may surprise.
    Warning,
    /// A choice that was made for the user, or additional information.
    Note,
}

/// What a run reports about its input or its surroundings. It holds no text drawn for a terminal:
/// excerpts are made from [`Spot`]s where it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// Its stable name; a note may have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub code: Option<&'static Code>,
    /// What is wrong, and with what.
    pub message: String,
    /// What led to it, from the outermost cause to the root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The places in manifests or settings that it is about, the main one first. Those with a label
    /// are drawn; those without, after the first, are only listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spots: Vec<Spot>,
    /// What to do about it, each hint an alternative.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error as a diagnostic: its message and sources become message and causes.
    #[must_use]
    pub fn of(error: &(impl Diagnose + ?Sized)) -> Self {
        let Details { code, spots, hints } = error.details();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(source) = cause {
            causes.push(source.to_string());
            cause = source.source();
        }
        let message = error.to_string();
        let code = (!code.name.is_empty()).then_some(code);
        Self { severity: Severity::Error, code, message, causes, spots, hints }
    }

    /// A warning.
    #[must_use]
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code: Some(code), ..Self::note(message) }
    }

    /// A note.
    #[must_use]
    pub fn note(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            code: None,
            message: message.into(),
            causes: Vec::new(),
            spots: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with one more place.
    #[must_use]
    pub fn spot(mut self, spot: Spot) -> Self {
        self.spots.push(spot);
        self
    }
}

/// An error that can be shown to a user.
///
/// [`Diagnose::details`] is one exhaustive match. A variant that only adds which operation failed
/// returns the details of the error that it wraps, so that code and hints come from where the
/// failure is known best.
pub trait Diagnose: StdError {
    /// The code of the error, the places it is about and what to do about it.
    fn details(&self) -> Details;
}

/// What [`Diagnose`] adds to the message and the sources of an error.
#[derive(Clone, Debug)]
pub struct Details {
    code: &'static Code,
    spots: Vec<Spot>,
    hints: Vec<String>,
}

impl Details {
    /// The details of an error that needs no hint.
    #[must_use]
    pub fn new(code: &'static Code) -> Self {
        Self { code, spots: Vec::new(), hints: Vec::new() }
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with more hints; an `Option` is none or one.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// The same with one more place.
    #[must_use]
    pub fn spot(mut self, spot: Spot) -> Self {
        self.spots.push(spot);
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        self.code
    }
}

/// An error and its causes on one line.
pub(crate) fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Exit;
    use crate::source::Source;

    static MISSING: Code =
        Code { name: "missing", exit: Some(Exit::Failure), meaning: "", explanation: "" };

    #[derive(Debug, thiserror::Error)]
    #[error("could not read `a`")]
    struct Inner(#[source] std::io::Error);

    impl Diagnose for Inner {
        fn details(&self) -> Details {
            let source = Source::new("x.yaml", "a: b\n");
            Details::new(&MISSING).spot(source.spot(3..4, "here")).hint("create it").hints(None)
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("could not start")]
    struct Outer(#[source] Inner);

    impl Diagnose for Outer {
        fn details(&self) -> Details {
            self.0.details()
        }
    }

    #[test]
    fn a_diagnostic_has_the_causes_of_an_error_and_the_details_of_the_innermost() {
        let error = Outer(Inner(std::io::Error::other("gone")));
        let json = serde_json::to_value(Diagnostic::of(&error)).unwrap();
        let expected = serde_json::json!({
            "severity": "error",
            "code": "missing",
            "message": "could not start",
            "causes": ["could not read `a`", "gone"],
            "spots": [{
                "file": "x.yaml", "line": 1, "column": 4, "span": {"start": 3, "end": 4},
                "label": "here", "text": "a: b", "highlight": {"start": 3, "end": 4},
            }],
            "hints": ["create it"],
        });
        assert_eq!(json, expected);
    }
}
