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
    /// The file of a blob, if it exists and has the right content. A file with other content, for
    /// example after a power failure, is removed: it must not reach an image.
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

    /// The file of a blob, checked only by its length: for a receiver that verifies the digest
    /// itself.
    #[must_use]
    pub fn unread_blob(&self, digest: &Digest, size: u64) -> Option<PathBuf> {
        let (path, file, metadata) = self.find(digest, size)?;
        if !self.0.held.is_verified(digest, &metadata) {
            self.0.held.hold(*digest, file, None);
        }
        Some(path)
    }

    /// The file of a blob with the right length, locked.
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

    /// Removes a blob whose content is wrong.
    pub fn remove_blob(&self, digest: &Digest) {
        self.0.held.release(digest);
        for root in self.roots() {
            let _ = std::fs::remove_file(blob_path(root, digest));
        }
    }

    /// Begins to write a blob, which does not exist before `BlobWriter::commit`.
    pub fn write_blob(&self) -> Result<BlobWriter, Error> {
        let (root, file) = self.begin()?.unzip();
        if let Some(file) = &file {
            // Locked, so that it does not count as abandoned.
            held::lock(file.as_file());
        }
        Ok(BlobWriter { cache: self.clone(), root, file, digester: Digester::default() })
    }
}

/// A blob that is being written to the cache. It is discarded when dropped before
/// `BlobWriter::commit`.
#[derive(Debug)]
pub struct BlobWriter {
    cache: Cache,
    root: Option<PathBuf>,
    file: Option<NamedTempFile>,
    digester: Digester,
}

impl BlobWriter {
    /// The number of bytes so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.digester.length()
    }

    /// Completes the blob. With `expected`, another digest is an error. Returns the digest and, if
    /// there is a cache, the file.
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
