//! Builds a second time in another folder and compares, before anything is published.

use std::fmt;
use std::path::Path;

use super::error::Error;
use super::plan::{Order, Plan};
use super::session::Session;
use crate::cargo::{self, Binary, Elsewhere, Workspace};
use crate::image::{self, Difference, ImageDraft, What};
use crate::oci::Platform;
use crate::reference::CrateReference;
use crate::settings::Settings;

/// How many differences of one image are listed.
const MOST: usize = 8;

/// An image that differs when it is built in another folder.
#[derive(Debug)]
pub struct Mismatch {
    binary: String,
    platform: Platform,
    differences: Vec<Difference>,
    cause: Cause,
}

/// The most likely cause of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// It contains the folder of the build script of this crate.
    OutDir(String),
    /// It contains the folder of the sources.
    Sources,
    /// Only numbers differ.
    Clock,
    /// Names of symbols differ.
    Symbols,
    /// A file was not copied.
    Ignored,
    /// The configuration of the image differs.
    Configuration,
    /// None of these.
    Unknown,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the image of `{}` for {} differs when it is built in another folder",
            self.binary, self.platform
        )?;
        for difference in self.differences.iter().take(MOST) {
            write!(f, "\n{difference}")?;
        }
        match self.differences.len().checked_sub(MOST) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl Mismatch {
    /// The likely cause, and what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let cause = match &self.cause {
            Cause::OutDir(package) => format!(
                "the build script of `{package}` writes the path of its folder (OUT_DIR) into the program"
            ),
            Cause::Sources => "the program contains the folder of the sources: from `env!(\"CARGO_MANIFEST_DIR\")`, a build script or a macro".to_owned(),
            Cause::Clock => "a build script or macro uses the current time: use SOURCE_DATE_EPOCH instead, which ko-rs sets".to_owned(),
            Cause::Symbols => "names of symbols contain a path: of a path dependency outside the workspace, or in a flag of rustc".to_owned(),
            Cause::Ignored => "files that Git ignores are not part of the second build: commit them, or create them in a build script".to_owned(),
            Cause::Configuration => "a label, variable or annotation depends on where or when the image is built".to_owned(),
            Cause::Unknown => "a build script or macro has a different result each time: random numbers, or the order of a hash map or of files in a folder".to_owned(),
        };
        format!("{cause}; see docs/reproducible.md")
    }
}

impl Session {
    /// Builds a plan here and in another folder, and compares. Differences are an error.
    pub async fn verify(&self, plan: &Plan) -> Result<(), Error> {
        let Some(workspace) = &plan.workspace else { return Ok(()) };
        let orders: Vec<&Order> = plan.orders().collect();
        let first = self.unpublished(workspace, &orders).await?;
        let copy = workspace.copy_elsewhere(&self.settings.registry.temporary).await;
        let copy = copy.map_err(Error::Copy)?;
        self.report.note(format!("building a second time in {}", copy.folder().display()));
        let second = self.build_elsewhere(&copy, &orders).await;
        let second = second.map_err(|source| Error::Second { source: Box::new(source) })?;
        let mut mismatches = Vec::new();
        for ((order, first), second) in orders.iter().zip(&first).zip(&second) {
            for (first, second) in first.iter().zip(second) {
                let found = image::differences(first, second);
                let differences = found.map_err(|source| Error::Compare { source })?;
                if differences.is_empty() {
                    continue;
                }
                let cause = cause(&differences, &order.binary, copy.folder());
                let (binary, platform) = (order.name(), first.platform().clone());
                mismatches.push(Mismatch { binary, platform, differences, cause });
            }
        }
        if !mismatches.is_empty() {
            return Err(Error::Mismatch(mismatches));
        }
        let names: Vec<String> = orders.iter().map(|order| format!("`{}`", order.name())).collect();
        self.report.note(format!("built in two folders, the same: {}", names.join(", ")));
        Ok(())
    }

