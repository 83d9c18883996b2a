//! Scripts that Cargo runs instead of a compiler or a linker, so that no path of this machine is on
//! a command line.
//!
//! There is one set for each target, in the target directory, so that their paths stay the same
//! from build to build. A script looks for its tool when it runs, so that zig is only needed if a
//! crate contains C.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, TargetTriple};

const LD: &str = include_str!("scripts/ld.sh");
const ZIG: &str = include_str!("scripts/zig.sh");

/// The maximum length of the output of a linker that is read.
const MOST: u64 = 1 << 20;

/// The folder with the scripts of a target.
#[derive(Clone, Debug)]
pub(crate) struct Tools(PathBuf);

impl Tools {
    /// The scripts of a target, below Cargo's target directory.
    pub(crate) fn of(target_directory: &Path, target: &TargetTriple) -> Self {
        Self(target_directory.join("tools").join(target.to_string()))
    }

    /// Whether this system can run them.
    pub(crate) const fn can_be_used() -> bool {
        cfg!(unix)
    }

    /// The path of a script.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The linker of the toolchain, behind the command line of a C compiler.
    pub(crate) fn rust_lld(&self) -> Result<PathBuf, Error> {
        self.script("ld", &[], LD)
    }

    /// Zig as one of the tools of a C compiler.
    pub(crate) fn zig(&self, tool: &str, target: &TargetTriple) -> Result<PathBuf, Error> {
        let cpu = cpu(target).map(|cpu| format!("-mcpu={cpu}")).unwrap_or_default();
        let triple = target.to_string();
        let zig = target.zig();
        let set = [("tool", tool), ("triple", &*triple), ("target", &*zig), ("cpu", &*cpu)];
        // The linker of the toolchain has its own script with the name `ld`.
        self.script(if tool == "ld" { "zig-ld" } else { tool }, &set, ZIG)
    }

    /// Writes a script unless it exists with the same contents.
    fn script(&self, name: &str, set: &[(&str, &str)], body: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        let mut text = "#!/bin/sh\n# Written by ko-rs.\nhere=${0%/*}\n".to_owned();
        for (name, value) in set {
            text.push_str(&format!("{name}={}\n", shell_words::quote(value)));
        }
        text.push_str(body);
        if std::fs::read(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(path);
        }
        self.write(&path, &text).map_err(|source| Error::Tool { path: path.clone(), source })?;
        Ok(path)
    }

    /// Replaces a script atomically: another run may be starting the old one.
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(text.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o755))?;
        }
        file.persist(path)?;
        Ok(())
    }

    /// Removes the output of linkers that this process started.
    pub(crate) fn forget_failures(&self) {
        for path in self.failures() {
            let _ = std::fs::remove_file(path);
        }
    }

    /// The output of the linkers that failed, of those that this process started: another one may use
    /// the same folder.
    pub(crate) fn linker_output(&self) -> Vec<String> {
        let read = |path: PathBuf| {
            let mut text = Vec::new();
            let file = std::fs::File::open(path).ok()?;
            io::Read::read_to_end(&mut io::Read::take(file, MOST), &mut text).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        self.failures().into_iter().filter_map(read).filter(|text| !text.is_empty()).collect()
    }

    fn failures(&self) -> Vec<PathBuf> {
        let own = format!("failure-{}-", run());
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&own))
            .map(|entry| entry.path())
            .collect();
        found.sort();
        found
    }
}

/// What tells the files of this process apart, the value of [`RUN`].
pub(crate) fn run() -> String {
    std::process::id().to_string()
}

/// The variable by which the linker's script learns whose run it is part of.
pub(crate) const RUN: &str = "KO_RS_RUN";

