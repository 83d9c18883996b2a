//! The real Cargo on crates of a few lines.

mod compiling;
mod flags;
mod naming;

use std::process::Command;

use super::*;
use crate::process::{self, Environment};
use crate::report::{Diagnose as _, Diagnostic, Exit};

const MUSL: &str = "x86_64-unknown-linux-musl";

/// A folder with files in it, and an environment of which nothing is left to chance.
struct Sandbox {
    folder: tempfile::TempDir,
    settings: Settings,
}

impl Sandbox {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::named("plain", files)
    }

    /// A sandbox whose workspace lies in a folder of that name.
    fn named(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap().join(name);
        std::fs::create_dir(&root).unwrap();
        let settings = Settings {
            directory: root,
            manifest_path: None,
            workspaces: vec![],
            repository_root: None,
            import_path: None,
            environment: environment(),
            locked: false,
            offline: true,
            frozen: false,
        };
        let sandbox = Self { folder, settings };
        for (path, text) in files {
            sandbox.write(path, text);
        }
        sandbox
    }

    fn path(&self, path: &str) -> PathBuf {
        self.settings.directory.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.environment.insert(name.into(), value.into());
    }

    fn cache(&self) -> Cache {
        Cache::at(self.folder.path().join("cache"))
    }

    fn open(&self) -> Result<Workspace, Error> {
        Workspace::open(&self.settings, &self.cache(), &Reporter::new(), &[])
    }

    fn find(&self, reference: &str) -> Result<Binary, Error> {
        self.open().unwrap().find(&CrateReference::bare(reference).unwrap())
    }

    fn build(&self, reference: &str) -> Build {
        let platform = "linux/amd64".parse().unwrap();
        let flags = vec!["--quiet".to_owned()];
        Build { flags, ..Build::new(self.find(reference).unwrap(), platform) }
    }

    /// Compiles and returns the artifacts in the order of the builds that have one.
    fn compile(&self, builds: &[Build]) -> (Vec<Artifact>, Result<(), Error>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let workspace = self.open().unwrap();
        let mut found = BTreeMap::new();
        let mut take = |index, artifact| assert!(found.insert(index, artifact).is_none());
        let result = runtime.block_on(workspace.compile(builds, &Reporter::new(), &mut take));
        (found.into_values().collect(), result)
    }

    fn compile_one(&self, reference: &str) -> Result<Artifact, Error> {
        let (artifacts, result) = self.compile(&[self.build(reference)]);
        result.map(|()| artifacts.into_iter().next().unwrap())
    }

    /// Puts a script before Cargo that notes each start.
    fn count_starts(&mut self) -> impl Fn() -> usize + use<> {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.folder.path().join("counting");
        std::fs::create_dir_all(&folder).unwrap();
        for program in ["cargo", "rustc", "rustup"] {
            let real = process::find(program, &self.settings.environment);
            let Some(real) = real else { continue };
            let script = format!(
                "#!/bin/sh\necho \"{program} $*\" >> '{0}/log'\nexec '{1}' \"$@\"\n",
                folder.display(),
                real.display()
            );
            let path = folder.join(program);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let path = self.settings.environment[std::ffi::OsStr::new("PATH")].clone();
        let path = format!("{}:{}", folder.display(), path.to_str().unwrap());
        self.set("PATH", &path);
        move || {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let _ = std::fs::remove_file(folder.join("log"));
            // What Cargo itself starts is Cargo's affair.
            log.lines().filter(|line| !line.starts_with("rustc")).count()
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has to find the Cargo that runs it")]
fn environment() -> Environment {
    let names = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
    names.iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?))).collect()
}

fn package(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

fn output(artifact: &Artifact) -> String {
    let output = Command::new(artifact.executable.path()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn bytes(artifact: &Artifact) -> Vec<u8> {
    std::fs::read(artifact.executable.path()).unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const HELLO: &str = "fn main() { println!(\"hello\"); }";

fn workspace() -> Sandbox {
    let repository = "repository = \"https://github.com/the-gigi/delinkcious.git\"\n";
    Sandbox::new(&[
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"svc/*\", \"lib\"]\n"),
        ("svc/link_service/Cargo.toml", &package("link-service", repository)),
        ("svc/link_service/src/main.rs", HELLO),
        ("svc/user_service/Cargo.toml", &package("user-service", "default-run = \"user\"\n")),
        ("svc/user_service/src/bin/user.rs", HELLO),
        ("svc/user_service/src/bin/admin.rs", HELLO),
        ("svc/tools/Cargo.toml", &package("tools", repository)),
        ("svc/tools/src/bin/one.rs", HELLO),
        ("svc/tools/src/bin/two.rs", HELLO),
        ("lib/Cargo.toml", &package("shared", "")),
        ("lib/src/lib.rs", ""),
    ])
}
