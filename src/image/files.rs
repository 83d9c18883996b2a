//! The layers with data: the data folder of the crate, and the files in the settings.

use std::path::{Component, Path, PathBuf};

use super::contents::Contents;
use super::folder::{Collector, DataError, Entries, checked_name, real};
use crate::oci::layer::{Content, Entry};

/// The path of the data folder in the image, as in `KO_DATA_PATH`.
pub(super) const DATA: &str = "var/run/ko";

/// A file or folder that the settings add to the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRule {
    /// The file or folder.
    pub from: PathBuf,
    /// Its path in the image, or, with a slash at the end, its folder there.
    pub to: String,
    /// The permissions of the file, or of each file in the folder. By default 0755 for executable
    /// files, else 0644. Folders have 0755.
    pub mode: Option<u32>,
}

/// The entries of the data layer; none if the folder is empty.
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

/// The entries of the layer with the files in the settings.
pub(super) fn files(
    rules: &[FileRule],
    repository_root: Option<&Path>,
    base: &Contents,
) -> Result<Vec<Entry>, DataError> {
    let mut entries = Entries::new();
    for rule in rules {
        let from = real(&rule.from)?;
        // A rule may name a file outside of the repository, but links in a folder must stay in that
        // folder or, if it is in the repository, in the repository.
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

/// Entries with the parent folders that the base image does not have. Existing folders are not
/// added, which would change their owner and mode. A path through a link of the base image is
/// resolved: an entry would replace the link with a folder.
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

/// The target path of a rule, without slashes around it.
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

/// The parent folders of a path, outermost first.
pub(super) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(move |(at, _)| &path[..at])
}

/// A folder that belongs to root.
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
