//! The contents of an image and how it starts, for checks and lints.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::ImageConfig;

/// The maximum number of links that Linux follows for one path.
const MOST_LINKS: usize = 40;

/// The file at a path of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file, or a device or similar.
    File,
    /// A folder.
    Folder,
    /// A symbolic or hard link to this path.
    Link(String),
}

/// All paths of an image as a container sees them, after all layers were applied. Paths have no
/// leading or trailing slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree(BTreeMap<String, Node>);

impl FileTree {
    /// The node at a path, without following links.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// Every path and its node, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// All paths below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let (start, end) = span(folder);
        self.0.range(start..end).map(|(path, _)| path.as_str())
    }

    /// Resolves the links in a path, or returns `None` if there is no such file. The root is empty.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<String> {
        let found = self.walk(path)?;
        (found.is_empty() || self.0.contains_key(&found)).then_some(found)
    }

    /// The path at which a new file would be: links to parent folders are followed, even if their
    /// targets do not exist.
    #[must_use]
    pub fn place(&self, path: &str) -> String {
        let path = path.trim_matches('/');
        let Some((parent, name)) = path.rsplit_once('/') else { return path.to_owned() };
        match self.walk(parent) {
            Some(parent) if !parent.is_empty() => format!("{parent}/{name}"),
            Some(_) => name.to_owned(),
            None => path.to_owned(),
        }
    }

    /// Whether a folder exists, after following links.
    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        let found = self.resolve(path);
        found.is_some_and(|path| path.is_empty() || self.get(&path) == Some(&Node::Folder))
    }

    /// Adds a node, replacing an existing one, and creates its parent folders. A folder that exists
    /// is not changed.
    pub fn put(&mut self, path: &str, node: Node) {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            if self.get(parent) != Some(&Node::Folder) {
                self.0.insert(parent.to_owned(), Node::Folder);
            }
        }
        if node != Node::Folder {
            self.clear(path);
        }
        self.0.insert(path.to_owned(), node);
    }

    /// Removes a file, or a folder with all of its contents.
    pub fn remove(&mut self, path: &str) {
        self.clear(path);
        self.0.remove(path);
    }

    /// Removes all contents of a folder.
    pub fn clear(&mut self, folder: &str) {
        let below: Vec<String> = self.below(folder).map(str::to_owned).collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Follows links in a path. Parts that do not exist are kept as they are.
    fn walk(&self, path: &str) -> Option<String> {
        let mut left: VecDeque<String> = parts(path).collect();
        let mut at: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            if let Some(Node::Link(target)) = self.0.get(&at.join("/")) {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                    left.push_front(part);
                }
            }
        }
        Some(at.join("/"))
    }
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned)
}

/// The span of paths below a folder: `0` is the character after the slash.
fn span(folder: &str) -> (String, String) {
    if folder.is_empty() {
        return (String::new(), char::MAX.to_string());
    }
    (format!("{folder}/"), format!("{folder}0"))
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

/// Facts about a finished image, for lints that compare manifests with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The entrypoint.
    pub entrypoint: Vec<String>,
    /// The arguments after it.
    pub args: Vec<String>,
    /// The user: a name or a number, optionally with a group; empty for root.
    pub user: String,
    /// The working directory; empty for the root.
    pub working_directory: String,
    /// The folders in which a command without a slash is searched.
    pub path: Vec<String>,
    /// The exposed ports: `8080/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Its contents, if they were read.
    pub inside: Option<Inside>,
}

/// The contents of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Its files.
    pub files: FileTree,
    /// Its users.
    pub users: Vec<User>,
}

