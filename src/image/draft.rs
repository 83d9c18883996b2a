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
use crate::reference::without_users;
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

/// The annotation that names the digest of the base's manifest, or of an index its index.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image but for the digests of its new layers, which packing gives.
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

/// Whether the image of a program cannot be made without looking into its base: a dynamic one is
/// held against it, and data and files go into folders that it may have.
#[must_use]
pub fn asks(program: &Program, recipe: &Recipe) -> bool {
    let dynamic = || ElfFacts::read(&program.executable).is_ok_and(|facts| !facts.is_static());
    let laid = !recipe.files.is_empty() || recipe.data.is_some();
    laid || (!recipe.without_link_check && dynamic())
}

/// Whether an image runs as a user whose number only its files tell.
#[must_use]
pub fn runs_by_name(base: &BaseImage, recipe: &Recipe) -> bool {
    let own = || base.config.run("User").and_then(|user| user.as_str());
    let user = recipe.user.as_deref().or_else(own).unwrap_or_default().to_owned();
    ImageFacts { user, ..ImageFacts::default() }.uid().is_none()
}

/// Lays a program on a base. `contents` is what the base holds, where [`asks`] says that it must be
/// known.
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
    annotations.extend(given.map(|(key, value)| (key.clone(), without_users(value))));
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

/// The new layers: data if there is any, files if there are any, the executable. What changes most
/// often comes last.
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
    // Cargo has only just written it, and what is packed from it is worth remembering.
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
    /// What the image runs on.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The family of media types, unless a new layer's compression asks for OCI's.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The base's layers, lowest first, and where their blobs can be had.
    #[must_use]
    pub fn base_layers(&self) -> &[(Layer, BlobSource)] {
        &self.base_layers
    }

    /// The new layers, lowest first, above the base's.
    #[must_use]
    pub fn sources(&self) -> &[LayerSource] {
        &self.sources
    }

    /// The annotations of the manifest.
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The digest of the index that the base was chosen from, if it was.
    #[must_use]
    pub fn base_index(&self) -> Option<Digest> {
        self.base_index
    }

    /// The executable's name.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What the finished image is made of, for its bill of materials: an image of that name and
    /// digest, its executable compiled from `dependencies`, with `contents` in its base.
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

    /// Whether another is alike but for what is in the new layers.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let base = |draft: &Self| -> Vec<_> {
            draft.base_layers.iter().map(|(layer, _)| layer.clone()).collect()
        };
        self.platform == other.platform
            && self.format == other.format
            && self.config == other.config
            && self.annotations == other.annotations
            && base(self) == base(other)
    }

    /// What lints and checks ask about the image. Its files are known where the base's are.
    #[must_use]
    pub fn facts(&self) -> &ImageFacts {
        &self.facts
    }

    /// The finished image. `packed` are the layers that [`Self::sources`] became, in their order.
    ///
    /// # Panics
    ///
    /// Where these are not as many: an image without one of its layers must not leave.
    #[must_use]
    pub fn seal(&self, packed: &[Layer]) -> Image {
        assert_eq!(packed.len(), self.sources.len(), "every source is packed into one layer");
        let base = self.base_layers.iter().map(|(layer, _)| layer);
        let mut layers: Vec<Layer> = base.chain(packed).cloned().collect();
        // Docker's family has no zstd, and a manifest of both families is none of either.
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

/// A layer's media type in a family: the bytes are the same in both.
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
