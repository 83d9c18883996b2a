//! Resolves short names of base images with `registries.conf`.

use crate::image::BaseName;
use crate::oci::Repository;
use crate::registry::{self, LocationFiles};

/// The base that `written` refers to: a short name stands for what `registries.conf` says.
pub(super) fn resolve(
    locations: &LocationFiles,
    base: BaseName,
    written: &str,
) -> Result<BaseName, registry::LocationsError> {
    match base {
        BaseName::Registry(name) if !Repository::names_registry(written) => {
            Ok(BaseName::Registry(locations.read()?.short(&name, written)?))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_looked_up_and_a_full_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("registries.conf");
        std::fs::write(&conf, "unqualified-search-registries = [\"r.example\"]").unwrap();
        let files = LocationFiles { main: vec![conf], ..LocationFiles::default() };
        for (written, means) in [
            ("x:1", "r.example/x:1"),
            ("team/x", "r.example/team/x"),
            ("docker.io/x", "docker.io/library/x"),
            ("localhost/x", "localhost/x"),
            ("static", "static"),
            ("oci:x", "oci:x"),
            ("ko.local/x", "ko.local/x"),
        ] {
            let base = resolve(&files, written.parse().unwrap(), written).unwrap();
            assert_eq!(base.to_string(), means, "{written}");
        }
    }
}
