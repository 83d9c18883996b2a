//! The layers of data: the crate's data folder, and the files that settings name.

use std::path::{Component, Path, PathBuf};

use super::contents::Contents;
use super::folder::{Collector, DataError, Entries, checked_name, real};
use crate::oci::layer::{Content, Entry};

/// Where the data folder lies in the image; `KO_DATA_PATH` says so to the program.
pub(super) const DATA: &str = "var/run/ko";

/// A file or folder that settings put into the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRule {
    /// The file or folder.
    pub from: PathBuf,
    /// Its place in the image; with a slash at its end, the folder that it goes into.
    pub to: String,
    /// The permissions of the file, or of each file in the folder. Without, 0755 where the source
    /// is executable, else 0644. Folders have 0755.
    pub mode: Option<u32>,
}

/// The entries of the data layer; none if there is nothing in the folder.
pub(super) fn data(
    folder: &Path,
    repository_root: Option<&Path>,
    base: &Contents,
) -> Result<Vec<Entry>, DataError> {
    let folder = real(folder)?;
    let boundary = repository_root.map_or_else(|| Ok(folder.clone()), real)?;
    if !folder.starts_with(&boundary) {
        let (link, target) = (folder.clone(), folder);
        return Err(DataError::Outside { link, target, boundary });
    }
    let mut entries = Entries::new();
    Collector::new(&boundary, None, &mut entries).take(&folder, DATA)?;
    if entries.len() == 1 {
        return Ok(Vec::new());
    }
    upon(base, entries)
}

/// The entries of the layer of named files.
pub(super) fn files(
    rules: &[FileRule],
    repository_root: Option<&Path>,
    base: &Contents,
) -> Result<Vec<Entry>, DataError> {
    let mut entries = Entries::new();
    for rule in rules {
        let from = real(&rule.from)?;
        // What a rule names is meant, wherever it lies; a link found inside a folder may leave
        // neither that folder nor, if the folder lies in it, the repository.
        let root = repository_root.map(real).transpose()?;
        let boundary = root.filter(|root| from.starts_with(root)).unwrap_or_else(|| from.clone());
        let to = place(rule)?;
        Collector::new(&boundary, rule.mode, &mut entries).take(&from, &to)?;
    }
    for (path, (_, second)) in &entries {
        let above = parents(path).find_map(|parent| {
            let (entry, first) = entries.get(parent)?;
            (!matches!(entry.content, Content::Folder)).then_some((parent, first))
        });
        if let Some((parent, first)) = above {
            let (path, first, second) = (parent.to_owned(), first.clone(), second.clone());
            return Err(DataError::Twice { path, first, second });
        }
    }
    upon(base, entries)
}

/// Entries with the folders above them that the base lacks. Folders that it has are left as they
/// are: an entry would give them another owner and mode. A path behind one of the base's links is
/// written where it leads: an entry would put a folder in the link's place.
fn upon(base: &Contents, entries: Entries) -> Result<Vec<Entry>, DataError> {
    let base = base.files();
    let mut placed = Entries::new();
    for (path, (entry, second)) in entries {
        let folder = matches!(entry.content, Content::Folder);
        let to = base.place(&path);
        match placed.get(&to) {
            Some((Entry { content: Content::Folder, .. }, _)) if folder => continue,
            Some((_, first)) => {
                let first = first.clone();
                return Err(DataError::Twice { path: to, first, second });
            }
            None => {}
        }
        placed.insert(to.clone(), (Entry { path: to, ..entry }, second));
    }
    let missing: Vec<String> = placed
        .keys()
        .flat_map(|path| parents(path))
        .filter(|parent| !base.has_folder(parent))
        .map(str::to_owned)
        .collect();
    for parent in missing {
        let entry = (folder_entry(&parent), PathBuf::new());
        placed.entry(parent).or_insert(entry);
    }
    let is_new =
        |entry: &Entry| !matches!(entry.content, Content::Folder) || !base.has_folder(&entry.path);
    Ok(placed.into_values().map(|(entry, _)| entry).filter(is_new).collect())
}

/// The path of a rule's target without slashes around it.
fn place(rule: &FileRule) -> Result<String, DataError> {
    let wrong = |reason| DataError::Name { path: PathBuf::from(&rule.to), reason };
    let mut parts = Vec::new();
    for part in rule.to.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(wrong("a place in an image is written without `..`"));
        }
        parts.push(checked_name(Path::new(&rule.to), Some(part))?);
    }
    let folder = rule.from.is_dir();
    if rule.to.ends_with('/') && !folder {
        let name = rule.from.components().next_back().and_then(|name| match name {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        parts.push(checked_name(&rule.from, name)?);
    }
    if parts.is_empty() && !folder {
        return Err(wrong("a file cannot be the root folder"));
    }
    Ok(parts.join("/"))
}

/// The folders above a path, outermost first.
pub(super) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(move |(at, _)| &path[..at])
}

/// A folder as the root user has it.
pub(super) fn folder_entry(path: &str) -> Entry {
    Entry {
        path: path.to_owned(),
        content: Content::Folder,
        mode: 0o755,
        uid: 0,
        gid: 0,
        capabilities: None,
    }
}

#[cfg(test)]
mod tests;
