//! What was put in the place of what, written for other tools, so that ko-rs can build for them:
//! kustomize, Helm, kbld, imgpkg and Skaffold put the images in themselves then.

mod written;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::json;

use crate::manifests::codes;
use crate::manifests::yaml::quote::{self, Style};
use crate::report::{Details, Diagnose};

/// A name in manifests, and the image that is meant by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// As it is written: a reference or an image, with a tag where it has one.
    pub written: String,
    /// The same without tag and digest.
    pub name: String,
    /// What stands there instead.
    pub image: String,
    /// The executable's name.
    pub bin: String,
}

/// Who reads a file of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A component with `images`.
    Kustomize,
    /// Values: under `images` and the executable's name `image`, `repository`, `tag` and `digest`.
    Helm,
    /// A `Config` with `overrides`, as kbld's own lock file is.
    Kbld,
    /// An `ImagesLock`.
    Imgpkg,
    /// What `skaffold build --file-output` writes.
    Skaffold,
}

const READERS: [(&str, Reader); 5] = [
    ("kustomize", Reader::Kustomize),
    ("helm", Reader::Helm),
    ("kbld", Reader::Kbld),
    ("imgpkg", Reader::Imgpkg),
    ("skaffold", Reader::Skaffold),
];

/// A file that shall hold the images, and who reads it: `kustomize=images/kustomization.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagesFile {
    /// Who reads it.
    pub reader: Reader,
    /// The file.
    pub path: PathBuf,
}

/// A text that names no such file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not TOOL=FILE with one of kustomize, helm, kbld, imgpkg and skaffold as TOOL")]
pub struct InvalidImagesFile(String);

/// Images that cannot be written for a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Two executables have the same name.
    #[error(
        "the images of `{first}` and `{second}` would both be `images.{bin}` in the values of Helm"
    )]
    SameBin {
        /// One image.
        first: String,
        /// The other.
        second: String,
        /// The name of both executables.
        bin: String,
    },
    /// An image without a digest.
    #[error("imgpkg requires digests, but `{0}` has none")]
    NoDigest(String),
}

impl Diagnose for Unwritable {
    fn details(&self) -> Details {
        match self {
            Self::SameBin { .. } => Details::new(&codes::SAME_IMAGE_KEY)
                .hint("rename one of the executables, or write the files in two runs"),
            Self::NoDigest(_) => Details::new(&codes::IMAGE_WITHOUT_DIGEST)
                .hint("push to a registry: a Docker Engine does not know digests"),
        }
    }
}

impl FromStr for ImagesFile {
    type Err = InvalidImagesFile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidImagesFile(text.to_owned());
        let (tool, path) = text.split_once('=').ok_or_else(invalid)?;
        let reader = READERS.iter().find(|(name, _)| *name == tool).ok_or_else(invalid)?.1;
        if path.is_empty() { Err(invalid()) } else { Ok(Self { reader, path: path.into() }) }
    }
}

/// An image's name and what follows it.
struct Parts<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// Takes a name apart. It need be none that a registry has: images are put into folders too.
fn parts(image: &str) -> Parts<'_> {
    let (image, digest) = match image.split_once('@') {
        Some((image, digest)) => (image, Some(digest)),
        None => (image, None),
    };
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].find(':') {
        Some(colon) => {
            let (name, tag) = image.split_at(last + colon);
            Parts { name, tag: Some(&tag[1..]), digest }
        }
        None => Parts { name: image, tag: None, digest },
    }
}

/// A name without tag and digest.
pub(crate) fn without_tag(image: &str) -> &str {
    parts(image).name
}

impl Reader {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        READERS.iter().find(|(_, reader)| *reader == self).map_or("", |(name, _)| name)
    }

    /// The text of a file for this reader.
    pub fn write(self, replacements: &[Replacement]) -> Result<String, Unwritable> {
        match self {
            Self::Kustomize => Ok(kustomize(replacements)),
            Self::Helm => helm(replacements),
            Self::Kbld => Ok(kbld(replacements)),
            Self::Imgpkg => imgpkg(replacements),
            Self::Skaffold => Ok(skaffold(replacements)),
        }
    }
}

