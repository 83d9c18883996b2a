//! The only place that reads the environment, the working directory and the clock.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// The process's environment as a value.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    directory: PathBuf,
}

impl Environment {
    /// The environment and working directory of this process.
    #[expect(clippy::disallowed_methods, reason = "the only place that may read it")]
    pub fn current() -> io::Result<Self> {
        Ok(Self { variables: std::env::vars_os().collect(), directory: std::env::current_dir()? })
    }

    /// An environment of these variables, for tests.
    #[must_use]
    pub fn of<K: Into<OsString>, V: Into<OsString>>(
        directory: impl Into<PathBuf>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { variables, directory: directory.into() }
    }

    /// All variables, for child processes.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }

    /// The working directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A variable, unless it is empty.
    #[must_use]
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// A variable as text, unless it is empty or not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// Seconds since 1970.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a template may ask for the time")]
    pub fn now(&self) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or_default()
    }

    /// A variable as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get_os(name).map(PathBuf::from)
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.path("USERPROFILE"))
    }

    /// The name of the user.
    #[must_use]
    pub fn user(&self) -> String {
        let names = ["USER", "LOGNAME", "USERNAME"];
        names.iter().find_map(|name| self.get(name)).unwrap_or("unknown").to_owned()
    }

    /// The folder for temporary files.
    #[must_use]
    pub fn temporary_folder(&self) -> PathBuf {
        self.path("TMPDIR").or_else(|| self.path("TEMP")).unwrap_or_else(|| "/tmp".into())
    }

    /// The user's cache folder, by the XDG rules on every system but Windows.
    #[must_use]
    pub fn cache_folder(&self) -> Option<PathBuf> {
        self.path("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| self.path("LOCALAPPDATA"))
            .or_else(|| Some(self.home()?.join(".cache")))
    }
}