    async fn build_elsewhere(
        &self,
        copy: &Elsewhere,
        orders: &[&Order],
    ) -> Result<Vec<Vec<ImageDraft>>, Error> {
        let reference = |order: &&Order| {
            let binary = &order.binary;
            CrateReference::bare(&format!("{}#{}", binary.package, binary.bin))
                .map_err(|source| Error::Workspace(cargo::Error::InvalidReference { source }))
        };
        let references: Vec<CrateReference> =
            orders.iter().map(reference).collect::<Result<_, _>>()?;
        let Settings { cargo, cache, .. } = &self.settings;
        let workspace = Workspace::open(&copy.settings(cargo), cache, &self.report, &references);
        let workspace = workspace.map_err(Error::Workspace)?;
        let mut moved = Vec::new();
        for (order, reference) in orders.iter().zip(&references) {
            let binary = workspace.find(reference).map_err(Error::Workspace)?;
            moved.push(order.elsewhere(copy, &binary));
        }
        self.unpublished(&workspace, &moved.iter().collect::<Vec<_>>()).await
    }
}

impl Order {
    /// The same order for a copy of its sources.
    fn elsewhere(&self, copy: &Elsewhere, binary: &Binary) -> Self {
        let mut order = self.clone();
        order.binary = binary.clone();
        for build in &mut order.builds {
            build.binary = binary.clone();
        }
        let recipe = &mut order.recipe;
        recipe.data = recipe.data.as_deref().map(|data| copy.of(data)).filter(|data| data.is_dir());
        recipe.repository_root = recipe.repository_root.as_deref().map(|root| copy.of(root));
        for file in &mut recipe.files {
            file.from = copy.of(&file.from);
        }
        order
    }
}

/// The most specific cause: of the contents of files, else of the configuration.
fn cause(differences: &[Difference], binary: &Binary, copy: &Path) -> Cause {
    let folders = [binary.workspace.as_path(), copy].map(|folder: &Path| folder.to_string_lossy());
    let of = |what: &What| match what {
        What::Only(_) => Some(Cause::Ignored),
        What::Configuration | What::Header | What::Section(_) => None,
        What::Content { section, first, second, .. } => {
            let names = |folder: &str| first.contains(folder) || second.contains(folder);
            if let Some(package) = out_dir(second).or_else(|| out_dir(first)) {
                Some(Cause::OutDir(package))
            } else if folders.iter().any(|folder| names(folder)) {
                Some(Cause::Sources)
            } else if section.as_deref().is_some_and(|name| name.starts_with(".strtab")) {
                Some(Cause::Symbols)
            } else {
                let same = without_digits(first) == without_digits(second);
                (same && first.len() > 3).then_some(Cause::Clock)
            }
        }
    };
    let configuration = || {
        let only = differences.iter().all(|difference| difference.what == What::Configuration);
        if only { Cause::Configuration } else { Cause::Unknown }
    };
    differences.iter().find_map(|difference| of(&difference.what)).unwrap_or_else(configuration)
}

/// The crate whose build script's folder a text contains: `…/build/NAME-HASH/out…`.
fn out_dir(text: &str) -> Option<String> {
    let (_, after) = text.split_once("/build/")?;
    let (name, rest) = after.split_once('/')?;
    let (name, hash) = name.rsplit_once('-')?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && rest.starts_with("out")).then(|| name.to_owned())
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_s_folder_names_its_crate() {
        let text = "/work/target/ko-rs/x86_64/release/build/ring-0123456789abcdef/out/x.o";
        assert_eq!(out_dir(text), Some("ring".to_owned()));
        for text in ["/work/build/ring/out", "/build/a-b/out", "/build/ring-0123456789abcdef/in"] {
            assert_eq!(out_dir(text), None, "{text}");
        }
    }

    #[test]
    fn times_differ_in_digits_alone() {
        assert_eq!(without_digits("built at 12:30:01"), without_digits("built at 12:31:59"));
        assert_ne!(without_digits("seed ab12"), without_digits("seed cd12"));
    }
}
