//! Finds entries of `builds[]` that match no crate: a misspelt name would otherwise have no effect
//! without a word.

use super::codes;
use super::rules::{BuildRule, Rules};
use crate::cargo::{Binary, Workspace};
use crate::reference::did_you_mean;
use crate::report::{Details, Diagnose};
use crate::source::Spot;

/// An entry of `builds[]` that matches no crate.
#[derive(Debug, thiserror::Error)]
#[error("`builds` in the settings refers to {missing}")]
pub struct UnknownBuild {
    missing: String,
    /// Where the settings file has it.
    spot: Option<Spot>,
    suggestion: Option<String>,
}

impl Diagnose for UnknownBuild {
    fn details(&self) -> Details {
        let details = Details::new(&codes::UNKNOWN_BUILD).hints(self.suggestion.clone());
        self.spot.iter().cloned().fold(details, Details::spot)
    }
}

impl Rules {
    /// The entries of `builds[]` that match no binary. Crates in other workspaces of the repository
    /// are not unknown: they may be built another time.
    #[must_use]
    pub fn unknown(&self, workspace: &Workspace) -> Vec<UnknownBuild> {
        let binaries = workspace.every_binary();
        let unknown =
            self.builds.iter().filter(|rule| !binaries.iter().any(|b| rule.applies_to(b)));
        unknown.filter_map(|rule| rule.why_unknown(workspace, &binaries)).collect()
    }
}

impl BuildRule {
    fn why_unknown(&self, workspace: &Workspace, binaries: &[Binary]) -> Option<UnknownBuild> {
        let package = Self { bin: None, ..self.clone() };
        let of_package: Vec<&Binary> =
            binaries.iter().filter(|binary| package.applies_to(binary)).collect();
        let is_elsewhere = || match (&self.folder, &self.package) {
            (Some(folder), _) => folder.join("Cargo.toml").is_file(),
            (None, Some(package)) => workspace.is_elsewhere(package),
            (None, None) => true,
        };
        let (missing, spot, suggestion) = match (&self.bin, of_package.first()) {
            (Some(bin), Some(first)) => (
                format!("the binary `{bin}`, which `{}` does not have", first.package),
                &self.bin_spot,
                did_you_mean(bin, of_package.iter().map(|binary| binary.bin.as_str())),
            ),
            (None, Some(_)) => return None,
            (_, None) if is_elsewhere() => return None,
            (_, None) => match (&self.package, &self.folder) {
                (Some(package), _) => (
                    format!("the package `{package}`, which does not exist or has no binary"),
                    &self.spot,
                    did_you_mean(package, binaries.iter().map(|b| b.package.as_str())),
                ),
                (None, Some(folder)) => {
                    let missing =
                        format!("the folder `{}`, which has no package", folder.display());
                    (missing, &self.spot, None)
                }
                (None, None) => return None,
            },
        };
        Some(UnknownBuild { missing, spot: spot.clone(), suggestion })
    }
}
