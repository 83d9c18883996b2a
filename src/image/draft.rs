//! An image whose new layers have not been packed yet.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::base::BaseImage;
use super::codes;
use super::config::{HistoryLine, InvalidRecipe, config};
use super::contents::Contents;
use super::elf::ElfFacts;
use super::files::{DATA, data, files, folder_entry};
use super::folder::DataError;
use super::link_check::{LinkError, check, check_machine};
use super::recipe::{Program, Recipe};
use super::sbom::Materials;
use crate::cargo::Dependencies;
use crate::oci::capabilities::FileCapabilities;
use crate::oci::layer::{Content, Entry};
use crate::oci::{
    BlobSource, Compression, Digest, Format, Image, ImageConfig, ImageFacts, ImageReference, Layer,
    LayerSource, MediaType, Platform,
};
use crate::report::without_credentials;
use crate::report::{Details, Diagnose};

/// The reason why an image cannot be assembled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder.
    #[error("could not add the data in `{folder}` to the image")]
    Data {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: DataError,
    },
    /// The files that settings name.
    #[error("could not add the files under `files` to the image")]
    Files(#[source] DataError),
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] InvalidRecipe),
    /// The program does not run on the base image.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The executable cannot be read.
    #[error("could not read the executable `{path}`")]
    Executable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Data { source, .. } | Self::Files(source) => source.details(),
            Self::Recipe(_) => Details::new(&codes::INVALID_IMAGE_SETTINGS),
            Self::Executable { .. } => Details::new(&codes::FILE_UNREADABLE),
            Self::Link(error) => error.details(),
        }
    }
}

/// The annotation with the digest of the manifest of the base image, or, in an index, of its index.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// A complete image except for the digests of its new layers, which packing computes.
#[derive(Clone, Debug)]
pub struct ImageDraft {
    program: String,
    platform: Platform,
    format: Format,
    config: ImageConfig,
    annotations: BTreeMap<String, String>,
    base_name: Option<ImageReference>,
    base_digest: Option<Digest>,
    base_index: Option<Digest>,
    base_layers: Vec<(Layer, BlobSource)>,
    sources: Vec<LayerSource>,
    facts: ImageFacts,
}

/// Whether the contents of the base image are needed: to check a dynamic executable, or because
/// data and files may go to folders that exist.
#[must_use]
pub fn needs_contents(program: &Program, recipe: &Recipe) -> bool {
    let dynamic = || ElfFacts::read(&program.executable).is_ok_and(|facts| !facts.is_static());
    let laid = !recipe.files.is_empty() || recipe.data.is_some();
    laid || (!recipe.without_link_check && dynamic())
}

/// Whether the number of an image's user can only be found in its files.
#[must_use]
pub fn runs_by_name(base: &BaseImage, recipe: &Recipe) -> bool {
    let own = || base.config.run("User").and_then(|user| user.as_str());
    let user = recipe.user.as_deref().or_else(own).unwrap_or_default().to_owned();
    ImageFacts { user, ..ImageFacts::default() }.uid().is_none()
}

/// Adds a program to a base image. `contents` are those of the base image, required if
/// [`needs_contents`] returns true.
pub fn draft(
    base: &BaseImage,
    contents: Option<&Contents>,
    program: &Program,
    recipe: &Recipe,
) -> Result<ImageDraft, Error> {
    let name = &program.name;
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(InvalidRecipe::Program(name.clone()).into());
    }
    let elf = if recipe.without_link_check {
        None
    } else {
        let facts = ElfFacts::read(&program.executable)
            .map_err(|source| LinkError::NotElf { program: name.clone(), source })?;
        check_machine(name, &facts, &base.platform)?;
        Some(facts).filter(|facts| !facts.is_static())
    };
    let nothing = Contents::default();
    let (sources, history) = sources(contents.unwrap_or(&nothing), program, recipe)?;
    let config = config(&base.config, base.layers.len(), program, recipe, &history)?;
    let facts = ImageFacts::of(&config);
    let inside = contents.map(|contents| {
        sources.iter().fold(contents.clone(), |contents, source| contents.with(&source.entries))
    });
    if let Some(elf) = elf {
        let variables = config.run("Env").and_then(|value| value.as_array()).into_iter().flatten();
        let library_path = variables
            .filter_map(|variable| variable.as_str()?.strip_prefix("LD_LIBRARY_PATH="))
            .next_back();
        check(name, &elf, inside.as_ref().unwrap_or(&nothing), library_path)?;
    }
    let mut annotations = BTreeMap::new();
    if let Some(digest) = &base.digest {
        annotations.insert(BASE_DIGEST.to_owned(), digest.to_string());
    }
    if let Some(name) = &base.name {
        annotations.insert("org.opencontainers.image.base.name".to_owned(), name.to_string());
    }
    let given = recipe.annotations.iter();
    annotations.extend(given.map(|(key, value)| (key.clone(), without_credentials(value))));
    Ok(ImageDraft {
        program: name.clone(),
        platform: base.platform.clone(),
        format: base.format,
        config,
        annotations,
        base_name: base.name.clone(),
        base_digest: base.digest,
        base_index: base.index,
        base_layers: base.layers.clone(),
        sources,
        facts: ImageFacts { inside: inside.map(|contents| contents.inside()), ..facts },
    })
}

