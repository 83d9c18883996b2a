//! What tests share: a sandbox in which the real `ko-rs` runs with an environment of its own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary folder, and an empty environment but for what Cargo needs to run.
pub(crate) struct Sandbox {
    folder: TempDir,
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

/// What a run of `ko-rs` left.
#[must_use = "a run whose end nobody looks at tests nothing"]
pub(crate) struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    repository().join("fixtures").join(name)
}

/// One target folder for the fixtures of all tests and runs, so that their dependencies are
/// compiled once. Workspaces of one name from different folders do not share what is theirs.
fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures-target")
}

impl Sandbox {
    /// A sandbox whose working directory is an empty folder.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ko-rs-").tempdir().unwrap();
        let directory = folder.path().join("work");
        fs::create_dir(&directory).unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        let mut environment = BTreeMap::new();
        #[expect(
            clippy::disallowed_methods,
            reason = "of the real environment, only this is taken"
        )]
        let outer = |name: &str| std::env::var_os(name);
        let cargo_home = outer("CARGO_HOME").or_else(|| Some(home_of(&outer("HOME")?, ".cargo")));
        let rustup_home =
            outer("RUSTUP_HOME").or_else(|| Some(home_of(&outer("HOME")?, ".rustup")));
        for (name, value) in [
            ("PATH", outer("PATH")),
            ("CARGO_HOME", cargo_home),
            ("RUSTUP_HOME", rustup_home),
            ("SSL_CERT_FILE", outer("SSL_CERT_FILE")),
            ("HOME", Some(home.into_os_string())),
            ("CARGO_TARGET_DIR", Some(target_folder().into_os_string())),
        ] {
            if let Some(value) = value {
                environment.insert(name.into(), value);
            }
        }
        Self { folder, directory, environment }
    }

    /// A sandbox whose working directory is a copy of a fixture.
    pub(crate) fn with_fixture(name: &str) -> Self {
        let mut sandbox = Self::new();
        let to = sandbox.directory.join(Path::new(name).file_name().unwrap());
        copy(&fixture(name), &to);
        sandbox.directory = to;
        sandbox
    }

    /// A sandbox whose working directory is a fixture itself. Nothing may write there; what is
    /// compiled of it is compiled once for all such sandboxes.
    pub(crate) fn inside_fixture(name: &str) -> Self {
        Self { directory: fixture(name), ..Self::new() }
    }

    /// A sandbox whose working directory is a copy of a fixture that may be edited, at a place that
    /// is the same in every run and with a target folder of its own: paths are part of how
    /// dependencies are compiled, so that elsewhere all of them would be compiled again. `place`
    /// is for one test alone.
    pub(crate) fn with_copy_in_place(name: &str, place: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place);
        let directory = place.join(Path::new(name).file_name().unwrap());
        let _ = fs::remove_dir_all(&directory);
        copy(&fixture(name), &directory);
        Self { directory, ..Self::new() }.env("CARGO_TARGET_DIR", place.join("target"))
    }

    /// Where commands run.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path outside the working directory that is removed with the sandbox.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Adds a folder in front of a variable that is a list of them.
    pub(crate) fn env_before(self, name: &str, folder: &Path) -> Self {
        let mut list = folder.as_os_str().to_owned();
        list.push(":");
        list.push(self.environment.get(OsStr::new(name)).cloned().unwrap_or_default());
        self.env(name, list)
    }

    /// A file with a text, outside the working directory.
    pub(crate) fn file_with(&self, text: &str) -> PathBuf {
        let file = self.outside("input");
        fs::write(&file, text).unwrap();
        file
    }

    /// A variable's value.
    pub(crate) fn variable(&self, name: &str) -> &OsStr {
        &self.environment[OsStr::new(name)]
    }

    /// Writes a file below the working directory.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes a file below the working directory.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file below the working directory.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.directory.join(path)).unwrap()
    }

    /// A command in this sandbox: another program than `ko-rs`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).env_clear().envs(&self.environment);
        command
    }

    /// Runs `ko-rs`.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(
            self.command(env!("CARGO_BIN_EXE_ko-rs"))
                .args(args)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }

    /// Runs `ko-rs` with a text on standard input.
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Ran {
        let mut child = self.start_with(args, Stdio::piped());
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer =
            std::thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
        let ran = Ran::of(child.wait_with_output().unwrap());
        let _ = writer.join().unwrap();
        ran
    }

    /// Starts `ko-rs` and does not wait for it.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.start_with(args, Stdio::null())
    }

    fn start_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: Stdio,
    ) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_ko-rs"));
        command.args(args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

fn home_of(home: &OsStr, name: &str) -> OsString {
    Path::new(home).join(name).into_os_string()
}

/// Copies a folder with its links, without what builds leave.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else if kind.is_dir() {
            if entry.file_name() != "target" {
                copy(&from, &to);
            }
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

impl Ran {
    /// What a child that was started left.
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout_lossy(),
            self.stderr
        );
        self
    }

    /// Standard output, which is text.
    #[track_caller]
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard error.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Standard output without its last line break: one printed reference.
    #[track_caller]
    pub(crate) fn line(&self) -> &str {
        let text = self.stdout();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "more than one line: {text}");
        line
    }

    /// The exit code, if it was not killed.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Standard output, whatever it is.
    pub(crate) fn stdout_lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Waits for the end of ko-rs and says how much memory it had at most, in kB of 1024. Unoptimised,
/// the executable alone is large, so that its own pages are left out of the count. Nobody reads what
/// it prints meanwhile, so that it must be little.
#[cfg(target_os = "linux")]
pub(crate) fn peak(mut child: Child) -> (Ran, u64) {
    let path = format!("/proc/{}/status", child.id());
    let counted = if cfg!(debug_assertions) { "RssAnon:" } else { "VmHWM:" };
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(counted));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(number.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    (Ran::of(child.wait_with_output().unwrap()), most)
}
