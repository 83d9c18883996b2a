//! Builds a second time in another folder and compares, before anything is published.

use super::error::Error;
use super::mismatch::Mismatch;
use super::plan::{Order, Plan};
use super::session::Session;
use crate::cargo::{self, Binary, Elsewhere, Workspace};
use crate::image::{self, ImageDraft};
use crate::reference::CrateReference;
use crate::settings::Settings;

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
                let platform = first.platform().clone();
                let binary = &order.binary;
                mismatches.push(Mismatch::new(binary, platform, differences, copy.folder()));
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
