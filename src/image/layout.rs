//! Base images in OCI image layouts ([image-layout.md][spec]), folders of blobs by digest.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::base::{BaseImage, InvalidBase, LARGEST_DOCUMENT, Reading, choose_among};
use super::codes;
use crate::oci::{BlobSource, Descriptor, Digest, Format, ImageIndex, Platform};
use crate::report::{Details, Diagnose};

/// The reason why a layout does not contain a base image.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file of the layout cannot be read.
    #[error("could not read `{path}` of the OCI image layout")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The layout does not contain exactly one image for the platform.
    #[error("expected one image for {platform} in the OCI image layout `{path}`, found {count}")]
    Several {
        /// The folder.
        path: PathBuf,
        /// The number of images.
        count: usize,
        /// The platform.
        platform: Box<Platform>,
    },
    /// The image is not a usable base image.
    #[error("cannot use the image in the OCI image layout `{path}`")]
    Base {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: Box<InvalidBase>,
    },
}

impl Diagnose for LayoutError {
    fn details(&self) -> Details {
        match self {
            Self::Read { .. } => Details::new(&codes::BASE_IMAGE_UNREADABLE),
            Self::Several { .. } => Details::new(&codes::SEVERAL_IMAGES_IN_LAYOUT).hint(
                "copy the image to a layout of its own: `skopeo copy oci:PATH:TAG oci:OTHER`",
            ),
            Self::Base { source, .. } => source.details(),
        }
    }
}

/// Reads the base image for a platform from a layout with one image, or with one index of images.
pub fn from_layout(folder: &Path, platform: &Platform) -> Result<BaseImage, LayoutError> {
    let base = |source| {
        let source = Box::new(source);
        LayoutError::Base { path: folder.to_owned(), source }
    };
    let path = folder.join("index.json");
    let index = read(&path, LARGEST_DOCUMENT)?;
    let index: ImageIndex = serde_json::from_slice(&index)
        .map_err(|source| base(InvalidBase::Json { what: "index.json", source }))?;

    // In a layout, an image may have no platform in its descriptor.
    let mut entries = index.manifests;
    entries.sort_by_key(|entry| entry.digest);
    entries.dedup_by_key(|entry| entry.digest);
    entries.retain(|entry| Format::of(&entry.media_type).is_some());
    if entries.len() > 1 && entries.iter().all(|entry| entry.platform.is_some()) {
        let images = entries
            .iter()
            .filter(|entry| entry.platform.as_ref().is_some_and(|found| platform.matches(found)));
        let count = images.count();
        if count > 1 {
            let (path, platform) = (folder.to_owned(), Box::new(platform.clone()));
            return Err(LayoutError::Several { path, count, platform });
        }
        entries = vec![choose_among(entries, platform).map_err(base)?];
    }
    let descriptor = match <[Descriptor; 1]>::try_from(entries) {
        Ok([descriptor]) => descriptor,
        Err(entries) => {
            let (path, platform) = (folder.to_owned(), Box::new(platform.clone()));
            return Err(LayoutError::Several { path, count: entries.len(), platform });
        }
    };
    let source = |layer: &Descriptor| BlobSource::File(blob(folder, &layer.digest));
    let mut reading = Reading::begin(platform, descriptor);
    let image = loop {
        let document = document(folder, reading.wants())?;
        if let Some(image) = reading.take(document, source).map_err(base)? {
            break image;
        }
    };
    for (layer, _) in &image.layers {
        let path = blob(folder, &layer.descriptor.digest);
        let size = std::fs::metadata(&path)
            .map_err(|source| LayoutError::Read { path: path.clone(), source })?
            .len();
        if size != layer.descriptor.size {
            let said = layer.descriptor.size;
            let source = io::Error::other(format!("{size} bytes instead of {said}"));
            return Err(LayoutError::Read { path, source });
        }
    }
    Ok(image)
}

fn blob(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs").join("sha256").join(digest.hex())
}

/// A small blob with the described length.
fn document(folder: &Path, descriptor: &Descriptor) -> Result<Bytes, LayoutError> {
    read(&blob(folder, &descriptor.digest), descriptor.size.min(LARGEST_DOCUMENT))
}

/// A file with a maximum length.
fn read(path: &Path, most: u64) -> Result<Bytes, LayoutError> {
    let failed = |source| LayoutError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(failed(io::Error::other(format!("longer than {most} bytes"))));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
