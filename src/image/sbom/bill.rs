//! Collects everything about an image in an order that is the same everywhere: the image, its base
//! image, the contents of both, and their relationships.

use std::collections::{BTreeMap, BTreeSet};

use super::Materials;
use super::component::{Component, Kind, Relation, purl};
use super::crates::{self, Parts};
use super::packages;

/// An SBOM without a format. The image is its first component.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) created: String,
    pub(super) components: Vec<Component>,
    /// From one component to another, by index.
    pub(super) relations: BTreeSet<(usize, Relation, usize)>,
}

impl Bill {
    /// Collects the components of an image.
    pub(super) fn of(materials: &Materials) -> Self {
        let mut parts = Parts::default();
        let image = parts.add(image(materials));
        let base = base(materials).map(|component| parts.add(component));
        if let Some(base) = base {
            parts.relations.push((image, Relation::BuiltOn, base));
        }
        for package in &materials.packages {
            let place = parts.add(packages::component(package, materials));
            parts.relations.push((base.unwrap_or(image), Relation::Contains, place));
        }
        let crates = crates::parts(materials);
        let first = parts.components.len();
        parts.relations.push((image, Relation::Contains, first + crates.root));
        parts.components.extend(crates.components);
        let moved = crates.relations.into_iter();
        parts.relations.extend(moved.map(|(from, how, to)| (first + from, how, first + to)));
        name(&mut parts.components);
        Self {
            created: materials.created.clone(),
            components: parts.components,
            relations: parts.relations.into_iter().collect(),
        }
    }

    /// The subject of the SBOM.
    pub(super) fn image(&self) -> &Component {
        &self.components[0]
    }

    /// The relationships by their first component.
    pub(super) fn related(&self, place: usize) -> impl Iterator<Item = (Relation, &Component)> {
        let own = self.relations.iter().filter(move |(from, ..)| *from == place);
        own.filter_map(|(_, how, to)| Some((*how, self.components.get(*to)?)))
    }
}

fn image(materials: &Materials) -> Component {
    let digest = materials.digest.to_string();
    let mut image = Component::new(Kind::Image, &materials.image, Some(&digest));
    let arch = BTreeMap::from([("arch", materials.platform.architecture.as_str())]);
    image.purl = Some(purl("oci", "", &materials.image.to_lowercase(), Some(&digest), &arch));
    image.sha256 = Some(materials.digest.hex().to_owned());
    image.note = Some(format!("image for {}", materials.platform));
    image
}

fn base(materials: &Materials) -> Option<Component> {
    let digest = materials.base_digest.as_ref()?;
    let version = digest.to_string();
    let name = materials.base_name.as_ref().map(|name| name.repository.to_string());
    let last = name.as_deref().map_or("static", |name| name.rsplit('/').next().unwrap_or(name));
    let mut base = Component::new(Kind::Image, name.as_deref().unwrap_or(last), Some(&version));
    let repository = name.as_deref().unwrap_or_default();
    let arch = materials.platform.architecture.as_str();
    let qualifiers = BTreeMap::from([("arch", arch), ("repository_url", repository)]);
    base.purl = Some(purl("oci", "", last, Some(&version), &qualifiers));
    base.sha256 = Some(digest.hex().to_owned());
    base.note = Some("the base image".to_owned());
    Some(base)
}

/// Gives every component an ID that is derived from its contents.
fn name(components: &mut [Component]) {
    let mut taken = BTreeSet::new();
    for component in components {
        let kind = match (&component.purl, component.kind) {
            (Some(purl), _) => purl.trim_start_matches("pkg:").split('/').next().unwrap_or("item"),
            (None, Kind::Application | Kind::Library) => "library",
            (None, Kind::Image) => "oci",
            (None, Kind::System) => "system",
        };
        let version = component.version.as_deref().unwrap_or_default();
        let text = format!("{kind}-{}-{version}", component.name);
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let text: String = text.trim_end_matches('-').chars().map(plain).collect();
        let mut id = text.clone();
        let mut count = 1;
        while !taken.insert(id.clone()) {
            count += 1;
            id = format!("{text}-{count}");
        }
        component.id = id;
    }
}
