//! Small JSON records by kind and key. Each begins with its own digest, so that a torn or
//! overwritten record is a miss.

use std::fs::File;
use std::io::Read as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Error, held};
use crate::oci::Digest;

/// The maximum length of a record.
const LARGEST: u64 = 8 << 20;

impl Cache {
    /// The record of a kind with a key, if it exists and is intact.
    #[must_use]
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        let path = self.root()?.join("records").join(kind).join(key.hex());
        let mut file = File::open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        if metadata.len() > LARGEST {
            return None;
        }
        held::note_use(&file, &metadata);
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let (digest, json) = text.split_once('\n')?;
        (digest == Digest::of(json.as_bytes()).to_string()).then_some(())?;
        serde_json::from_str(json).ok()
    }

    /// Stores a record, replacing an older one.
    pub fn put_record<T: Serialize>(
        &self,
        kind: &str,
        key: &Digest,
        value: &T,
    ) -> Result<(), Error> {
        let Some((root, temporary)) = self.unfinished()? else { return Ok(()) };
        let folder = root.join("records").join(kind);
        let path = folder.join(key.hex());
        let failed = |source| Error::Write { path: path.clone(), source };
        let json = serde_json::to_string(value).map_err(|error| failed(error.into()))?;
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(temporary).map_err(failed)?;
        let text = format!("{}\n{json}", Digest::of(json.as_bytes()));
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Removes a record, if it exists.
    pub fn remove_record(&self, kind: &str, key: &Digest) {
        if let Some(root) = self.root() {
            let _ = std::fs::remove_file(root.join("records").join(kind).join(key.hex()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_until_a_byte_of_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let key = Digest::of(b"key");
        assert_eq!(cache.record::<Vec<u8>>("test", &key), None);
        cache.put_record("test", &key, &vec![1_u8, 2]).unwrap();
        assert_eq!(cache.record("test", &key), Some(vec![1_u8, 2]));
        let path = folder.path().join("records/test").join(key.hex());
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(cache.record::<Vec<u8>>("test", &key), None, "{length} bytes left");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_fails() {
        let cache = Cache::none();
        cache.put_record("test", &Digest::of(b""), &1).unwrap();
        assert_eq!(cache.record::<i32>("test", &Digest::of(b"")), None);
    }
}
