//! Where a pull really goes: mirrors, other locations, blocked names and short names, as
//! `registries.conf` has them ([containers-registries.conf(5)][conf], version 2). Pushes go where
//! their name says.
//!
//! [conf]: https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::codes;
use crate::oci::{ImageReference, Registry, Repository};
use crate::report::{Details, Diagnose};

/// What is read of a file at most.
const LARGEST: u64 = 4 << 20;

/// The files that say where pulls go. None of them has to exist.
#[derive(Clone, Debug, Default)]
pub struct LocationFiles {
    /// The first of these that exists counts.
    pub main: Vec<PathBuf>,
    /// Folders whose `*.conf` change what the main file says, in this order.
    pub folders: Vec<PathBuf>,
    /// A file with more aliases, as podman remembers them.
    pub aliases: Option<PathBuf>,
}

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    /// By prefix; the last file that has one decides.
    tables: BTreeMap<String, Table>,
    aliases: BTreeMap<String, String>,
    search: Vec<String>,
}

/// Where an image is looked for, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Where it need not be, and failing is no failure.
    pub(super) mirrors: Vec<Repository>,
    /// Where it has to be.
    pub(super) last: Repository,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not as it should be.
    #[error("`{path}` is not in the format of registries.conf (version 2)")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// A location makes no name of an image.
    #[error("`{location}` in registries.conf does not make a valid location for `{repository}`")]
    Location {
        /// What the file says.
        location: String,
        /// What was to be found there.
        repository: Repository,
    },
    /// The name must not be pulled.
    #[error("registries.conf blocks `{prefix}`")]
    Blocked {
        /// The prefix of the table that blocks.
        prefix: String,
    },
    /// A short name may mean several images.
    #[error("`{name}` is ambiguous: registries.conf searches {}", .registries.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Where it is looked for, in order.
        registries: Vec<String>,
    },
    /// What a short name stands for is no name.
    #[error(
        "registries.conf has the alias `{alias}` for `{name}`, which is not a valid image name"
    )]
    Alias {
        /// The short name.
        name: String,
        /// What stands there.
        alias: String,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        let details = Details::new(&codes::INVALID_REGISTRIES_CONF);
        match self {
            Self::Ambiguous { name, registries } => details.hint(format!(
                "write the full name, as in `{}/{name}`, or add it to `[aliases]` of registries.conf",
                registries.first().map_or("docker.io", String::as_str)
            )),
            _ => details,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: Pulls,
}

/// Which images a mirror is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pulls {
    #[default]
    #[serde(alias = "")]
    All,
    DigestOnly,
    TagOnly,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    registry: Vec<Table>,
    aliases: BTreeMap<String, String>,
}

impl LocationFiles {
    /// Reads what there is.
    pub fn read(&self) -> Result<Locations, Error> {
        let mut found = Locations::default();
        for path in &self.main {
            if let Some(file) = read(path)? {
                found.add(file);
                break;
            }
        }
        for folder in &self.folders {
            for path in listed(folder)? {
                found.add(read(&path)?.unwrap_or_default());
            }
        }
        if let Some(file) = self.aliases.as_deref().map(read).transpose()?.flatten() {
            found.add(File { aliases: file.aliases, ..File::default() });
        }
        Ok(found)
    }
}

/// The files of a folder of changes, in their order.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn read(path: &Path) -> Result<Option<File>, Error> {
    use std::io::Read as _;
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    let parsed = toml::from_str(&text);
    parsed.map(Some).map_err(|source| Error::Parse { path: path.to_owned(), source })
}

impl Locations {
    /// Takes in a file: what it says goes before what is known.
    fn add(&mut self, file: File) {
        for mut table in file.registry {
            table.location = table.location.trim_end_matches('/').to_owned();
            if table.prefix.is_empty() {
                table.prefix = table.location.clone();
            }
            table.prefix = table.prefix.trim_end_matches('/').to_owned();
            if !table.prefix.is_empty() {
                self.tables.insert(table.prefix.clone(), table);
            }
        }
        for (name, alias) in file.aliases {
            if alias.is_empty() {
                self.aliases.remove(&name);
            } else {
                self.aliases.insert(name, alias);
            }
        }
        if let Some(search) = file.unqualified_search_registries {
            self.search = search;
        }
    }

