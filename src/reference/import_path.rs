//! The canonical name of a binary, and the names of repositories made from it.

use std::fmt;

use md5::{Digest as _, Md5};

/// The canonical name of a binary, the same on every machine: the normalised repository of the
/// package and its folder (`github.com/the-gigi/delinkcious/svc/link_service`), then `#BIN` for a
/// binary that is not the default of the package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportPath {
    path: String,
    bin: Option<String>,
}

/// How an [`ImportPath`] is converted to the name of a repository below `REPO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NameStyle {
    /// `REPO/last-element-md5`: short, and unique to the import path.
    #[default]
    Hashed,
    /// `REPO/last-element` (`-B`).
    Base,
    /// `REPO/whole/import/path` (`-P`).
    Preserved,
    /// `REPO` itself (`--bare`).
    Bare,
}

impl ImportPath {
    /// Names a binary. `bin` is only given for one that is not the default of the package.
    #[must_use]
    pub fn new(path: impl Into<String>, bin: Option<String>) -> Self {
        Self { path: path.into(), bin }
    }

    /// The path of the repository below `REPO`, as ko forms it: in lower case, with the hash of the
    /// lower-case import path. Characters that a repository cannot have become `-`.
    #[must_use]
    pub fn repository(&self, repo: &str, style: NameStyle) -> String {
        let full = self.to_string().to_lowercase();
        let last = match &self.bin {
            Some(bin) => bin.to_lowercase(),
            None => full.rsplit('/').next().unwrap_or(&full).to_owned(),
        };
        let name = match style {
            NameStyle::Hashed => {
                let hash: String =
                    Md5::digest(full.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{}-{hash}", allowed(&last))
            }
            NameStyle::Base => allowed(&last),
            NameStyle::Preserved => {
                full.replace('#', "/").split('/').map(allowed).collect::<Vec<_>>().join("/")
            }
            NameStyle::Bare => return repo.to_owned(),
        };
        if repo.is_empty() { name } else { format!("{}/{name}", repo.trim_end_matches('/')) }
    }
}

/// Converts one element of a path to one that the distribution spec allows: separators must be
/// single and between letters or digits.
fn allowed(element: &str) -> String {
    let mut name = String::with_capacity(element.len());
    for c in element.chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            // Of repeated separators, the specification allows only `__` and any number of `-`.
            '_' if name.ends_with('_') && !name.ends_with("__") => name.push('_'),
            '.' | '_' if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => name.push(c),
            '-' if name.ends_with('-') => name.push('-'),
            _ if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_end_matches(['.', '_', '-']);
    if name.is_empty() { "x".to_owned() } else { name.to_owned() }
}

impl fmt::Display for ImportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.bin.as_ref().map_or(Ok(()), |bin| write!(f, "#{bin}"))
    }
}

/// The `repository` of a package as the start of an import path: `github.com/the-gigi/delinkcious`.
///
/// Removes scheme, user, port, `.git`, query, fragment, trailing `/` and the path to a branch
/// (`/tree/…`, `/-/tree/…`, `/src/…`). `git@host:owner/repo` becomes `host/owner/repo`. `None` if
/// nothing is left.
#[must_use]
pub fn normalise_repository(url: &str) -> Option<String> {
    let url = url.trim();
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let (scheme, rest) = match url.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, url),
    };
    let (authority, path) = match rest.find(['/', ':']) {
        // scp's form, `git@host:owner/repo`, has no scheme and a path right after the colon.
        Some(at) if !scheme && rest[at..].starts_with(':') => (&rest[..at], &rest[at + 1..]),
        _ => rest.split_once('/').unwrap_or((rest, "")),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host).to_lowercase();
    let mut path = path.trim_matches('/');
    for branch in ["/-/tree/", "/tree/", "/src/"] {
        if let Some(at) = path.find(branch) {
            path = &path[..at];
        }
    }
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    match (host.is_empty(), path.is_empty()) {
        (true, _) => None,
        (false, true) => Some(host),
        (false, false) => Some(format!("{host}/{path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(path: &str) -> String {
        ImportPath::new(path, None).repository("", NameStyle::Hashed)
    }

    #[test]
    fn names_are_ko_s_to_the_digit() {
        for (path, name) in [
            ("example.org/sample/cmd/example", "example-51d74b7127c5f7495a338df33ecdeb19"),
            ("github.com/google/ko/cmd/ko", "ko-099ba5bcefdead87f92606265fb99ac0"),
            ("github.com/google/ko/test", "test-46c4b272b3716c422d5ff6dfc7547fa9"),
            ("github.com/go-training/helloworld", "helloworld-4a5df22c048e79e965f786183fbaaa39"),
            (
                "github.com/the-gigi/delinkcious/svc/link_service",
                "link_service-1819ff5de960487aed3f9074cd43cc03",
            ),
            ("GitHub.com/Google/ko/test", "test-46c4b272b3716c422d5ff6dfc7547fa9"),
        ] {
            assert_eq!(hashed(path), name);
        }
    }

    #[test]
    fn each_style_of_name_is_ko_s() {
        let path = ImportPath::new("example.org/sample/cmd/example", None);
        let repo = "registry.example.org/foo/bar";
        for (style, name) in [
            (
                NameStyle::Hashed,
                "registry.example.org/foo/bar/example-51d74b7127c5f7495a338df33ecdeb19",
            ),
            (NameStyle::Preserved, "registry.example.org/foo/bar/example.org/sample/cmd/example"),
            (NameStyle::Base, "registry.example.org/foo/bar/example"),
            (NameStyle::Bare, "registry.example.org/foo/bar"),
        ] {
            assert_eq!(path.repository(repo, style), name);
        }
        let other = ImportPath::new("github.com/a/b", Some("Tool.x".into()));
        assert_eq!(other.repository("r", NameStyle::Base), "r/tool.x");
        assert_eq!(other.repository("r", NameStyle::Preserved), "r/github.com/a/b/tool.x");
    }

    #[test]
    fn repositories_are_normalised() {
        for (url, path) in [
            ("https://github.com/the-gigi/delinkcious", Some("github.com/the-gigi/delinkcious")),
            (
                "https://github.com/the-gigi/delinkcious.git/",
                Some("github.com/the-gigi/delinkcious"),
            ),
            ("git@github.com:a/b.git", Some("github.com/a/b")),
            ("ssh://git@host.example:2222/a/b.git", Some("host.example/a/b")),
            ("https://user:secret@GitHub.com:443/a/b?x=1#y", Some("github.com/a/b")),
            ("https://github.com/a/b/tree/main/crates/c", Some("github.com/a/b")),
            ("https://gitlab.com/a/b/c/-/tree/main/x", Some("gitlab.com/a/b/c")),
            ("https://codeberg.org/a/b/src/branch/main", Some("codeberg.org/a/b")),
            ("github.com/a/b", Some("github.com/a/b")),
            ("https://example.com", Some("example.com")),
            ("", None),
            ("https://", None),
        ] {
            assert_eq!(normalise_repository(url).as_deref(), path, "{url}");
        }
    }
}
