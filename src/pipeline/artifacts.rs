//! Collects artifacts until those for all platforms of an image are complete.

use super::plan::Order;
use crate::cargo::Artifact;

/// The artifacts of each image that are not complete yet.
pub(super) struct Artifacts(Vec<Vec<Option<Artifact>>>);

impl Artifacts {
    /// For images in this order, whose builds are numbered consecutively.
    pub(super) fn of<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Self {
        Self(orders.into_iter().map(|order| vec![None; order.builds.len()]).collect())
    }

    /// Takes in the artifact of a build. Once it is the last of an image, returns the image's index
    /// and all its artifacts.
    pub(super) fn add(
        &mut self,
        mut build: usize,
        artifact: Artifact,
    ) -> Option<(usize, Vec<Artifact>)> {
        for (image, artifacts) in self.0.iter_mut().enumerate() {
            if let Some(place) = artifacts.get_mut(build) {
                *place = Some(artifact);
                let all: Option<Vec<Artifact>> = artifacts.iter().cloned().collect();
                return all.map(|artifacts| (image, artifacts));
            }
            build -= artifacts.len();
        }
        None
    }
}
