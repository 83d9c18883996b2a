//! Images that a session has built, so that the next round builds only what a change reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::Error;
use super::inputs::Inputs;
use super::plan::{Order, Plan};
use super::run::Built;
use super::session::Session;

/// What was built, by how it was ordered, with the files that it was made from.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<String, (Inputs, Built)>);

impl Known {
    /// Forgets what is made from any of these files.
    pub(crate) fn forget(&mut self, changed: &BTreeSet<PathBuf>) {
        self.0.retain(|_, (inputs, _)| !changed.iter().any(|path| inputs.reach(path)));
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Everything that an image depends on beside files, as a text.
fn key(order: &Order) -> String {
    format!("{order:?}")
}

impl Session {
    /// Builds and publishes the images of a plan that are not known, and returns all of them in the
    /// order of the plan.
    pub(crate) async fn run_unknown(
        &self,
        plan: &Plan,
        known: &mut Known,
    ) -> Result<Vec<Built>, Error> {
        let keys: Vec<String> = plan.orders().map(key).collect();
        known.0.retain(|key, _| keys.contains(key));
        let unknown = plan.only(|order| !known.0.contains_key(&key(order)));
        if unknown.orders().next().is_some() {
            let built = self.run(&unknown).await?;
            for (order, built) in unknown.orders().zip(built) {
                // As they are after the build, which tells of further sources.
                known.0.insert(key(order), (unknown.inputs_of(order), built));
            }
        }
        Ok(keys.iter().filter_map(|key| Some(known.0.get(key)?.1.clone())).collect())
    }
}
