//! Finds out why Cargo failed where the reason is outside of Cargo: a compiler, a library or a tool
//! that is not installed, or a library that is not for the target.
//!
//! The user has seen Cargo's own output. If a build script failed, Cargo is run again to read that
//! output; the output of a linker is kept by the script that runs it.

mod build_script;
mod linker;

use super::cause::{Cause, Problem};
use super::messages::{BuildMessages, Package};
use super::recipe::{Packages, Recipe, specification};
use super::zig::Zig;
use crate::process::{self, Limits};

/// Finds the reasons why Cargo failed.
pub(crate) async fn causes(
    recipe: &Recipe,
    packages: &Packages,
    messages: &BuildMessages,
) -> Vec<Cause> {
    let mut found: Vec<(Option<Package>, Problem)> = Vec::new();
    if !messages.unfinished_build_scripts().is_empty() {
        let mut command = recipe.cargo(packages);
        command.arg("--keep-going").env("CARGO_TERM_COLOR", "never");
        if let Ok(output) = process::output(command, Limits::default()).await {
            let zig = Zig::find(&recipe.environment, &recipe.root);
            let compilers = recipe.compiler.of_zig(&recipe.tools);
            found.extend(build_script::failures(&output.stderr).filter_map(|(package, text)| {
                let problem = build_script::problem(&package, text, &compilers, zig.as_ref());
                Some((Some(package), problem?))
            }));
        }
    }
    for text in recipe.tools.linker_output() {
        found.extend(linker::problems(&text, messages));
    }
    found.sort();
    found.dedup();
    let mut causes = Vec::new();
    for (package, problem) in found {
        let dependents = match &package {
            Some(package) => dependents(recipe, packages, package).await,
            None => Vec::new(),
        };
        let name = package.as_ref().map(ToString::to_string);
        causes.push(Cause { package: name, dependents, problem, target: recipe.target.clone() });
    }
    causes
}

/// What depends on a crate: one path from it up to a package of the workspace.
async fn dependents(recipe: &Recipe, packages: &Packages, package: &Package) -> Vec<String> {
    let mut command = process::command("cargo", &recipe.environment, &recipe.root);
    command.args(["tree", "--prefix", "depth", "-e", "normal,build", "--target"]);
    command.args([recipe.target.as_str(), "-i", &package.specification()]);
    for package in packages.keys() {
        command.args(["-p", &specification(package)]);
    }
    match process::output(command, Limits::default()).await {
        Ok(output) => path_up(&output.text()),
        Err(_) => Vec::new(),
    }
}

fn path_up(tree: &str) -> Vec<String> {
    let mut path = Vec::new();
    for line in tree.lines().skip(1) {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        // Before the dependents of a build dependency there is a heading.
        if name.starts_with('[') {
            continue;
        }
        let depth = line[..line.len() - name.len()].parse::<usize>();
        if depth != Ok(path.len() + 1) {
            break;
        }
        path.push(format!("`{}`", name.split(" (").next().unwrap_or(name).trim()));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_up_ends_at_a_package_of_the_workspace() {
        let tree =
            "0ring v0.17.14\n1rustls v0.23.0\n2link-service v0.1.0 (/home/x/svc)\n1other v1.0.0\n";
        assert_eq!(path_up(tree), ["`rustls v0.23.0`", "`link-service v0.1.0`"]);
        let tree = "0prost-build v0.14.1\n[build-dependencies]\n1mine v0.1.0 (/home/x/svc)\n";
        assert_eq!(path_up(tree), ["`mine v0.1.0`"]);
    }
}
