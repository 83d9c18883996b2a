//! The shell commands of README.md and `docs`, which tests run. What follows the language of a block
//! says how:
//!
//! * `run`: without a server, in `fixtures/delinkcious`;
//! * `needs=registry`, `needs=cluster`: the same with one, by `tests/servers`;
//! * `skip="…"`: not at all, and why.

use std::fs;
use std::path::PathBuf;

use crate::support::{Sandbox, repository};

/// A block of shell commands.
#[derive(Debug)]
pub(crate) struct Block {
    /// The document and the line in it.
    pub(crate) place: String,
    /// What follows the language.
    pub(crate) info: String,
    commands: String,
}

/// README.md and the documents of `docs`, but for `errors.md`, whose examples have tests of their own.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs
        .filter(|path| {
            path.extension().is_some_and(|ext| ext == "md") && !path.ends_with("errors.md")
        })
        .chain([repository().join("README.md")])
        .collect();
    paths.sort();
    paths
}

/// All blocks. In one of language `console`, the lines that begin with `$` are commands.
pub(crate) fn all() -> Vec<Block> {
    let mut blocks = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(fence) = line.strip_prefix("```") else { continue };
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let (language, info) = fence.split_once(' ').unwrap_or((fence, ""));
            let commands: Vec<&str> = match language {
                "sh" => block,
                "console" => block.iter().filter_map(|line| line.strip_prefix("$ ")).collect(),
                _ => continue,
            };
            let place =
                format!("{}:{}", path.strip_prefix(repository()).unwrap().display(), number + 1);
            blocks.push(Block { place, info: info.to_owned(), commands: commands.join("\n") });
        }
    }
    blocks
}

impl Block {
    /// Runs the commands in a sandbox, with other names in the place of those that are documented.
    #[track_caller]
    pub(crate) fn run(&self, sandbox: Sandbox, names: &[(&str, &str)]) {
        let commands =
            names.iter().fold(self.commands.clone(), |text, (name, own)| text.replace(name, own));
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_ko-rs"));
        let sandbox = sandbox.env_before("PATH", executable.parent().unwrap());
        let output = sandbox.command("sh").args(["-ec", &commands]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {commands}\n{stderr}", self.place);
    }
}
