//! The examples of `fixtures/errors`: how each code of `docs/errors.md` comes about, and what is
//! printed then. `UPDATE_DOCS=1` rewrites the printed part. `fixtures/README.md` describes the format.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Sandbox, copy, fixture};

/// An example.
#[derive(Debug, PartialEq)]
pub(crate) struct Example {
    /// The code that it is about.
    pub(crate) code: String,
    /// Markdown that introduces it.
    pub(crate) note: String,
    /// The server that it needs: a name that `tests/servers` knows.
    pub(crate) needs: Option<String>,
    /// Requests of the last command that the registry does not see: method and a part of the path,
    /// and the status and body that they are answered with.
    pub(crate) answers: Vec<(String, u16, String)>,
    /// Whether it runs in a copy of `fixtures/errors/workspace`.
    in_workspace: bool,
    /// The exit status, where it is not the one of the code.
    status: Option<i32>,
    /// Shell commands; the last one runs ko-rs.
    pub(crate) commands: Vec<String>,
    /// Paths and contents of the files in the working directory.
    pub(crate) files: Vec<(String, String)>,
    /// What the last command prints on a terminal of 80 columns.
    pub(crate) stderr: String,
}

/// All examples, in the order of their codes.
pub(crate) fn all() -> Vec<Example> {
    let files = fs::read_dir(fixture("errors")).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ext| ext == "txt")).collect();
    texts.sort();
    texts.iter().map(|path| Example::read(path.file_stem().unwrap().to_str().unwrap())).collect()
}

/// Whether `UPDATE_DOCS` asks to write what is generated.
#[expect(clippy::disallowed_methods, reason = "asks whether to write files, not how ko-rs runs")]
pub(crate) fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

fn path(code: &str) -> PathBuf {
    fixture("errors").join(format!("{code}.txt"))
}

