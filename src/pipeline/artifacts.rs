//! Collects artifacts until those for all platforms of an image are complete.

/// The artifacts of images that are not complete yet.
pub(super) struct Artifacts<A>(Vec<Vec<Option<A>>>);

impl<A: Clone> Artifacts<A> {
    /// For images with these numbers of builds. The builds of all images are numbered consecutively.
    pub(super) fn of(builds: impl IntoIterator<Item = usize>) -> Self {
        Self(builds.into_iter().map(|count| vec![None; count]).collect())
    }

    /// Takes in the artifact of a build. Once it is the last of an image, returns the image's index
    /// and all its artifacts.
    pub(super) fn add(&mut self, mut build: usize, artifact: A) -> Option<(usize, Vec<A>)> {
        for (image, artifacts) in self.0.iter_mut().enumerate() {
            if let Some(place) = artifacts.get_mut(build) {
                *place = Some(artifact);
                let all: Option<Vec<A>> = artifacts.iter().cloned().collect();
                return all.map(|artifacts| (image, artifacts));
            }
            build -= artifacts.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_complete_with_the_artifacts_of_all_its_platforms() {
        let mut artifacts = Artifacts::of([2, 1]);
        assert_eq!(artifacts.add(1, "a on arm64"), None);
        assert_eq!(artifacts.add(2, "b"), Some((1, vec!["b"])));
        assert_eq!(artifacts.add(0, "a on amd64"), Some((0, vec!["a on amd64", "a on arm64"])));
        assert_eq!(artifacts.add(3, "of no image"), None);
    }
}