/// The oldest processor of a target for which zig has a newer default.
fn cpu(target: &TargetTriple) -> Option<&'static str> {
    match target.architecture() {
        "arm" => Some("arm1176jzf_s"),
        "armv5te" => Some("arm926ej_s"),
        _ => None,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    fn triple(text: &str) -> TargetTriple {
        text.parse().unwrap()
    }

    /// A folder with scripts, and a program that prints each of its arguments on a line.
    fn tools(program: &str, target: &TargetTriple) -> (tempfile::TempDir, Tools, String) {
        let folder = tempfile::tempdir().unwrap();
        let tools = Tools::of(folder.path(), target);
        let bin = Tools(folder.path().join("bin"));
        bin.write(&bin.path(program), "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.0.display());
        (folder, tools, path)
    }

    fn run(script: &Path, path: &str, arguments: &[&str]) -> Vec<String> {
        let output = Command::new(script).args(arguments).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_linker_is_given_what_was_written_for_a_compiler() {
        let (_folder, tools, path) = tools("rust-lld", &triple("x86_64-unknown-linux-musl"));
        let ld = tools.rust_lld().unwrap();
        let given = ["-flavor", "gnu", "a b.o", "-Wl,-z,now", "-Xlinker", "-Wl,x", "-fuse-ld=lld"];
        assert_eq!(run(&ld, &path, &given), ["-flavor", "gnu", "a b.o", "-z", "now", "-Wl,x"]);
        assert_eq!(run(&ld, &path, &["-o", "x y"]), ["-o", "x y"]);
        assert!(tools.linker_output().is_empty());
    }

    #[test]
    fn what_a_failing_linker_says_is_kept_until_the_next_run() {
        let (_folder, tools, path) = tools("rust-lld", &triple("x86_64-unknown-linux-musl"));
        let ld = tools.rust_lld().unwrap();
        let lld = PathBuf::from(path.split(':').next().unwrap()).join("rust-lld");
        tools.write(&lld, "#!/bin/sh\necho no such library >&2\nexit 3\n").unwrap();
        let output = Command::new(ld).env("PATH", &path).env(RUN, super::run()).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "no such library\n");
        assert_eq!(tools.linker_output(), ["no such library\n"]);
        tools.forget_failures();
        assert!(tools.linker_output().is_empty());
    }

    #[test]
    fn zig_is_told_targets_and_processors_in_its_own_words() {
        for (rustc, zig) in [
            ("armv7-unknown-linux-musleabihf", "arm-linux-musleabihf"),
            ("i686-unknown-linux-musl", "x86-linux-musl"),
            ("riscv64gc-unknown-linux-musl", "riscv64-linux-musl"),
            ("x86_64-unknown-linux-gnu.2.36", "x86_64-linux-gnu.2.36"),
        ] {
            assert_eq!(triple(rustc).zig(), zig);
        }
        let target = triple("arm-unknown-linux-musleabihf");
        let (_folder, tools, path) = tools("zig", &target);
        let cc = tools.zig("cc", &target).unwrap();
        let given = ["--target=arm-unknown-linux", "-march=armv6", "-Wp,-UX", "-c", "a b.c"];
        assert_eq!(
            run(&cc, &path, &given),
            [
                "cc",
                "-target",
                "arm-linux-musleabihf",
                "-mcpu=arm1176jzf_s",
                "-g0",
                "-fno-sanitize=undefined",
                "-UX",
                "-c",
                "a b.c"
            ]
        );
        assert_eq!(
            run(&cc, &path, &["-march=armv8.2-a+crypto"]).last().unwrap(),
            "-mcpu=generic+v8_2a+crypto"
        );
        let ar = tools.zig("ar", &target).unwrap();
        assert_eq!(run(&ar, &path, &["cq", "x.a"]), ["ar", "cq", "x.a"]);
    }

    #[test]
    fn without_a_zig_the_script_says_what_is_lacking() {
        let target = triple("aarch64-unknown-linux-musl");
        let (folder, tools, _) = tools("other", &target);
        let cc = tools.zig("cc", &target).unwrap();
        let output = Command::new("/bin/sh").arg(cc).env("PATH", folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(127));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("ko-rs: there is no cc for aarch64-unknown-linux-musl"), "{said}");
    }
}
