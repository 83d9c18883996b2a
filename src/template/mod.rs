//! Texts of settings with `{{ … }}` in them, which name the environment, the time and the Git
//! commit, in the syntax of Jinja.
//!
//! Knows the names and what they stand for; not which settings may be templates. A name that is
//! none, or a group where one value belongs, is an error that points at it.

mod git;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::reference::did_you_mean;

pub use git::Repository;
use git::{GIT, Git};

/// The names that stand alone.
const NAMES: [&str; 4] = ["Date", "Env", "Git", "Timestamp"];

/// Those that are others with every commit or every run.
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

/// What names in templates stand for.
#[derive(Clone, Debug)]
pub struct Values {
    variables: Arc<Variables>,
    time: i64,
    git: Arc<Git>,
    more: BTreeMap<&'static str, String>,
}

/// Why a text is no template, or one that nothing can be put into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    reason: String,
    hint: Option<String>,
    /// Where in the text.
    range: Range<usize>,
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// The part of the template that is wrong.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

#[derive(Debug)]
enum Variables {
    /// Whatever is asked for is set.
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
    /// What stands for anything: to find out whether a text is a template.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            variables: Arc::new(Variables::Any),
            time: 0,
            git: Arc::new(Git::Sample),
            more: BTreeMap::new(),
        }
    }

    /// These variables, this time in seconds since 1970, and what Git says of a folder.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, time: i64, repository: Repository) -> Self {
        Self {
            variables: Arc::new(Variables::These(variables)),
            time,
            git: Arc::new(Git::of(repository)),
            more: BTreeMap::new(),
        }
    }

    /// The same for what lies in a folder: `Git.Path…` is of it.
    #[must_use]
    pub fn about(&self, folder: &std::path::Path) -> Self {
        Self { git: Arc::new(self.git.about(folder)), ..self.clone() }
    }

    /// The same with another name.
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

/// Whether there is anything in a text to be replaced.
#[must_use]
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|start| text.contains(start))
}

/// The text with everything in its place.
pub fn render(text: &str, values: &Values) -> Result<String, Error> {
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

/// The names in a template that stand for something else with every commit or every run, in order.
#[must_use]
pub fn volatile(text: &str) -> BTreeSet<String> {
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
            // Jinja writes `True`; every other language of settings, and ko, `true`.
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
            format!("a text belongs here, and this is a {kind}"),
        )),
    });
    engine
}

/// Whether a name, or a name in `Git`, is one. Variables may have a default where they are used.
fn known(text: &str, values: &Values, name: &str) -> Result<(), Error> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
    let error = |reason, hint| {
        let start = text.find(name).unwrap_or(0);
        Err(Error { reason, hint, range: start..(start + name.len()).min(text.len()) })
    };
    let names = values.names();
    if !names.contains(&first) {
        // What stands beside it in Go's templates: `.Git.Branch`.
        let inner: Vec<String> = GIT.iter().map(|key| format!("Git.{key}")).collect();
        let all = names.iter().copied().chain(inner.iter().map(String::as_str));
        return error(format!("`{first}` stands for nothing"), did_you_mean(name, all));
    }
    match rest {
        Some(key) if first == "Git" && !GIT.contains(&key) => {
            let hint = did_you_mean(key, GIT.iter().copied());
            error(format!("`Git` has no `{key}`"), hint)
        }
        Some(key) if !matches!(first, "Git" | "Env") => {
            error(format!("`{first}` is a text and has no `{key}`"), None)
        }
        _ => Ok(()),
    }
}

/// An error of the engine, said in this module's words.
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
            (format!("the variable `{variable}` is not set"), Some(hint.unwrap_or(default)))
        }
        (ErrorKind::UndefinedError, None) => ("this stands for nothing".to_owned(), None),
        (ErrorKind::SyntaxError, _) if text.contains("{{.") || text.contains("{{ .") => {
            let reason = "this is Go's syntax for templates".to_owned();
            (reason, Some("write it without the dot: `{{ Git.ShortCommit }}`".to_owned()))
        }
        _ => {
            let detail = error.detail().map(str::to_owned).or(cause);
            let reason = detail.map_or_else(
                || error.kind().to_string(),
                |detail| match error.kind() {
                    ErrorKind::SyntaxError => format!("syntax error: {detail}"),
                    _ => detail,
                },
            );
            (reason, None)
        }
    };
    Error { reason, hint, range }
}

#[cfg(test)]
mod tests;
