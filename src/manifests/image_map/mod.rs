//! Images that manifests name as they are called elsewhere and that are made of crates here, so that
//! nobody has to edit the manifests.

pub(crate) mod name;

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use granit_parser::Event;

use crate::manifests::image_map::name::{ImageName, seeming};
use crate::oci::{Registry, Repository};
use crate::reference::CrateReference;

/// The repositories of images that are made of crates, and the fields that hold images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMap {
    crates: BTreeMap<Repository, Mapping>,
    fields: Vec<FieldPath>,
    /// What a document has to contain to name one of the repositories.
    needles: Vec<String>,
    /// The folder and the name of each repository.
    names: Vec<(String, String)>,
}

/// A repository as the map names it, and the crate that its images are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The repository, as it is written.
    pub written: String,
    /// The crate.
    pub reference: CrateReference,
}

/// The keys under which a field stands, the innermost last: `image`, `spec.engine.image`. Those
/// around them, and sequences between them, do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

/// A text that is no [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a field: expected keys separated by dots, such as `engine.image`")]
pub struct InvalidField(String);

impl FromStr for FieldPath {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys: Vec<String> = text.split('.').map(str::to_owned).collect();
        let is_key = |key: &String| !key.is_empty() && !key.contains(char::is_whitespace);
        if keys.iter().all(is_key) { Ok(Self(keys)) } else { Err(InvalidField(text.to_owned())) }
    }
}

impl Default for ImageMap {
    fn default() -> Self {
        Self::new(BTreeMap::new(), Vec::new())
    }
}

impl ImageMap {
    /// Makes images of `crates` wherever they stand: under a key `image`, under `reference` of one
    /// (a volume's), and in further `fields`.
    #[must_use]
    pub fn new(crates: BTreeMap<Repository, Mapping>, mut fields: Vec<FieldPath>) -> Self {
        let own: [&[&str]; 2] = [&["image"], &["image", "reference"]];
        fields.extend(own.map(|keys| FieldPath(keys.iter().map(|&key| key.to_owned()).collect())));
        let needles = crates.keys().map(|repository| needle(repository).to_owned()).collect();
        let names = crates.keys().map(|repository| parts(repository.to_string())).collect();
        Self { crates, fields, needles, names }
    }

    /// What the map says, repository by repository.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.crates.values()
    }

    /// Whether a document may name one of the repositories, unless by escapes, or would if it were
    /// not for letters in upper case.
    pub(crate) fn may_apply(&self, document: &str) -> bool {
        let is_named = |needle: &String| {
            let Some(slash) = needle.find('/') else { return document.contains(needle.as_str()) };
            // A slash is soon found, and there are few.
            document.match_indices('/').any(|(at, _)| {
                let start = at.checked_sub(slash);
                let text =
                    start.and_then(|start| document.as_bytes().get(start..)?.get(..needle.len()));
                text.is_some_and(|text| text.eq_ignore_ascii_case(needle.as_bytes()))
            })
        };
        self.needles.iter().any(is_named)
    }

    /// Whether what stands under these keys, the innermost first, is an image.
    pub(crate) fn has_field<'a>(
        &self,
        keys: impl Iterator<Item = Option<&'a str>> + Clone,
    ) -> bool {
        self.fields.iter().any(|FieldPath(path)| {
            let mut keys = keys.clone();
            path.iter().rev().all(|wanted| keys.next().flatten() == Some(wanted.as_str()))
        })
    }

    /// Looks through one document.
    pub(crate) fn finder(&self) -> Option<Finder<'_>> {
        (!self.crates.is_empty()).then(|| Finder {
            map: self,
            frames: Vec::new(),
            anchored: HashMap::new(),
        })
    }

    /// The repository of the map that an image's is nearly: the same name elsewhere, or another
    /// name by a slip of the keyboard; or the very one, in a text that names no image.
    pub(crate) fn like(&self, value: &str) -> Option<Like> {
        let value = value.trim();
        if self.crates.is_empty() || value.contains("://") {
            return None;
        }
        let (repository, is_image) = match ImageName::read(value) {
            Some(image) => (image.repository, true),
            None => (seeming(value)?, false),
        };
        let like = |mapping: &Mapping| Like { written: mapping.written.clone(), is_image };
        if let Some(mapping) = self.crates.get(&repository) {
            return (!is_image).then(|| like(mapping));
        }
        let (folder, name) = parts(repository.to_string());
        let is_like = |(other_folder, other_name): &(String, String)| {
            let is_near = || {
                folder == *other_folder
                    && name.len() > 3
                    && name.len().abs_diff(other_name.len()) <= 1
                    && strsim::damerau_levenshtein(&name, other_name) <= 1
            };
            name == *other_name || is_near()
        };
        let at = self.names.iter().position(is_like)?;
        self.crates.values().nth(at).map(like)
    }

    /// The crate that an image is made of. Whatever else its name says, the repository decides.
    fn find(&self, value: &str) -> Option<Mapped> {
        let image = ImageName::read(value.trim_end_matches([' ', '\t', '\n']))?;
        let reference = self.crates.get(&image.repository)?.reference.clone();
        Some(Mapped { reference, image: value.trim_end().to_owned() })
    }
}

