//! Blobs, each in a file named by its digest.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tempfile::NamedTempFile;

use super::{Cache, Error, held};
use crate::oci::file::Stamp;
use crate::oci::{Digest, Digester};

fn blob_path(root: &Path, digest: &Digest) -> PathBuf {
    root.join("blobs").join("sha256").join(digest.hex())
}

impl Cache {
    /// The file that holds a blob, if it is there and every byte is its own. One with others, as a
    /// machine leaves it that loses power, is removed: it might reach an image.
    #[must_use]
    pub fn blob(&self, digest: &Digest, size: u64) -> Option<PathBuf> {
        let (path, mut file, metadata) = self.find(digest, size)?;
        if self.0.held.is_verified(digest, &metadata) {
            return Some(path);
        }
        let mut digester = Digester::default();
        io::copy(&mut file, &mut digester).ok()?;
        if digester.finish() == *digest {
            self.0.held.hold(*digest, file, Some(Stamp::of(&metadata)));
            return Some(path);
        }
        self.remove_blob(digest);
        None
    }

    /// The file that should hold a blob, by its length alone: for whoever sends it to someone who
    /// looks at its digest, and so need not read it twice.
    #[must_use]
    pub fn unread_blob(&self, digest: &Digest, size: u64) -> Option<PathBuf> {
        let (path, file, metadata) = self.find(digest, size)?;
        if !self.0.held.is_verified(digest, &metadata) {
            self.0.held.hold(*digest, file, None);
        }
        Some(path)
    }

    /// A blob's file of the right length, locked.
    fn find(&self, digest: &Digest, size: u64) -> Option<(PathBuf, File, Metadata)> {
        let paths = self.roots().map(|root| blob_path(root, digest));
        paths.into_iter().find_map(|path| {
            let file = File::open(&path).ok()?;
            let metadata = file.metadata().ok()?;
            if !metadata.is_file() || metadata.len() != size || !held::lock(&file) {
                return None;
            }
            held::note_use(&file, &metadata);
            Some((path, file, metadata))
        })
    }

    /// Removes a blob whose bytes turned out not to be its own.
    pub fn remove_blob(&self, digest: &Digest) {
        self.0.held.release(digest);
        for root in self.roots() {
            let _ = std::fs::remove_file(blob_path(root, digest));
        }
    }

    /// Begins to write a blob; nothing is there until [`BlobWriter::commit`].
    pub fn write_blob(&self) -> Result<BlobWriter, Error> {
        let (root, file) = self.begin()?.unzip();
        if let Some(file) = &file {
            // Nobody takes it for one that was given up.
            held::lock(file.as_file());
        }
        Ok(BlobWriter { cache: self.clone(), root, file, digester: Digester::default() })
    }
}

/// A blob on its way into the cache. Dropped without [`BlobWriter::commit`], it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    cache: Cache,
    root: Option<PathBuf>,
    file: Option<NamedTempFile>,
    digester: Digester,
}

impl BlobWriter {
    /// How many bytes were written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.digester.length()
    }

    /// Puts the blob in its place. With `expected`, bytes of another digest are refused. Returns
    /// the digest and, where there is a cache, the file.
    pub fn commit(self, expected: Option<&Digest>) -> Result<(Digest, Option<PathBuf>), Error> {
        let found = self.digester.finish();
        if let Some(&expected) = expected.filter(|&&expected| expected != found) {
            return Err(Error::Digest { expected, found });
        }
        let (Some(file), Some(root)) = (self.file, self.root) else { return Ok((found, None)) };
        let path = blob_path(&root, &found);
        let failed = |source: io::Error| Error::Write { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = file.persist(&path).map_err(|error| failed(error.error))?;
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        self.cache.0.held.hold(found, file, Some(stamp));
        self.cache.0.grown.store(true, Ordering::Relaxed);
        Ok((found, Some(path)))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.file {
            Some(file) => file.write(bytes)?,
            None => bytes.len(),
        };
        self.digester.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_there_when_committed_and_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let digest = Digest::of(b"blob");
        let mut writer = cache.write_blob().unwrap();
        writer.write_all(b"blob").unwrap();
        assert_eq!(cache.blob(&digest, 4), None);
        let (found, path) = writer.commit(Some(&digest)).unwrap();
        assert_eq!(found, digest);
        assert_eq!(cache.blob(&digest, 4), path);
        let path = path.unwrap();
        std::fs::write(&path, b"blo").unwrap();
        assert_eq!(cache.blob(&digest, 4), None);
        std::fs::write(&path, b"blub").unwrap();
        assert_eq!(cache.blob(&digest, 4), None);
        assert!(!path.exists());
    }

    #[test]
    fn bytes_of_another_digest_are_refused_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let mut writer = cache.write_blob().unwrap();
        writer.write_all(b"noise").unwrap();
        let expected = Digest::of(b"blob");
        assert!(matches!(writer.commit(Some(&expected)), Err(Error::Digest { .. })));
        assert_eq!(std::fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }
}