impl Example {
    fn read(code: &str) -> Self {
        let text = fs::read_to_string(path(code)).unwrap();
        let mut parts = text.split("\n-- ");
        let mut example = Self {
            code: code.to_owned(),
            note: String::new(),
            needs: None,
            answers: Vec::new(),
            in_workspace: true,
            status: None,
            commands: Vec::new(),
            files: Vec::new(),
            stderr: String::new(),
        };
        for line in parts.next().unwrap().lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("$", command) => example.commands.push(command.to_owned()),
                ("needs", server) => example.needs = Some(server.to_owned()),
                ("answer", rest) => {
                    let words: Vec<&str> = rest.splitn(4, ' ').collect();
                    let [method, part, status, body] = words[..] else { panic!("{code}: {rest}") };
                    let status = status.parse().unwrap();
                    example.answers.push((format!("{method} {part}"), status, body.to_owned()));
                }
                ("exits", status) => example.status = Some(status.parse().unwrap()),
                ("no", "workspace") => example.in_workspace = false,
                ("#", note) => example.note += &format!("{note}\n"),
                _ => panic!("{code}: cannot read `{line}`"),
            }
        }
        for part in parts {
            let (name, text) = part.split_once(" --\n").unwrap();
            // The newline before the next part ends this one's last line.
            let text = if text.is_empty() || text.ends_with('\n') {
                text.to_owned()
            } else {
                format!("{text}\n")
            };
            match name {
                "stderr" => example.stderr = text,
                _ => example.files.push((name.to_owned(), text)),
            }
        }
        assert!(!example.commands.is_empty(), "{code}: no command");
        example
    }

    /// Runs the commands in a sandbox, and returns what is wrong. `names` are texts that differ
    /// between runs, with what is printed in their place; in files and commands it is the other way
    /// around. `before_last` is called before the last command.
    pub(crate) fn run(
        &self,
        sandbox: Sandbox,
        names: &[(String, &str)],
        before_last: impl FnOnce(),
    ) -> Result<(), String> {
        if self.in_workspace {
            copy(&fixture("errors/workspace"), sandbox.directory());
        }
        let real = |text: &str| {
            names.iter().fold(text.to_owned(), |text, (real, shown)| text.replace(shown, real))
        };
        for (path, text) in &self.files {
            sandbox.write(path, &real(text));
        }
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_ko-rs"));
        let sandbox = sandbox
            .env("NO_COLOR", "1")
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env_before("PATH", executable.parent().unwrap());
        let (last, before) = self.commands.split_last().unwrap();
        for command in before {
            let output = sandbox.command("sh").args(["-c", &real(command)]).output().unwrap();
            assert!(output.status.success(), "{}: `{command}`: {output:?}", self.code);
        }
        before_last();
        let (printed, status) = on_terminal(&sandbox, &real(last));
        let stderr = self.shown(&printed, &sandbox, names);
        let is_error = stderr.contains(&format!("error[{}]", self.code));
        if !is_error && !stderr.contains(&format!("warning[{}]", self.code)) {
            return Err(format!("{}: the code is not in\n{stderr}", self.code));
        }
        let of_code = ko_rs::cli::every_code().find(|code| code.name == self.code).unwrap().exit;
        let of_code = match of_code {
            Some(exit) if is_error => i32::from(exit.status()),
            None if is_error => return Err(format!("{}: not a warning\n{stderr}", self.code)),
            _ => 0,
        };
        if status != Some(self.status.unwrap_or(of_code)) {
            return Err(format!("{}: exits with {status:?}\n{stderr}", self.code));
        }
        if is_updating() {
            let path = path(&self.code);
            let text = fs::read_to_string(&path).unwrap();
            let input = text.split("\n-- stderr --\n").next().unwrap().trim_end_matches('\n');
            fs::write(path, format!("{input}\n-- stderr --\n{stderr}")).unwrap();
        } else if stderr != self.stderr {
            return Err(format!("{}:\n{stderr}--- is not\n{}", self.code, self.stderr));
        }
        Ok(())
    }

    /// A text as it is documented.
    fn shown(&self, text: &str, sandbox: &Sandbox, names: &[(String, &str)]) -> String {
        let folder = sandbox.directory().canonicalize().unwrap();
        let home = sandbox.outside("home").canonicalize().unwrap();
        let outside = folder.parent().unwrap();
        let target = PathBuf::from(sandbox.variable("CARGO_TARGET_DIR"));
        let sysroot = sandbox.command("rustc").args(["--print", "sysroot"]).output().unwrap();
        let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim_end());
        let version = format!("ko-rs {}", env!("CARGO_PKG_VERSION"));
        // What these lines hold depends on the machine.
        let starts = [
            "    Retrying ",
            "   Compiling ",
            "    Finished ",
            "    Blocking ",
            "  = note:  \"",
            "  = note: some arguments are omitted",
        ];
        let is_same = |line: &&str| !starts.iter().any(|start| line.starts_with(start));
        let lines = text.split_inclusive('\n').filter(is_same).map(|line| {
            let start = "error[interrupted]: only ";
            let rest = line.strip_prefix(start).and_then(|rest| rest.split_once(' '));
            rest.map_or_else(|| line.to_owned(), |(_, rest)| format!("{start}1234 {rest}"))
        });
        let mut shown = lines.collect::<String>().replace('\r', "");
        for (real, name) in names {
            shown = shown.replace(real, name);
        }
        for (path, name) in [
            (folder.as_path(), "/home/me/example/shop"),
            (home.as_path(), "/home/me"),
            (outside, "/home/me/example"),
            (target.as_path(), "/home/me/example/shop/target"),
            (sysroot.as_path(), "/home/me/.rustup/toolchains/stable"),
        ] {
            shown = shown.replace(path.to_str().unwrap(), name);
        }
        shown = shown.replace(&version, "ko-rs VERSION");
        let random = [
            (":", 64, "…"),
            ("/.tmp", 6, "XXXXXX"),
            ("/ko-rs-", 6, "XXXXXX"),
            ("-service-", 16, "HASH"),
        ];
        random.iter().fold(shown, |text, (prefix, count, mask)| masked(&text, prefix, *count, mask))
    }
}

/// A text in which what follows a prefix, and has so many letters and digits, is replaced.
fn masked(text: &str, prefix: &str, count: usize, mask: &str) -> String {
    let mut parts = text.split(prefix);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let random = part.bytes().take_while(u8::is_ascii_alphanumeric).count();
        out += prefix;
        out += if random == count { mask } else { &part[..random] };
        out += &part[random..];
    }
    out
}

/// Runs a shell command whose standard error is a terminal of 80 columns; returns what it prints
/// there and its exit status.
fn on_terminal(sandbox: &Sandbox, command: &str) -> (String, Option<i32>) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = sandbox
        .command("sh")
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(slave)
        .spawn()
        .unwrap();
    // Ends with an error once nobody has the terminal open.
    let mut printed = Vec::new();
    let _ = File::from(master).read_to_end(&mut printed);
    (String::from_utf8(printed).unwrap(), child.wait().unwrap().code())
}