    /// The table with the longest prefix of an image's name.
    fn table(&self, image: &str) -> Option<&Table> {
        let matching = self.tables.values().filter(|table| behind(&table.prefix, image).is_some());
        matching.max_by_key(|table| table.prefix.len())
    }

    /// Where an image is looked for.
    pub(super) fn places(&self, image: &ImageReference) -> Result<Places, Error> {
        let mut places = Places { mirrors: Vec::new(), last: image.repository.clone() };
        let Some(table) = self.table(&image.to_string()) else { return Ok(places) };
        if table.blocked {
            return Err(Error::Blocked { prefix: table.prefix.clone() });
        }
        let repository = image.repository.to_string();
        // A prefix that ends in a tag has nothing behind it in the repository's name.
        let rest = behind(&table.prefix, &repository).unwrap_or_default();
        let at = |location: &str| moved(location, rest, &image.repository);
        for mirror in &table.mirror {
            let wanted = match mirror.pull_from_mirror {
                _ if table.mirror_by_digest_only => image.digest.is_some(),
                Pulls::All => true,
                Pulls::DigestOnly => image.digest.is_some(),
                Pulls::TagOnly => image.digest.is_none(),
            };
            if wanted {
                places.mirrors.push(at(&mirror.location)?);
            }
        }
        if !table.location.is_empty() {
            places.last = at(&table.location)?;
        }
        Ok(places)
    }

    /// Whether a place may be spoken to by http, or with a certificate that is not trusted.
    pub(super) fn is_insecure(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        let of_mirrors = self.tables.values().flat_map(|table| &table.mirror);
        let places = of_mirrors.map(|mirror| (mirror.location.as_str(), mirror.insecure));
        let own = self.tables.values().map(|table| {
            let is_moved = !table.location.is_empty();
            (if is_moved { &table.location } else { &table.prefix }.as_str(), table.insecure)
        });
        let matching = places.chain(own).filter(|(place, _)| behind(place, &name).is_some());
        matching.max_by_key(|(place, insecure)| (place.len(), !insecure)).is_some_and(|(_, is)| is)
    }

    /// What a name without a registry stands for: its alias, or the same on the only registry that
    /// is searched; Docker Hub's where nothing else is said. Which of several registries has it is
    /// not tried out: whoever has a name there that someone else means would be believed.
    pub fn short(&self, name: &ImageReference, written: &str) -> Result<ImageReference, Error> {
        let bare = written.split('@').next().unwrap_or(written);
        let bare = bare.split(':').next().unwrap_or(bare);
        let found = |repository| ImageReference { repository, ..name.clone() };
        if let Some(alias) = self.aliases.get(bare) {
            let repository = alias.parse().map(found);
            return repository
                .map_err(|_| Error::Alias { name: bare.to_owned(), alias: alias.clone() });
        }
        match self.search.as_slice() {
            [] => Ok(name.clone()),
            [only] => {
                let repository = only.parse::<Registry>().and_then(|only| only.repository(bare));
                repository.map(found).map_err(|_| Error::Location {
                    location: only.clone(),
                    repository: name.repository.clone(),
                })
            }
            several => {
                Err(Error::Ambiguous { name: bare.to_owned(), registries: several.to_vec() })
            }
        }
    }
}

/// What follows a prefix in an image's name, if it has that prefix as a whole.
fn behind<'a>(prefix: &str, image: &'a str) -> Option<&'a str> {
    let Some(domain) = prefix.strip_prefix("*.") else {
        let rest = image.strip_prefix(prefix)?;
        // `r.io` is no prefix of `r.io:5000/x`: that is another registry.
        let ends = rest.is_empty()
            || rest.starts_with('/')
            || (prefix.contains('/') && rest.starts_with([':', '@']));
        return ends.then_some(rest);
    };
    let end = image.find('/').unwrap_or(image.len());
    let (host, rest) = image.split_at(end);
    host.strip_suffix(domain)?.ends_with('.').then_some(rest)
}

