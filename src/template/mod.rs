//! Templates in settings: text with `{{ … }}`, in the syntax of Jinja, that refers to the environment,
//! the time and the Git commit.
//!
//! Defines the names and their values, but not which settings may be templates. An error has the
//! range of the text that it is about.

mod git;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::reference::did_you_mean;

pub(crate) use git::Repository;
use git::{GIT, Git};

/// The top-level names.
const NAMES: [&str; 4] = ["Date", "Env", "Git", "Timestamp"];

/// The names whose values change with every commit or every run.
const VOLATILE: [&str; 9] = [
    "Date",
    "Timestamp",
    "Git.ShortCommit",
    "Git.FullCommit",
    "Git.CommitDate",
    "Git.CommitTimestamp",
    "Git.IsDirty",
    "Git.IsClean",
    "Git.TreeState",
];

/// The values of names in templates.
#[derive(Clone, Debug)]
pub struct Values {
    variables: Arc<Variables>,
    time: i64,
    git: Arc<Git>,
    more: BTreeMap<&'static str, String>,
}

/// A text that is not a valid template, or that uses a value that is not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    reason: String,
    hint: Option<String>,
    /// Where in the text.
    range: Range<usize>,
}

impl Error {
    /// The part of the template that is wrong.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

#[derive(Debug)]
enum Variables {
    /// Every variable is set.
    Any,
    These(BTreeMap<String, String>),
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (&**self, key.as_str()) {
            (Self::Any, _) => Some(Value::from("x")),
            (Self::These(variables), Some(name)) => {
                variables.get(name).map(|v| Value::from(v.clone()))
            }
            (Self::These(_), None) => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::sample()
    }
}

impl Values {
    /// Sample values, to check whether a text is a valid template.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            variables: Arc::new(Variables::Any),
            time: 0,
            git: Arc::new(Git::Sample),
            more: BTreeMap::new(),
        }
    }

    /// The values of variables, of the time in seconds since 1970, and of a Git repository.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, time: i64, repository: Repository) -> Self {
        Self {
            variables: Arc::new(Variables::These(variables)),
            time,
            git: Arc::new(Git::of(repository)),
            more: BTreeMap::new(),
        }
    }

    /// The same values, with `Git.Path…` about a folder.
    #[must_use]
    pub fn about(&self, folder: &std::path::Path) -> Self {
        Self { git: Arc::new(self.git.about(folder)), ..self.clone() }
    }

    /// The same values and one more.
    #[must_use]
    pub fn with(&self, name: &'static str, value: String) -> Self {
        let mut values = self.clone();
        values.more.insert(name, value);
        values
    }

    fn names(&self) -> Vec<&'static str> {
        NAMES.into_iter().chain(self.more.keys().copied()).collect()
    }

    fn context(&self) -> Value {
        let date = jiff::Timestamp::from_second(self.time).unwrap_or_default().to_string();
        let mut names = BTreeMap::from([
            ("Date", Value::from(date)),
            ("Timestamp", Value::from(self.time.to_string())),
            ("Env", Value::from_dyn_object(Arc::clone(&self.variables))),
            ("Git", Value::from_dyn_object(Arc::clone(&self.git))),
        ]);
        names.extend(self.more.iter().map(|(name, value)| (*name, Value::from(value.clone()))));
        Value::from(names)
    }
}

/// Whether a text contains template syntax.
#[must_use]
pub(crate) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|start| text.contains(start))
}

/// Renders a template.
pub(crate) fn render(text: &str, values: &Values) -> Result<String, Error> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    let engine = engine();
    let wrong = |error: minijinja::Error| explained(text, values, &error);
    let template = engine.template_from_str(text).map_err(wrong)?;
    for name in template.undeclared_variables(true) {
        known(text, values, &name)?;
    }
    template.render(values.context()).map_err(wrong)
}

/// The names in a template whose values change with every commit or every run, sorted.
#[must_use]
pub(crate) fn volatile(text: &str) -> BTreeSet<String> {
    let engine = engine();
    let Ok(template) = engine.template_from_str(text) else { return BTreeSet::new() };
    let mut names: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
    names.retain(|name| VOLATILE.contains(&name.as_str()) || name == "Git");
    names
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_formatter(|output, _, value| match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            // Jinja writes `True`; YAML, JSON and ko write `true`.
            let text = match value.kind() {
                ValueKind::Bool => value.is_true().to_string(),
                _ => value.to_string(),
            };
            let failed = |error: std::fmt::Error| error.to_string();
            output
                .write_str(&text)
                .map_err(|error| minijinja::Error::new(ErrorKind::WriteFailure, failed(error)))
        }
        ValueKind::Undefined => Err(ErrorKind::UndefinedError.into()),
        ValueKind::Invalid => {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, value.to_string()))
        }
        kind => Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            format!("expected text, found a {kind}"),
        )),
    });
    engine
}

/// Checks that a name, or a field of `Git`, exists. Variables may have a default, so they are not checked.
fn known(text: &str, values: &Values, name: &str) -> Result<(), Error> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
    let error = |reason, hint| {
        let start = text.find(name).unwrap_or(0);
        Err(Error { reason, hint, range: start..(start + name.len()).min(text.len()) })
    };
    let names = values.names();
    if !names.contains(&first) {
        // Fields of `Git` too: ko's Go templates write `.Git.Branch`.
        let inner: Vec<String> = GIT.iter().map(|key| format!("Git.{key}")).collect();
        let all = names.iter().copied().chain(inner.iter().map(String::as_str));
        return error(format!("`{first}` is not a known name"), did_you_mean(name, all));
    }
    match rest {
        Some(key) if first == "Git" && !GIT.contains(&key) => {
            let hint = did_you_mean(key, GIT.iter().copied());
            error(format!("`Git` has no field `{key}`"), hint)
        }
        Some(key) if !matches!(first, "Git" | "Env") => {
            error(format!("`{first}` is text and has no field `{key}`"), None)
        }
        _ => Ok(()),
    }
}

/// An error of the template engine in our own words.
fn explained(text: &str, values: &Values, error: &minijinja::Error) -> Error {
    let range = error.range().filter(|range| text.get(range.clone()).is_some());
    let range = range.unwrap_or(0..text.len());
    let part = text.get(range.clone()).unwrap_or_default();
    let variable = part.trim().strip_prefix("Env.");
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let (reason, hint) = match (error.kind(), variable) {
        (ErrorKind::UndefinedError, Some(variable)) => {
            let hint = match &*values.variables {
                Variables::These(set) => did_you_mean(variable, set.keys().map(String::as_str)),
                Variables::Any => None,
            };
            let default = format!("set it, or write `{{{{ Env.{variable} | default(\"…\") }}}}`");
            let reason = format!("the environment variable `{variable}` is not set");
            (reason, Some(hint.unwrap_or(default)))
        }
        (ErrorKind::UndefinedError, None) => ("this has no value".to_owned(), None),
        (ErrorKind::SyntaxError, _) if text.contains("{{.") || text.contains("{{ .") => {
            let hint = "write the name without the dot: `{{ Git.ShortCommit }}`".to_owned();
            ("this is the syntax of Go templates".to_owned(), Some(hint))
        }
        (kind, _) => {
            let detail = error.detail().map(str::to_owned).or(cause);
            let detail = detail.unwrap_or_else(|| kind.to_string());
            let is_syntax = kind == ErrorKind::SyntaxError;
            (if is_syntax { format!("syntax error: {detail}") } else { detail }, None)
        }
    };
    Error { reason, hint, range }
}

#[cfg(test)]
mod tests;