/// The new layers: data and files, if there are any, then the executable. What changes most often
/// comes last.
fn sources(
    contents: &Contents,
    program: &Program,
    recipe: &Recipe,
) -> Result<(Vec<LayerSource>, Vec<HistoryLine>), Error> {
    let mut sources = Vec::new();
    let mut history = Vec::new();
    let mut add = |purpose, entries: Vec<Entry>, modified, comment: String| {
        if !entries.is_empty() {
            sources.push(LayerSource { purpose, entries, modified });
            history.push(HistoryLine { comment });
        }
    };
    let root = recipe.repository_root.as_deref();
    if let Some(folder) = &recipe.data {
        let entries = data(folder, root, contents)
            .map_err(|source| Error::Data { folder: folder.clone(), source })?;
        add("data", entries, recipe.data_modified, format!("data, at /{DATA}"));
    }
    let path = format!("ko-app/{}", program.name);
    let entries = files(&recipe.files, root, contents).map_err(Error::Files)?;
    if let Some(entry) = entries.iter().find(|entry| entry.path == path) {
        let first = match &entry.content {
            Content::Seen(file) => file.path().to_owned(),
            _ => PathBuf::from(&entry.path),
        };
        let second = program.executable.path().to_owned();
        return Err(Error::Files(DataError::Twice { path, first, second }));
    }
    add("files", entries, recipe.data_modified, "files".to_owned());
    let comment = format!("executable, at /{path}");
    let mut executable = program.executable.clone();
    // Cargo has just written it. After it has settled, the result of packing it can be cached.
    executable.settle().map_err(|source| {
        let path = executable.path().to_owned();
        Error::Executable { path, source }
    })?;
    let content = Content::File(executable);
    let capabilities = FileCapabilities::of(&recipe.capabilities);
    let executable = Entry { path, content, mode: 0o555, uid: 0, gid: 0, capabilities };
    add("executable", vec![folder_entry("ko-app"), executable], 0, comment);
    Ok((sources, history))
}

impl ImageDraft {
    /// The platform of the image.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The family of media types, unless the compression of a new layer requires OCI.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The layers of the base image, lowest first, and where their blobs are.
    #[must_use]
    pub fn base_layers(&self) -> &[(Layer, BlobSource)] {
        &self.base_layers
    }

    /// The new layers, lowest first, above those of the base image.
    #[must_use]
    pub fn sources(&self) -> &[LayerSource] {
        &self.sources
    }

    /// The annotations of the manifest.
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The digest of the index that the base image was selected from, if any.
    #[must_use]
    pub fn base_index(&self) -> Option<Digest> {
        self.base_index
    }

    /// The name of the executable.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The input for the SBOM of the finished image, with its name and digest, the dependencies of
    /// its executable, and the contents of its base image.
    #[must_use]
    pub fn materials(
        &self,
        name: &str,
        digest: Digest,
        dependencies: Dependencies,
        contents: &Contents,
    ) -> Materials {
        let created = self.config.fields().get("created").and_then(|created| created.as_str());
        Materials {
            image: name.to_owned(),
            digest,
            platform: self.platform.clone(),
            created: created.unwrap_or("1970-01-01T00:00:00Z").to_owned(),
            dependencies,
            base_name: self.base_name.clone(),
            base_digest: self.base_digest,
            packages: contents.packages(),
            distribution: contents.os_release("ID"),
            distribution_version: contents.os_release("VERSION_ID"),
        }
    }

    /// Whether two drafts are equal except for the contents of their new layers.
    pub(super) fn is_same_except_layers(&self, other: &Self) -> bool {
        let base = |draft: &Self| -> Vec<_> {
            draft.base_layers.iter().map(|(layer, _)| layer.clone()).collect()
        };
        self.platform == other.platform
            && self.format == other.format
            && self.config == other.config
            && self.annotations == other.annotations
            && base(self) == base(other)
    }

    /// Facts for lints and checks. They contain the files if those of the base image were read.
    #[must_use]
    pub fn facts(&self) -> &ImageFacts {
        &self.facts
    }

    /// The finished image. `packed` are the layers for [`Self::sources`], in the same order.
    ///
    /// # Panics
    ///
    /// If their numbers differ: an image without one of its layers must not be published.
    #[must_use]
    pub fn seal(&self, packed: &[Layer]) -> Image {
        assert_eq!(packed.len(), self.sources.len(), "every source is packed into one layer");
        let base = self.base_layers.iter().map(|(layer, _)| layer);
        let mut layers: Vec<Layer> = base.chain(packed).cloned().collect();
        // Docker's family has no zstd, and a manifest must not mix both families.
        let zstd =
            layers.iter().any(|layer| layer.descriptor.media_type == MediaType::ImageLayerZstd);
        let format = if zstd { Format::Oci } else { self.format };
        for layer in &mut layers {
            let media_type = in_family(format, &layer.descriptor.media_type);
            layer.descriptor.media_type = media_type;
        }
        let (platform, config) = (self.platform.clone(), self.config.clone());
        Image::new(format, platform, config, layers, self.annotations.clone())
    }
}

/// The media type of a layer in another family. The bytes are the same in both.
fn in_family(format: Format, media_type: &MediaType) -> MediaType {
    [Compression::None, Compression::Gzip { level: 1 }, Compression::Zstd { level: 1 }]
        .into_iter()
        .find(|&compression| {
            [Format::Oci, Format::Docker].iter().any(|f| f.layer(compression) == *media_type)
        })
        .map_or_else(|| media_type.clone(), |compression| format.layer(compression))
}

#[cfg(test)]
mod tests;
