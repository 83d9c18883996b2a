//! The packages of the distribution of a base image.

use std::collections::BTreeMap;

use super::Materials;
use super::component::{Component, Kind, purl};
use super::license::License;
use crate::image::packages::{Package, PackageKind};

/// The component of a package, with the names that Debian and Alpine use in package URLs.
pub(super) fn component(package: &Package, materials: &Materials) -> Component {
    let (kind, usual) = match package.kind {
        PackageKind::Deb => ("deb", "debian"),
        PackageKind::Apk => ("apk", "alpine"),
    };
    let named = materials.distribution.as_deref().filter(|id| !id.is_empty());
    let id = named.unwrap_or(usual).to_lowercase();
    let version = materials.distribution_version.as_deref().filter(|version| !version.is_empty());
    let distribution = version.map_or_else(|| id.clone(), |version| format!("{id}-{version}"));
    let source = package.source.as_deref().filter(|source| *source != package.name);
    let upstream = match (source, &package.source_version) {
        (Some(source), Some(version)) => format!("{source}@{version}"),
        (source, _) => source.unwrap_or_default().to_owned(),
    };
    let qualifiers = BTreeMap::from([
        ("arch", package.architecture.as_str()),
        ("distro", distribution.as_str()),
        ("upstream", upstream.as_str()),
    ]);
    let mut component = Component::new(Kind::System, &package.name, Some(&package.version));
    component.purl = Some(purl(kind, &id, &package.name, Some(&package.version), &qualifiers));
    component.license = package.license.as_deref().and_then(License::read);
    component
}
