//! The components of an executable: crates, the libraries in some of them, the standard library and
//! the C library.

use super::component::{Component, Kind, Relation, cpe};
use super::license::License;
use super::{Materials, location, upstream};
use crate::cargo::{Dependencies, Dependency, TargetTriple};

/// Versions of Rust that updated musl, latest first.
const MUSL: [((u32, u32), &str); 3] = [((1, 93), "1.2.5"), ((1, 71), "1.2.3"), ((1, 0), "1.1.24")];

/// Components and their relationships, by index.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) components: Vec<Component>,
    pub(super) relations: Vec<(usize, Relation, usize)>,
    /// The index of the crate of the executable.
    pub(super) root: usize,
}

impl Parts {
    pub(super) fn add(&mut self, component: Component) -> usize {
        self.components.push(component);
        self.components.len() - 1
    }
}

/// The crates come first, in order.
pub(super) fn parts(materials: &Materials) -> Parts {
    let Dependencies { packages, root, rustc, target } = &materials.dependencies;
    let mut parts = Parts { root: *root, ..Parts::default() };
    for (place, package) in packages.iter().enumerate() {
        let mut component = crate_component(package);
        if place == *root {
            component.kind = Kind::Application;
            component.present = true;
        }
        parts.add(component);
    }
    for (place, package) in packages.iter().enumerate() {
        for need in &package.needs {
            let linked = packages.get(*need).is_some_and(|other| other.linked) && package.linked;
            let relation = if linked { Relation::DependsOn } else { Relation::BuiltWith };
            parts.relations.push((place, relation, *need));
        }
        if let Some(mut inside) = upstream::inside(&package.name, &package.version) {
            inside.present = package.linked;
            let inside = parts.add(inside);
            parts.relations.push((place, Relation::Contains, inside));
        }
    }
    toolchain(&mut parts, rustc.as_deref(), target);
    parts
}

fn crate_component(package: &Dependency) -> Component {
    let mut component = Component::new(Kind::Library, &package.name, Some(&package.version));
    component.license = package.license.as_deref().and_then(License::read);
    component.sha256 = package.checksum.clone().filter(|checksum| is_sha256(checksum));
    component.homepage = package.repository.as_deref().and_then(location::public);
    component.present = package.linked;
    location::locate(&mut component, package);
    component
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The standard library, and rustc itself.
fn toolchain(parts: &mut Parts, rustc: Option<&str>, target: &TargetTriple) {
    let root = parts.root;
    let mut std = Component::new(Kind::Library, "rust-std", rustc);
    std.license = License::read("MIT OR Apache-2.0");
    std.cpe = rustc.map(|version| cpe("rust-lang", "rust", version));
    std.homepage = Some("https://github.com/rust-lang/rust".to_owned());
    std.note = Some("the standard library, linked statically".to_owned());
    let std = parts.add(std);
    parts.relations.push((root, Relation::Links, std));

    let mut compiler = Component::new(Kind::Application, "rustc", rustc);
    compiler.license = License::read("MIT OR Apache-2.0");
    compiler.homepage = Some("https://github.com/rust-lang/rust".to_owned());
    compiler.present = false;
    let compiler = parts.add(compiler);
    parts.relations.push((root, Relation::BuiltWith, compiler));

    if target.is_musl() {
        let version = rustc.and_then(musl);
        let mut musl = Component::new(Kind::Library, "musl", version);
        musl.license = License::read("MIT");
        musl.cpe = version.map(|version| cpe("musl-libc", "musl", version));
        musl.homepage = Some("https://musl.libc.org".to_owned());
        musl.note = Some("the C library that comes with rustc, linked statically".to_owned());
        let musl = parts.add(musl);
        parts.relations.push((std, Relation::Links, musl));
    }
}

/// The version of musl in a version of Rust.
fn musl(release: &str) -> Option<&'static str> {
    let mut numbers = release.split('.').map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    MUSL.iter().find(|(first, _)| version >= *first).map(|(_, musl)| *musl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rust_brings_its_musl() {
        for (release, expected) in [
            ("1.95.0", Some("1.2.5")),
            ("1.93.0-nightly", Some("1.2.5")),
            ("1.92.0", Some("1.2.3")),
            ("1.70.0", Some("1.1.24")),
            ("2.0.0", Some("1.2.5")),
            ("unknown", None),
        ] {
            assert_eq!(musl(release), expected, "{release}");
        }
    }
}
