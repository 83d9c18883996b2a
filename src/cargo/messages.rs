//! What Cargo says while it builds ([external tools][spec]), as far as it matters here.
//!
//! [spec]: https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

/// A line of Cargo's standard output.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        package_id: String,
        target: Target,
        executable: Option<PathBuf>,
    },
    BuildScriptExecuted {
        package_id: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// An executable that is there now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Executable {
    pub(crate) package_id: String,
    pub(crate) bin: String,
    pub(crate) path: PathBuf,
}

/// What was heard of a build so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    build_scripts: BTreeSet<String>,
}

impl Heard {
    /// Takes in a line. Lines that are not Cargo's, as wrappers may write them, are passed over.
    pub(crate) fn line(&mut self, line: &str) -> Option<Executable> {
        match serde_json::from_str(line).ok()? {
            Message::CompilerArtifact { package_id, target, executable } => {
                if target.kind.iter().any(|kind| kind == "custom-build") {
                    self.build_scripts.insert(package_id);
                    return None;
                }
                let is_bin = target.kind.iter().any(|kind| kind == "bin");
                let path = executable.filter(|_| is_bin)?;
                Some(Executable { package_id, bin: target.name, path })
            }
            Message::BuildScriptExecuted { package_id } => {
                self.build_scripts.remove(&package_id);
                None
            }
            Message::Other => None,
        }
    }

    /// Packages whose build script was compiled and did not come to a good end.
    pub(crate) fn unfinished_build_scripts(&self) -> &BTreeSet<String> {
        &self.build_scripts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_and_unfinished_build_scripts_are_heard() {
        let mut heard = Heard::default();
        let artifact = |kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","target":{{"kind":["{kind}"],"name":"n"}},"executable":{executable}}}"#
            )
        };
        let executable = heard.line(&artifact("bin", r#""/x/n""#)).unwrap();
        assert_eq!(
            executable,
            Executable { package_id: "p".into(), bin: "n".into(), path: "/x/n".into() }
        );
        for line in [
            artifact("lib", "null"),
            artifact("example", r#""/x/n""#),
            artifact("custom-build", "null"),
            "{\"reason\":\"build-finished\",\"success\":false}".to_owned(),
            "hello".to_owned(),
            "{".to_owned(),
        ] {
            assert_eq!(heard.line(&line), None);
        }
        assert_eq!(heard.unfinished_build_scripts().len(), 1);
        heard.line(r#"{"reason":"build-script-executed","package_id":"p"}"#);
        assert!(heard.unfinished_build_scripts().is_empty());
    }
}