/// Lines of YAML with one value each.
struct Yaml(String);

impl Yaml {
    fn of(head: &str) -> Self {
        Self(head.to_owned())
    }

    fn line(&mut self, key: &str, value: &str) {
        // A string takes every write.
        let _ = writeln!(self.0, "{key}: {}", quote::write(value, Style::Plain));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(key, value);
        }
    }
}

/// Each name once, in the order of names.
fn by_name(replacements: &[Replacement]) -> BTreeMap<&str, &Replacement> {
    replacements.iter().map(|one| (one.name.as_str(), one)).collect()
}

/// Each text once, in the order of texts.
fn by_text(replacements: &[Replacement]) -> BTreeMap<&str, &Replacement> {
    replacements.iter().map(|one| (one.written.as_str(), one)).collect()
}

fn kustomize(replacements: &[Replacement]) -> String {
    let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    if replacements.is_empty() {
        return format!("{head}images: []\n");
    }
    let mut yaml = Yaml::of(&format!("{head}images:\n"));
    for (name, one) in by_name(replacements) {
        let Parts { name: new, tag, digest } = parts(&one.image);
        yaml.line("- name", name);
        yaml.line("  newName", new);
        // Of both, the digest decides, and older releases take one alone.
        yaml.optional("  newTag", tag.filter(|_| digest.is_none()));
        yaml.optional("  digest", digest);
    }
    yaml.0
}

fn helm(replacements: &[Replacement]) -> Result<String, Unwritable> {
    let mut bins: BTreeMap<&str, &Replacement> = BTreeMap::new();
    for one in replacements {
        match bins.insert(&one.bin, one) {
            Some(other) if other.image != one.image => {
                return Err(Unwritable::SameBin {
                    first: other.name.clone(),
                    second: one.name.clone(),
                    bin: one.bin.clone(),
                });
            }
            _ => {}
        }
    }
    if bins.is_empty() {
        return Ok("images: {}\n".to_owned());
    }
    let mut yaml = Yaml::of("images:\n");
    for (bin, one) in bins {
        let Parts { name, tag, digest } = parts(&one.image);
        let _ = writeln!(yaml.0, "  {}:", quote::write(bin, Style::Plain));
        yaml.line("    image", &one.image);
        yaml.line("    repository", name);
        yaml.optional("    tag", tag);
        yaml.optional("    digest", digest);
    }
    Ok(yaml.0)
}

fn kbld(replacements: &[Replacement]) -> String {
    let head = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n";
    if replacements.is_empty() {
        return format!("{head}overrides: []\n");
    }
    let mut yaml = Yaml::of(&format!("{head}overrides:\n"));
    for (written, one) in by_text(replacements) {
        yaml.line("- image", written);
        yaml.line("  newImage", &one.image);
        yaml.0.push_str("  preresolved: true\n");
    }
    yaml.0
}

fn imgpkg(replacements: &[Replacement]) -> Result<String, Unwritable> {
    let head = "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n";
    if replacements.is_empty() {
        return Ok(format!("{head}images: []\n"));
    }
    let mut yaml = Yaml::of(&format!("{head}images:\n"));
    for (written, one) in by_text(replacements) {
        let Parts { name, digest, .. } = parts(&one.image);
        let digest = digest.ok_or_else(|| Unwritable::NoDigest(one.image.clone()))?;
        yaml.line("- image", &format!("{name}@{digest}"));
        yaml.0.push_str("  annotations:\n");
        yaml.line("    kbld.carvel.dev/id", written);
    }
    Ok(yaml.0)
}

