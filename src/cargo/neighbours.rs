//! Decides which packages may be compiled in one run of Cargo although each image must be the same
//! as if its package had been compiled alone.
//!
//! Cargo unifies the features of all packages that it builds at once, so a package may enable a
//! feature of a dependency for its neighbours. ko-rs asks Cargo for the unit graph of each package:
//! every crate with its features and profile, for the host or for the target. Packages are compiled
//! together only if their graphs agree on all shared crates, and the graph of all of them is
//! exactly the union of their graphs. Without a graph they are compiled separately.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::facts::Facts;
use super::program;
use super::recipe::{Packages, Recipe};
use super::{Error, Unification};
use crate::cache::Cache;
use crate::oci::Digest;
use crate::process::{self, Limits, Stderr};

const KIND: &str = "cargo-neighbours";

/// The number of concurrent calls of Cargo.
const JOBS: usize = 4;

/// The crates that Cargo would compile, for the host or the target, and how each is compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Units(BTreeMap<String, BTreeSet<String>>);

impl Units {
    fn of(graph: Vec<Unit>) -> Self {
        let mut units = Self::default();
        for Unit { pkg_id, target, profile, platform, mode, features, .. } in graph {
            let UnitTarget { kind, name, .. } = target;
            let unit = format!("{pkg_id} {kind:?} {name} {mode} {platform:?}");
            let way = format!("{features:?} {profile}");
            units.0.entry(unit).or_default().insert(way);
        }
        units
    }

    fn agrees(&self, other: &Self) -> bool {
        self.0.iter().all(|(unit, ways)| other.0.get(unit).is_none_or(|others| others == ways))
    }

    fn add(&mut self, other: &Self) {
        for (unit, ways) in &other.0 {
            self.0.entry(unit.clone()).or_default().extend(ways.iter().cloned());
        }
    }
}

/// Divides packages into runs of Cargo.
pub(crate) async fn runs(
    recipe: &Recipe,
    facts: &Facts,
    packages: Packages,
    cache: &Cache,
) -> Result<Vec<Packages>, Error> {
    if packages.len() < 2 {
        return Ok(vec![packages]);
    }
    if recipe.unification == Unification::Workspace {
        return Ok(by_name(facts, packages));
    }
    // A feature may belong to several packages, so that it cannot be enabled for only one of them.
    if !recipe.default_features {
        return Ok(apart(packages));
    }
    let key = format!(
        "{}\n{:?}\n{}\n{packages:?}",
        facts.fingerprint(),
        recipe.arguments(),
        program::relevant(&recipe.environment)
    );
    let key = Digest::of(key.as_bytes());
    if let Some(known) = cache.record(KIND, &key).filter(|_| facts.kept) {
        return Ok(known);
    }
    let divided = divide(recipe, facts, &packages).await?;
    if facts.kept {
        // A failure to cache the result does not affect this run.
        let _ = cache.put_record(KIND, &key, &divided);
    }
    Ok(divided)
}

/// Divides packages only by the names of their binaries.
fn by_name(facts: &Facts, packages: Packages) -> Vec<Packages> {
    let mut runs: Vec<Packages> = Vec::new();
    for alone in apart(packages) {
        match runs.iter_mut().find(|run| names_differ(facts, run, &alone)) {
            Some(run) => run.extend(alone),
            None => runs.push(alone),
        }
    }
    runs
}

/// Whether packages that are compiled as if alone would have other features together with all
/// packages of their workspace: what does not compile alone may compile there.
pub(crate) async fn are_missed(recipe: &Recipe, packages: &Packages) -> bool {
    if recipe.unification == Unification::Workspace {
        return false;
    }
    let beside = recipe.beside_all();
    let units = async |recipe: &Recipe| {
        let graph = graph(recipe, packages, Stderr::Kept).await;
        graph.ok().flatten().map(Units::of)
    };
    match (units(recipe).await, units(&beside).await) {
        (Some(alone), Some(beside)) => !alone.agrees(&beside),
        _ => false,
    }
}

fn apart(packages: Packages) -> Vec<Packages> {
    packages.into_iter().map(|package| [package].into()).collect()
}