/// The folder of a repository, and its name in there.
fn parts(repository: String) -> (String, String) {
    match repository.rsplit_once('/') {
        Some((folder, name)) => (folder.to_owned(), name.to_owned()),
        None => (String::new(), repository),
    }
}

/// What a repository's name has in it however it is written: Docker Hub may be left out, and its
/// `library/` with it.
fn needle(repository: &Repository) -> &str {
    let path = repository.path();
    match path.strip_prefix("library/") {
        Some(name) if repository.registry().as_str() == Registry::DOCKER_HUB => name,
        _ => path,
    }
}

/// A repository of the map that something looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Like {
    /// As the map writes it.
    pub(crate) written: String,
    /// Whether what looks like it is the name of an image.
    pub(crate) is_image: bool,
}

/// An image that is made of a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) reference: CrateReference,
    /// As it is written.
    pub(crate) image: String,
}

/// Follows a document from event to event, and tells which scalars name mapped images.
pub(crate) struct Finder<'a> {
    map: &'a ImageMap,
    frames: Vec<Frame>,
    /// Images that are named elsewhere than in a field for them, for the aliases that stand in one.
    anchored: HashMap<usize, Mapped>,
}

enum Kind {
    Sequence,
    /// With the key whose value comes next; none where a key does.
    Mapping(Option<String>),
}

struct Frame {
    kind: Kind,
    is_key: bool,
}

