//! Kubernetes manifests: reads them, finds references, replaces these with images by byte span, selects
//! objects by label, and returns objects.
//!
//! * `read`: files, folders, patterns, and texts that were read elsewhere
//! * `yaml`: documents, scalars, values and quotes, with spans
//! * `references`: which strings are references, and where they are
//! * `image_map`: images that stand for crates, from the settings
//! * `objects`: Kubernetes objects and label selectors
//! * `lint`: valid manifests that will not do what they appear to do
//! * `render`: manifests with images in the places of references
//! * `export`: the images as files for other tools, such as kustomize
//!
//! Does not resolve references, and does not access images or a cluster.

pub(crate) mod codes;
mod error;
mod export;
mod image_map;
mod lint;
mod location;
mod objects;
mod read;
mod references;
mod render;
mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use error::Error;
pub use error::Errors;
pub(crate) use export::{ImagesFile, Reader, Replacement, Unwritable};
pub(crate) use image_map::{ImageMap, Mapping};
pub use lint::Lint;
pub(crate) use lint::codes as lint_codes;
pub(crate) use lint::{Finding, Level, Levels, Needs};
pub(crate) use location::Location;
pub use objects::object::Object;
pub use objects::selector::Selector;
pub(crate) use read::search::Search;
pub(crate) use read::{Input, LARGEST, Place, names, read, read_from};
pub use references::rules::Rules;
pub use render::join::join;
pub(crate) use render::text::Text;
pub(crate) use yaml::syntax::why_no_yaml;

use crate::reference::CrateReference;
use crate::source::Source;
use references::file::File;
use yaml::quote::{self, Style};
use yaml::value;

/// Which documents of a set are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// Those that may hold a reference; the rest is passed on as it is, were it broken.
    OnlyReferences,
    /// All, and each has to be a Kubernetes object.
    Everything,
}

/// A set of manifests: what was read, the references in it, and its objects.
#[derive(Debug)]
pub struct Manifests {
    files: Vec<File>,
    rules: Rules,
    errors: Errors,
}

/// A reference in a manifest.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The reference.
    pub reference: CrateReference,
    location: Location,
    style: Style,
    /// Where a `-` has to stand instead, where it is a block scalar whose value ends in a newline.
    strip: Option<Box<Range<usize>>>,
    /// The image that stands there, where the image map makes it a reference.
    image: Option<Box<str>>,
}

impl Occurrence {
    /// Where it stands: `name:line:column`.
    #[must_use]
    pub fn place(&self) -> String {
        self.location.place()
    }

    /// The image that stands there, where the image map makes it a reference.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// What stands there, and what is put in its place.
    #[must_use]
    pub fn replaced(&self, image: &str, bin: &str) -> Replacement {
        let reference = self.reference.to_string();
        let written = match &self.image {
            Some(image) => image.to_string(),
            None => self.text().unwrap_or_else(|| reference.clone()),
        };
        let name = match &self.image {
            // A prefix may have a colon itself.
            None if written.strip_prefix(&reference).is_some_and(|rest| !rest.starts_with('/')) => {
                reference
            }
            _ => export::without_tag(&written).to_owned(),
        };
        Replacement { written, name, image: image.to_owned(), bin: bin.to_owned() }
    }

    /// The string that stands there, with a tag that goes with it.
    fn text(&self) -> Option<String> {
        let written = self.location.source().text().get(self.location.span())?;
        Some(quote::read(written, self.style)?.trim_end().to_owned())
    }

    /// Where it stands, for an error that points there.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }
}

/// A source with its references replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The name of the source.
    pub name: String,
    /// What it became.
    pub text: Text,
}

/// Finds the references of a set and, where `depth` says so, its objects. What is wrong with some of
/// it keeps nothing else from being looked at.
#[must_use]
pub fn parse(sources: Vec<Source>, rules: &Rules, depth: Parse) -> Manifests {
    let mut errors = Errors::none();
    let mut files = Vec::with_capacity(sources.len());
    for source in sources {
        files.push(File::parse(Arc::new(source), rules, depth, &mut errors));
    }
    Manifests { files, rules: rules.clone(), errors }
}

impl Manifests {
    /// The references, in the order of the sources, as often as they stand there.
    pub fn references(&self) -> impl Iterator<Item = &Occurrence> {
        self.files.iter().flat_map(|file| &file.occurrences)
    }

    /// What is wrong with it.
    #[must_use]
    pub fn errors(&self) -> &Errors {
        &self.errors
    }

    /// The set, if nothing is wrong with it.
    pub fn checked(self) -> Result<Self, Errors> {
        self.errors.clone().check(self)
    }

    /// Puts images in the places of references. Everything else stays byte for byte.
    pub fn substitute(
        &self,
        images: &BTreeMap<CrateReference, String>,
    ) -> Result<Vec<Rendered>, Errors> {
        let errors = self.without_image(images);
        let rendered = self.files.iter().map(|file| file.render(images)).collect();
        errors.check(rendered)
    }

    /// The objects of a set, with images in the places of references and Lists as their items.
    pub fn objects(
        &self,
        images: &BTreeMap<CrateReference, String>,
    ) -> Result<Vec<Object>, Errors> {
        self.without_image(images).check(())?;
        let mut errors = Errors::none();
        let mut builder = value::Builder::new();
        let mut objects = Vec::new();
        for file in &self.files {
            let mut written = file.objects_as_written(&mut builder, &mut errors);
            if file.occurrences.is_empty() {
                objects.extend(written);
            } else if file.has_plain_references() {
                for object in &mut written {
                    render::replace(&mut object.value, &self.rules, images);
                }
                objects.extend(written);
            } else {
                let rendered = file.render(images);
                objects.extend(rendered.objects(written, &mut builder, &mut errors));
            }
        }
        errors.check(objects)
    }

    /// The objects of a set with their references as they are written, were they wrong, which is
    /// enough to delete them.
    pub fn objects_as_written(&self) -> Result<Vec<Object>, Errors> {
        self.errors.of_documents().check(())?;
        let mut errors = Errors::none();
        let mut builder = value::Builder::new();
        let mut objects = Vec::new();
        for file in &self.files {
            objects.extend(file.objects_as_written(&mut builder, &mut errors));
        }
        errors.check(objects)
    }
}

#[cfg(test)]
mod tests;