/// A repository below a location.
fn moved(location: &str, rest: &str, repository: &Repository) -> Result<Repository, Error> {
    let text = format!("{}{rest}", location.trim_end_matches('/'));
    let made = text.split_once('/').and_then(|(host, path)| {
        host.parse::<Registry>().and_then(|registry| registry.repository(path)).ok()
    });
    made.ok_or_else(|| Error::Location {
        location: location.to_owned(),
        repository: repository.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn locations(texts: &[&str]) -> Locations {
        let mut found = Locations::default();
        for text in texts {
            found.add(toml::from_str(text).unwrap());
        }
        found
    }

    /// The places of an image; mirrors in brackets.
    fn places(locations: &Locations, image: &str) -> Vec<String> {
        let places = locations.places(&image.parse().unwrap()).unwrap();
        let mirrors = places.mirrors.iter().map(|mirror| format!("({mirror})"));
        mirrors.chain([places.last.to_string()]).collect()
    }

    #[test]
    fn mirrors_are_asked_in_order_and_then_the_location() {
        // The example of the man page.
        let found = locations(&[r#"
            [[registry]]
            prefix = "example.com/foo"
            location = "internal-registry-for-example.com/bar"
            [[registry.mirror]]
            location = "example-mirror-0.local/mirror-for-foo"
            [[registry.mirror]]
            location = "example-mirror-1.local/mirrors/foo"
            insecure = true
        "#]);
        let all = [
            "(example-mirror-0.local/mirror-for-foo/image)",
            "(example-mirror-1.local/mirrors/foo/image)",
            "internal-registry-for-example.com/bar/image",
        ];
        assert_eq!(places(&found, "example.com/foo/image:latest"), all);
        for other in ["example.com/food/image", "example.com:5000/foo/image", "a.example.com/foo/x"]
        {
            assert_eq!(places(&found, other), [other]);
        }
        let insecure = |name: &str| found.is_insecure(&name.parse().unwrap());
        assert!(insecure("example-mirror-1.local/mirrors/foo/image"));
        assert!(!insecure("example-mirror-1.local/other"));
        assert!(!insecure("example-mirror-0.local/mirror-for-foo/image"));
    }

    #[test]
    fn the_longest_prefix_decides() {
        let found = locations(&[r#"
            [[registry]]
            location = "r.io"
            insecure = true
            [[registry]]
            prefix = "r.io/team/app"
            location = "other.io/app"
            [[registry]]
            prefix = "r.io/team/app:old"
            blocked = true
            [[registry]]
            prefix = "*.wild.io"
            location = "tame.io/wild"
            [[registry]]
            prefix = "docker.io/library"
            location = "mirror:5000/hub"
        "#]);
        assert_eq!(places(&found, "r.io/x"), ["r.io/x"]);
        assert_eq!(places(&found, "r.io/team/app:new"), ["other.io/app"]);
        assert_eq!(places(&found, "a.wild.io/x"), ["tame.io/wild/x"]);
        assert_eq!(places(&found, "wild.io/x"), ["wild.io/x"]);
        assert_eq!(places(&found, "alpine"), ["mirror:5000/hub/alpine"]);
        let blocked = found.places(&"r.io/team/app:old".parse().unwrap()).unwrap_err();
        assert_eq!(blocked.to_string(), "registries.conf blocks `r.io/team/app:old`");
        assert!(found.is_insecure(&"r.io/x".parse().unwrap()));
        assert!(!found.is_insecure(&"r.io.evil/x".parse().unwrap()));
    }

    #[test]
    fn some_mirrors_are_for_digests_or_tags_alone() {
        let tables = r#"
            [[registry]]
            location = "r.io"
            [[registry.mirror]]
            location = "all.io"
            [[registry.mirror]]
            location = "digest.io"
            pull-from-mirror = "digest-only"
            [[registry.mirror]]
            location = "tag.io"
            pull-from-mirror = "tag-only"
        "#;
        let found = locations(&[tables]);
        let by_digest = format!("r.io/x@{}", Digest::of(b""));
        assert_eq!(places(&found, "r.io/x:1"), ["(all.io/x)", "(tag.io/x)", "r.io/x"]);
        assert_eq!(places(&found, &by_digest), ["(all.io/x)", "(digest.io/x)", "r.io/x"]);
        let strict =
            tables.replacen("[[registry]]", "[[registry]]\nmirror-by-digest-only = true", 1);
        assert_eq!(places(&locations(&[&strict]), "r.io/x:1"), ["r.io/x"]);
    }

    #[test]
    fn a_later_file_replaces_tables_aliases_and_what_is_searched() {
        let found = locations(&[
            r#"
            unqualified-search-registries = ["a.io", "b.io"]
            [[registry]]
            location = "r.io"
            blocked = true
            [aliases]
            "one" = "x.io/one"
            "team/two" = "x.io/two"
            "#,
            r#"
            unqualified-search-registries = ["c.io"]
            [[registry]]
            location = "r.io"
            [aliases]
            "one" = ""
            "#,
        ]);
        assert_eq!(places(&found, "r.io/x"), ["r.io/x"]);
        let short = |name: &str| {
            found.short(&name.parse().unwrap(), name).map(|name| name.to_string()).unwrap()
        };
        assert_eq!(short("one:3"), "c.io/one:3");
        assert_eq!(short("team/two:4"), "x.io/two:4");
        let digest = Digest::of(b"");
        assert_eq!(short(&format!("team/two:4@{digest}")), format!("x.io/two:4@{digest}"));
    }

    #[test]
    fn which_registry_a_short_name_is_on_is_not_tried_out() {
        let none = Locations::default();
        let short = |found: &Locations| found.short(&"x:1".parse().unwrap(), "x:1");
        assert_eq!(short(&none).unwrap().to_string(), "docker.io/library/x:1");
        let hub = locations(&[r#"unqualified-search-registries = ["docker.io"]"#]);
        assert_eq!(short(&hub).unwrap().to_string(), "docker.io/library/x:1");
        let two = locations(&[r#"unqualified-search-registries = ["a.io", "b.io"]"#]);
        let error = short(&two).unwrap_err();
        assert_eq!(error.to_string(), "`x` is ambiguous: registries.conf searches a.io, b.io");
        assert!(
            crate::report::Diagnostic::of(&error).hints[0]
                .starts_with("write the full name, as in `a.io/x`")
        );
        let wrong = locations(&["[aliases]\nx = \"X Y\""]);
        assert!(matches!(short(&wrong), Err(Error::Alias { .. })));
    }

    #[test]
    fn files_are_read_where_they_are_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = LocationFiles {
            main: vec![
                folder.path().join("missing.conf"),
                write("main.conf", "[[registry]]\nlocation = \"a.io\"\n[aliases]\nx = \"a.io/x\""),
                write("other.conf", "this is not even read"),
            ],
            folders: vec![folder.path().join("missing.d"), folder.path().join("d")],
            aliases: Some(write("aliases.conf", "[aliases]\nz = \"c.io/z\"")),
        };
        write("d/2.conf", "[aliases]\nx = \"a.io/2\"\ny = \"b.io/y\"");
        write("d/1.conf", "[aliases]\nx = \"a.io/1\"");
        write("d/README", "nor is this");
        let found = files.read().unwrap();
        let aliases: Vec<_> = found.aliases.values().collect();
        assert_eq!(aliases, ["a.io/2", "b.io/y", "c.io/z"]);
        let broken = write("d/3.conf", "[[registry]]\nlocation = 7");
        let error = files.read().unwrap_err();
        let shown =
            format!("`{}` is not in the format of registries.conf (version 2)", broken.display());
        assert_eq!(error.to_string(), shown);
    }
}