impl ImageFacts {
    /// Reads the facts in a configuration.
    #[must_use]
    pub fn of(config: &ImageConfig) -> Self {
        let words = |field| {
            let items = config.run(field).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let text = |field| config.run(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let ports = config.run("ExposedPorts").and_then(Value::as_object);
        let environment = words("Env");
        let path = environment.iter().rev().find_map(|variable| variable.strip_prefix("PATH="));
        Self {
            entrypoint: words("Entrypoint"),
            args: words("Cmd"),
            user: text("User"),
            working_directory: text("WorkingDir"),
            path: path.unwrap_or_default().split(':').map(str::to_owned).collect(),
            exposed_ports: ports.into_iter().flatten().map(|(port, _)| port.clone()).collect(),
            inside: None,
        }
    }

    /// Whether a container would find a command: by its path, relative to the working directory, or
    /// by its name along `PATH`. `None` if the contents were not read, or one of `mounts` may
    /// provide it.
    #[must_use]
    pub fn has_command(
        &self,
        command: &str,
        folder: Option<&str>,
        mounts: &[Box<str>],
    ) -> Option<bool> {
        let files = &self.inside.as_ref()?.files;
        let mounts: Vec<String> = mounts.iter().filter_map(|mount| files.walk(mount)).collect();
        let is_mounted = |path: &str| {
            let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
            let within = |mount: &String| path.strip_prefix(mount.as_str()).is_some_and(is_below);
            mounts.iter().any(|mount| mount.is_empty() || within(mount))
        };
        let is_file = |path: &str| match files.walk(path) {
            Some(place) if is_mounted(&place) => None,
            Some(place) => Some(matches!(files.get(&place), Some(Node::File))),
            None => Some(false),
        };
        match command {
            absolute if absolute.starts_with('/') => is_file(absolute),
            relative if relative.contains('/') => {
                let folder = folder.unwrap_or(&self.working_directory);
                is_file(&format!("{folder}/{relative}"))
            }
            name => {
                let mut found = self.path.iter().map(|folder| is_file(&format!("{folder}/{name}")));
                found.find(|found| *found != Some(false)).unwrap_or(Some(false))
            }
        }
    }

    /// The number of the user, or `None` for an unknown name.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        let user = self.user.split(':').next().unwrap_or_default();
        match user {
            "" | "root" => Some(0),
            user => user.parse().ok().or_else(|| {
                let users = &self.inside.as_ref()?.users;
                users.iter().find(|known| known.name == user).map(|known| known.uid)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Node)]) -> FileTree {
        let mut tree = FileTree::default();
        for (path, node) in entries {
            tree.put(path, node.clone());
        }
        tree
    }

    fn link(target: &str) -> Node {
        Node::Link(target.to_owned())
    }

    #[test]
    fn links_are_followed_as_a_container_follows_them() {
        let tree = tree(&[
            ("usr/lib/libc.so.6", Node::File),
            ("lib", link("usr/lib")),
            ("lib64", link("/lib")),
            ("usr/lib/libc.so", link("libc.so.6")),
            ("usr/lib/up", link("../../../../usr/lib/./libc.so")),
            ("loop", link("loop2")),
            ("loop2", link("loop")),
            ("gone", link("nowhere/x")),
        ]);
        for path in ["/lib/libc.so.6", "lib64/libc.so", "/lib64/up", "usr//lib/../lib/up"] {
            assert_eq!(tree.resolve(path).as_deref(), Some("usr/lib/libc.so.6"), "{path}");
        }
        for path in ["loop", "loop/x", "gone", "lib/libm.so.6", "usr/lib/libc.so.6/x"] {
            assert_eq!(tree.resolve(path), None, "{path}");
        }
        assert!(tree.has_folder("lib64") && tree.has_folder("/") && !tree.has_folder("lib/up"));
        assert_eq!(tree.place("/lib64/x/y"), "usr/lib/x/y");
        assert_eq!(tree.place("gone/y"), "nowhere/x/y");
        assert_eq!(tree.place("new"), "new");
    }

    #[test]
    fn what_is_removed_or_replaced_takes_what_is_in_it_along() {
        let mut tree = tree(&[("a/b/c", Node::File), ("a/b0", Node::File), ("a.x", Node::File)]);
        tree.put("a/b", Node::Folder);
        assert!(tree.resolve("a/b/c").is_some());
        tree.put("a/b", Node::File);
        assert!(tree.resolve("a/b/c").is_none() && tree.resolve("a/b0").is_some());
        tree.clear("a");
        assert!(tree.has_folder("a") && tree.resolve("a/b0").is_none());
        tree.remove("a");
        assert_eq!(tree.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a.x"]);
    }

    #[test]
    fn users_and_commands_are_found_where_somebody_looked() {
        let config = br#"{"config":{"User":"app:app","Env":["PATH=/bin:/ko-app"],"WorkingDir":"/srv","ExposedPorts":{"80/tcp":{}}}}"#;
        let mut facts = ImageFacts::of(&ImageConfig::parse(config).unwrap());
        assert_eq!(facts.uid(), None);
        assert!(facts.exposed_ports.contains("80/tcp"));
        let files =
            tree(&[("bin", link("usr/bin")), ("usr/bin/sh", Node::File), ("srv/run", Node::File)]);
        let users = vec![User { name: "app".to_owned(), uid: 1000, gid: 1000 }];
        facts.inside = Some(Inside { files, users });
        assert_eq!(facts.uid(), Some(1000));
        let mounts = ["/srv/tools".into(), "/usr/bin/x".into()];
        for (command, folder, expected) in [
            ("/bin/sh", None, Some(true)),
            ("sh", None, Some(true)),
            ("./run", None, Some(true)),
            ("./sh", Some("/bin"), Some(true)),
            ("/bin", None, Some(false)),
            ("bash", None, Some(false)),
            ("./sh", None, Some(false)),
            ("./run", Some("/bin"), Some(false)),
            ("/srv/tools/a", None, None),
            ("tools/a", None, None),
            ("./a", Some("/srv/tools/b"), None),
            ("x", None, None),
            ("/srv/toolsa", None, Some(false)),
        ] {
            assert_eq!(facts.has_command(command, folder, &mounts), expected, "{command}");
        }
        assert_eq!(facts.has_command("x", None, &[]), Some(false));
        facts.user = String::new();
        assert_eq!(facts.uid(), Some(0));
    }
}
