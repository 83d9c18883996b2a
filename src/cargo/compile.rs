//! Runs Cargo for builds, as few times as possible, and passes on the executables.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use super::explain;
use super::interrupted::Building;
use super::messages::{BuildMessages, Executable};
use super::neighbours;
use super::recipe::{Alike, Packages, Recipe};
use super::{Artifact, Binary, Build, Error, Workspace};
use crate::oci::Search;
use crate::oci::file::OpenedFile;
use crate::process::{self, Group};
use crate::report::{Event, Reporter};

pub(crate) async fn compile(
    workspace: &Workspace,
    builds: &[Build],
    report: &Reporter,
    on_artifact: &mut (dyn FnMut(usize, Artifact) + Send),
) -> Result<(), Error> {
    let mut alike: BTreeMap<Alike<'_>, Vec<usize>> = BTreeMap::new();
    for (index, build) in builds.iter().enumerate() {
        alike.entry(Alike::of(build)?).or_default().push(index);
    }
    let mut failed = Vec::new();
    let mut causes = Vec::new();
    let mut alone = None;
    for (alike, indexes) in alike {
        let facts = workspace.facts_of(alike.root)?;
        let recipe = Recipe::make(workspace, facts, &alike, report).await?;
        let mut packages = Packages::new();
        for &index in &indexes {
            let binary = &builds[index].binary;
            packages.entry(binary.package_id.clone()).or_default().insert(binary.bin.clone());
        }
        for packages in neighbours::runs(&recipe, facts, packages, &workspace.cache).await? {
            let part: Vec<usize> = indexes
                .iter()
                .copied()
                .filter(|&index| packages.contains_key(&builds[index].binary.package_id))
                .collect();
            match run(&recipe, &packages, builds, &part, report, on_artifact).await {
                Err(Error::Compile { binaries, causes: more, alone: by_itself }) => {
                    failed.extend(binaries);
                    causes.extend(more);
                    alone = alone.or(by_itself);
                }
                other => other?,
            }
        }
    }
    causes.sort();
    causes.dedup();
    if failed.is_empty() { Ok(()) } else { Err(Error::Compile { binaries: failed, causes, alone }) }
}

async fn run(
    recipe: &Recipe,
    packages: &Packages,
    builds: &[Build],
    indexes: &[usize],
    report: &Reporter,
    on_artifact: &mut (dyn FnMut(usize, Artifact) + Send),
) -> Result<(), Error> {
    let mut missing: BTreeSet<usize> = indexes.iter().copied().collect();
    let names = |indexes: &BTreeSet<usize>| -> Vec<String> {
        let names: BTreeSet<String> = indexes.iter().map(|&i| name(&builds[i].binary)).collect();
        names.into_iter().collect()
    };
    report.send(Event::Compiling { binaries: names(&missing), target: recipe.target.to_string() });
    let mut command = recipe.cargo(packages);
    command.args(["--message-format=json-render-diagnostics", "--keep-going"]);
    command.stderr(Stdio::inherit());
    let shown = process::shown(&command);
    report.detail(shown.clone());
    let lost = |source| process::Error::Read { command: shown.clone(), source };
    recipe.tools.forget_failures();
    let building = begin(recipe, report);
    let mut group = Group::start(command)?;
    let mut messages = BuildMessages::default();
    if let Some(stdout) = group.stdout() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.map_err(lost)? {
            let Some(Executable { package_id, bin, path }) = messages.read(&line) else { continue };
            let asked = |index: &usize| {
                let binary = &builds[*index].binary;
                binary.package_id == package_id && binary.bin == bin
            };
            let here: Vec<usize> = missing.iter().copied().filter(asked).collect();
            if here.is_empty() {
                continue;
            }
            let opened = OpenedFile::open(&path);
            let executable = opened.map_err(|source| Error::Executable { path, source })?;
            let executable = executable.searched(Search::new(recipe.stray.clone()));
            for index in here {
                missing.remove(&index);
                let Build { binary, platform, .. } = &builds[index];
                let (binary, platform) = (binary.clone(), platform.clone());
                let target = recipe.target.clone();
                let executable = executable.clone();
                on_artifact(index, Artifact { binary, platform, target, executable });
            }
        }
    }
    let status = group.wait().await.map_err(lost)?;
    building.into_iter().for_each(Building::ended);
    match (status.success(), missing.first()) {
        (true, None) => Ok(()),
        (true, Some(&index)) => Err(Error::NoExecutable { binary: name(&builds[index].binary) }),
        (false, _) => {
            let causes = explain::causes(recipe, packages, &messages).await;
            recipe.tools.forget_failures();
            // Cargo failed although all executables are complete: something that they do not need
            // failed.
            let binaries =
                if missing.is_empty() { indexes.iter().copied().collect() } else { missing };
            let mut alone = None;
            if causes.is_empty() && neighbours::are_missed(recipe, packages).await {
                alone = binaries.first().map(|&index| builds[index].binary.package.clone());
            }
            Err(Error::Compile { binaries: names(&binaries), causes, alone })
        }
    }
}

/// Notes that incremental caches are being written, and removes those of a build that was killed.
fn begin(recipe: &Recipe, report: &Reporter) -> Option<Building> {
    let folder = recipe.incremental.as_ref()?;
    match Building::begin(folder) {
        Ok((building, removed)) => {
            if removed > 0 {
                report.detail(format!("removed {removed} incremental caches of a killed build"));
            }
            Some(building)
        }
        Err(error) => {
            report.detail(format!("could not note the build in `{}`: {error}", folder.display()));
            None
        }
    }
}

/// `package`, or `package#bin` where the names differ.
fn name(binary: &Binary) -> String {
    if binary.package == binary.bin {
        binary.package.clone()
    } else {
        format!("{}#{}", binary.package, binary.bin)
    }
}
