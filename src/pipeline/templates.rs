//! Templates of the settings: filled in for each binary, and told of where they are something else
//! with every commit.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::Order;
use super::{Fault, Pipeline};
use crate::cargo::Binary;
use crate::manifests::{Level, Lint};
use crate::template::{self, Values};

/// A template that makes another image of every commit, or of every run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volatile {
    /// Which of the builds it is said for; none where it is said for all.
    pub build: Option<usize>,
    /// The setting.
    pub key: String,
    /// What it names.
    pub name: String,
    /// The place.
    pub excerpt: String,
}

impl Volatile {
    /// What was found, and where.
    pub(super) fn text(&self) -> String {
        let Self { key, name, excerpt, .. } = self;
        let lint = Lint::VolatileTemplate.name();
        format!("`{name}` in `{key}` makes another image of every commit [{lint}]\n{excerpt}")
    }

    /// The way out.
    pub(super) fn hint(&self) -> String {
        match self.name.strip_prefix("Git.") {
            Some(rest) => {
                format!("`Git.Path{rest}` changes only with commits to the crate's own files")
            }
            None if self.name == "Git" => "name one value: `Git.PathFullCommit`".to_owned(),
            None => "`Git.PathCommitDate` is when the crate's own files last changed".to_owned(),
        }
    }
}

impl Pipeline {
    /// Warns of templates that make another image of every commit, because of which nothing is ever up
    /// to date, in what is said for these binaries; gives back what is denied.
    pub(super) fn volatile(&self, binaries: &[Binary]) -> Vec<Fault> {
        let level = self.lints.of(Lint::VolatileTemplate);
        let mut found: BTreeSet<usize> = BTreeSet::new();
        if level != Level::Off && !self.rules.volatile.is_empty() {
            binaries.iter().for_each(|binary| found.extend(self.rules.volatile_for(binary)));
        }
        let found = found.into_iter().map(|at| &self.rules.volatile[at]);
        if level == Level::Deny {
            return found.cloned().map(Fault::Volatile).collect();
        }
        found.for_each(|volatile| self.report.warn(volatile.text(), Some(volatile.hint())));
        Vec::new()
    }
}

/// A template that cannot be filled in for a binary.
#[derive(Debug, thiserror::Error)]
#[error("could not fill in the template `{text}` for `{binary}`")]
pub struct TemplateError {
    binary: String,
    text: String,
    source: template::Error,
}

impl TemplateError {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.source.hint()
    }
}

/// The order with every template filled in.
pub(super) fn fill(mut order: Order, values: &Values) -> Result<Order, TemplateError> {
    let binary = &order.binary;
    let values = values.about(&binary.folder);
    let fill = |text: &mut String| {
        let filled = template::render(text, &values).map_err(|source| {
            let (binary, text) = (binary.import_path.to_string(), text.clone());
            TemplateError { binary, text, source }
        });
        *text = filled?;
        Ok::<_, TemplateError>(())
    };
    let map = |pairs: &mut BTreeMap<String, String>| pairs.values_mut().try_for_each(fill);
    for build in &mut order.builds {
        build.flags.iter_mut().try_for_each(fill)?;
        build.rustflags.iter_mut().try_for_each(fill)?;
        map(&mut build.environment)?;
    }
    let recipe = &mut order.recipe;
    recipe.args.iter_mut().flatten().try_for_each(fill)?;
    map(&mut recipe.environment)?;
    map(&mut recipe.labels)?;
    map(&mut recipe.annotations)?;
    Ok(order)
}