fn skaffold(replacements: &[Replacement]) -> String {
    let builds = by_name(replacements);
    let builds = builds.iter().map(|(name, one)| json!({"imageName": name, "tag": one.image}));
    format!("{}\n", json!({"builds": builds.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replacements() -> Vec<Replacement> {
        let one = |written: &str, image: &str, bin: &str| Replacement {
            written: written.to_owned(),
            name: without_tag(written).to_owned(),
            image: image.to_owned(),
            bin: bin.to_owned(),
        };
        vec![
            one("ko://user", "localhost:5000/user:v1@sha256:1b", "user"),
            one("x/link:0.3", "localhost:5000/link@sha256:0a", "link"),
            one("x/link:0.2", "localhost:5000/link@sha256:0a", "link"),
        ]
    }

    #[test]
    fn kustomize_replaces_by_name() {
        insta::assert_snapshot!(Reader::Kustomize.write(&replacements()).unwrap(), @"
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        images:
        - name: ko://user
          newName: localhost:5000/user
          digest: sha256:1b
        - name: x/link
          newName: localhost:5000/link
          digest: sha256:0a
        ");
        let mut tagged = replacements();
        tagged.truncate(1);
        tagged[0].image = "r/user:0.10".to_owned();
        let text = Reader::Kustomize.write(&tagged).unwrap();
        assert!(text.ends_with("  newName: r/user\n  newTag: '0.10'\n"), "{text}");
    }

    #[test]
    fn helm_has_values_by_executable() {
        insta::assert_snapshot!(Reader::Helm.write(&replacements()).unwrap(), @"
        images:
          link:
            image: localhost:5000/link@sha256:0a
            repository: localhost:5000/link
            digest: sha256:0a
          user:
            image: localhost:5000/user:v1@sha256:1b
            repository: localhost:5000/user
            tag: v1
            digest: sha256:1b
        ");
        let mut same = replacements();
        same[1].bin = "user".to_owned();
        assert!(matches!(Reader::Helm.write(&same), Err(Unwritable::SameBin { .. })));
    }

    #[test]
    fn kbld_and_imgpkg_lock_what_is_written() {
        insta::assert_snapshot!(Reader::Kbld.write(&replacements()).unwrap(), @"
        apiVersion: kbld.k14s.io/v1alpha1
        kind: Config
        overrides:
        - image: ko://user
          newImage: localhost:5000/user:v1@sha256:1b
          preresolved: true
        - image: x/link:0.2
          newImage: localhost:5000/link@sha256:0a
          preresolved: true
        - image: x/link:0.3
          newImage: localhost:5000/link@sha256:0a
          preresolved: true
        ");
        insta::assert_snapshot!(Reader::Imgpkg.write(&replacements()).unwrap(), @"
        apiVersion: imgpkg.carvel.dev/v1alpha1
        kind: ImagesLock
        images:
        - image: localhost:5000/user@sha256:1b
          annotations:
            kbld.carvel.dev/id: ko://user
        - image: localhost:5000/link@sha256:0a
          annotations:
            kbld.carvel.dev/id: x/link:0.2
        - image: localhost:5000/link@sha256:0a
          annotations:
            kbld.carvel.dev/id: x/link:0.3
        ");
        let mut loaded = replacements();
        loaded[0].image = "ko.local/user:0f".to_owned();
        assert!(matches!(Reader::Imgpkg.write(&loaded), Err(Unwritable::NoDigest(_))));
    }

    #[test]
    fn skaffold_has_artifacts() {
        insta::assert_snapshot!(
            Reader::Skaffold.write(&replacements()).unwrap(),
            @r#"{"builds":[{"imageName":"ko://user","tag":"localhost:5000/user:v1@sha256:1b"},{"imageName":"x/link","tag":"localhost:5000/link@sha256:0a"}]}"#
        );
    }

    #[test]
    fn without_images_every_file_is_still_one() {
        for (_, reader) in READERS {
            let text = reader.write(&[]).unwrap();
            assert!(text.contains("[]") || text.contains("{}"), "{text}");
        }
    }

    #[test]
    fn a_file_is_named_with_its_reader() {
        let file: ImagesFile = "kbld=a=b.yaml".parse().unwrap();
        assert_eq!(file, ImagesFile { reader: Reader::Kbld, path: "a=b.yaml".into() });
        for wrong in ["kbld", "kbld=", "ko=x", "=x"] {
            assert!(wrong.parse::<ImagesFile>().is_err(), "{wrong}");
        }
    }
}