impl Finder<'_> {
    /// Takes in a scalar: the mapped image that it is.
    pub(crate) fn scalar(&mut self, value: &str, anchor: usize) -> Option<Mapped> {
        let is_image = self.is_field();
        self.node(value);
        let found = if is_image || anchor != 0 { self.map.find(value) } else { None };
        match found {
            Some(mapped) if !is_image => {
                self.anchored.insert(anchor, mapped);
                None
            }
            found => found,
        }
    }

    /// Takes in anything but a scalar: the mapped image that an alias stands for, unless its anchor
    /// is replaced itself.
    pub(crate) fn other(&mut self, event: &Event<'_>) -> Option<Mapped> {
        match event {
            Event::Alias(anchor) => {
                let found = if self.is_field() { self.anchored.get(anchor).cloned() } else { None };
                self.node("");
                return found;
            }
            Event::SequenceStart(..) => self.push(Kind::Sequence),
            Event::MappingStart(..) => self.push(Kind::Mapping(None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let is_key = self.frames.pop().is_some_and(|frame| frame.is_key);
                if !is_key
                    && let Some(Frame { kind: Kind::Mapping(key), .. }) = self.frames.last_mut()
                {
                    *key = None;
                }
            }
            _ => {}
        }
        None
    }

    /// A scalar or an alias goes by, as a key or as a value.
    fn node(&mut self, text: &str) {
        if let Some(Frame { kind: Kind::Mapping(key), .. }) = self.frames.last_mut() {
            *key = if key.is_none() { Some(text.to_owned()) } else { None };
        }
    }

    fn push(&mut self, kind: Kind) {
        let mut is_key = false;
        if let Some(Frame { kind: Kind::Mapping(key @ None), .. }) = self.frames.last_mut() {
            *key = Some(String::new());
            is_key = true;
        }
        self.frames.push(Frame { kind, is_key });
    }

    /// Whether what comes next is the value of a field for images.
    fn is_field(&self) -> bool {
        // What is merged in stands where the `<<` does.
        self.map.has_field(self.frames.iter().rev().filter_map(|frame| match &frame.kind {
            Kind::Sequence => None,
            Kind::Mapping(key) => Some(key.as_deref()).filter(|key| *key != Some("<<")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ImageMap {
        let crates = pairs.iter().map(|(repository, krate)| {
            let reference = CrateReference::bare(krate).unwrap();
            let written = (*repository).to_owned();
            (repository.parse().unwrap(), Mapping { written, reference })
        });
        ImageMap::new(crates.collect(), vec!["engine.runtimeImage".parse().unwrap()])
    }

    #[test]
    fn the_repository_decides_and_look_alikes_are_others() {
        let map = map(&[
            ("x/link", "link"),
            ("localhost:5000/user", "user"),
            ("redis", "cache"),
            ("ghcr.io/library/a", "a"),
        ]);
        let digest = format!("@sha256:{}", "0f".repeat(32));
        let longer = format!("@sha512:{}", "0f".repeat(64));
        for (image, expected) in [
            ("x/link", Some("link")),
            ("x/link:0.3", Some("link")),
            ("docker.io/x/link", Some("link")),
            ("index.docker.io/x/link:5000", Some("link")),
            ("x/link-service", None),
            ("x/link/service", None),
            ("y/x/link", None),
            ("ghcr.io/x/link", None),
            ("link", None),
            ("localhost:5000/user", Some("user")),
            ("localhost:5000/user:5000", Some("user")),
            ("localhost:5001/user", None),
            ("localhost/user:5000", None),
            ("localhost:5000", None),
            ("redis:7", Some("cache")),
            ("library/redis", Some("cache")),
            ("docker.io/library/redis", Some("cache")),
            ("docker.io/redis", Some("cache")),
            ("bitnami/redis", None),
            ("ghcr.io/redis", None),
            ("ghcr.io/library/a", Some("a")),
            ("ghcr.io/a", None),
            ("X/link", None),
            ("x/link:", None),
            ("x/link:$TAG", None),
        ] {
            for end in ["", &digest, &longer, "\n"] {
                let image = format!("{image}{end}");
                let found = map.find(&image).map(|mapped| mapped.reference.to_string());
                assert_eq!(found.as_deref(), expected, "{image}");
                assert!(found.is_none() || map.may_apply(&image), "{image}");
            }
        }
        assert!(!map.may_apply("image: nginx"));
        assert!(
            map.may_apply("image: X/Link") && !map.may_apply("x/lin") && !map.may_apply("/link")
        );
    }

    #[test]
    fn what_is_mapped_is_like_no_other() {
        let map = map(&[("b", "b"), ("x/b", "b"), ("x/link", "link")]);
        let like = |image: &str| map.like(image).map(|like| (like.written, like.is_image));
        let found = |written: &str, is_image| Some((written.to_owned(), is_image));
        assert_eq!(like("x/b"), None);
        assert_eq!(like("b:1"), None);
        assert_eq!(like("y/b"), found("b", true));
        assert_eq!(like("X/b"), found("x/b", false));
        assert_eq!(like("x/links"), found("x/link", true));
        assert_eq!(like("x/lnk"), None, "so short a name may be another's");
    }

    #[test]
    fn a_field_is_keys_with_dots_between() {
        for wrong in ["", ".", "a.", "a..b", "a b"] {
            assert!(wrong.parse::<FieldPath>().is_err(), "{wrong:?}");
        }
        assert_eq!("a.b".parse::<FieldPath>().unwrap().0, ["a", "b"]);
    }
}