async fn divide(
    recipe: &Recipe,
    facts: &Facts,
    packages: &Packages,
) -> Result<Vec<Packages>, Error> {
    // The first call may make Cargo download what the lock file names, so its output is shown. The
    // others then find everything.
    let mut questions = apart(packages.clone()).into_iter().enumerate();
    let ask = async |(place, alone): (usize, Packages)| {
        let stderr = if place == 0 { Stderr::Shown } else { Stderr::Kept };
        let units = graph(recipe, &alone, stderr).await?.map(Units::of);
        Ok::<_, Error>(units.map(|units| (alone, units)))
    };
    let mut answers = Vec::with_capacity(packages.len());
    if let Some(first) = questions.next() {
        answers.push(ask(first).await?);
    }
    answers.extend(stream::iter(questions).map(ask).buffered(JOBS).try_collect::<Vec<_>>().await?);
    let mut runs: Vec<(Packages, Units)> = Vec::new();
    for answer in answers {
        let Some((alone, units)) = answer else { return Ok(apart(packages.clone())) };
        let fits = |(run, known): &&mut (Packages, Units)| {
            known.agrees(&units) && names_differ(facts, run, &alone)
        };
        match runs.iter_mut().find(fits) {
            Some((run, known)) => {
                known.add(&units);
                run.extend(alone);
            }
            None => runs.push((alone, units)),
        }
    }
    let mut divided = Vec::new();
    for (run, expected) in runs {
        if run.len() == 1
            || graph(recipe, &run, Stderr::Kept).await?.map(Units::of) == Some(expected)
        {
            divided.push(run);
        } else {
            divided.extend(apart(run));
        }
    }
    Ok(divided)
}

/// Whether `--bin` selects exactly the requested binaries: it selects by name in all packages, and
/// executables with the same name overwrite each other.
fn names_differ(facts: &Facts, run: &Packages, alone: &Packages) -> bool {
    let has = |id: &str, bins: &BTreeSet<String>| {
        let mut packages = facts.packages.iter().filter(|package| package.id == id);
        packages.any(|package| package.programs().any(|bin| bins.contains(bin)))
    };
    let mut pairs = run.iter().flat_map(|one| alone.iter().map(move |other| (one, other)));
    pairs.all(|((one, its), (other, others))| !has(one, others) && !has(other, its))
}

/// A unit of the unit graph.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Unit {
    pub(crate) pkg_id: String,
    pub(crate) target: UnitTarget,
    profile: serde_json::Value,
    /// The target triple, or `None` for the host.
    pub(crate) platform: Option<String>,
    mode: String,
    features: Vec<String>,
    pub(crate) dependencies: Vec<Edge>,
}

/// The target of a package that the unit compiles.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UnitTarget {
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
    name: String,
}

/// A dependency on another unit.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Edge {
    pub(crate) index: usize,
}

/// Asks Cargo for its unit graph, or returns `None` if this Cargo does not support it. The flag is
/// unstable, but harmless here, since nothing is compiled.
pub(crate) async fn graph(
    recipe: &Recipe,
    packages: &Packages,
    stderr: Stderr,
) -> Result<Option<Vec<Unit>>, Error> {
    let mut command = recipe.cargo(packages);
    command.args(["--unit-graph", "-Zunstable-options"]).env("RUSTC_BOOTSTRAP", "1");
    let output = process::output(command, Limits { stderr, ..Limits::default() }).await?;
    Ok(if output.status.success() { parse(&output.stdout) } else { None })
}

fn parse(json: &[u8]) -> Option<Vec<Unit>> {
    #[derive(Deserialize)]
    struct Graph {
        version: u32,
        units: Vec<Unit>,
    }
    let graph: Graph = serde_json::from_slice(json).ok()?;
    (graph.version == 1).then_some(graph.units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(units: &[(&str, &str, &str)]) -> Units {
        let units: Vec<String> = units
            .iter()
            .map(|(package, platform, feature)| {
                format!(
                    r#"{{"pkg_id":"{package}","target":{{"kind":["lib"],"name":"n","src_path":"/n"}},"profile":{{}},
                    "platform":{platform},"mode":"build","features":["{feature}"],"dependencies":[]}}"#
                )
            })
            .collect();
        Units::of(
            parse(format!(r#"{{"version":1,"units":[{}]}}"#, units.join(",")).as_bytes()).unwrap(),
        )
    }

    #[test]
    fn packages_agree_if_all_they_share_is_compiled_alike() {
        let a = graph(&[("a", "null", ""), ("shared", "\"musl\"", "x"), ("host", "null", "y")]);
        let b = graph(&[("b", "null", ""), ("shared", "\"musl\"", "x"), ("host", "\"musl\"", "z")]);
        assert!(a.agrees(&b) && b.agrees(&a));
        let c = graph(&[("shared", "\"musl\"", "other")]);
        assert!(!a.agrees(&c) && !c.agrees(&a));
    }

    #[test]
    fn another_version_of_the_answer_is_no_answer() {
        assert!(parse(br#"{"version":2,"units":[]}"#).is_none());
        assert!(parse(b"error").is_none());
    }
}
