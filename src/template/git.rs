//! The values of `Git` in templates. Git is run only for the fields that a template uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Error, ErrorKind};

use crate::process::{self, Environment};
use crate::report::public_url;

/// The fields of `Git`.
pub(super) const GIT: [&str; 17] = [
    "Branch",
    "CommitDate",
    "CommitTimestamp",
    "FullCommit",
    "IsClean",
    "IsDirty",
    "PathCommitDate",
    "PathCommitTimestamp",
    "PathFullCommit",
    "PathIsClean",
    "PathIsDirty",
    "PathShortCommit",
    "PathTreeState",
    "ShortCommit",
    "Source",
    "Tag",
    "TreeState",
];

/// A repository, and how Git is run in it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The root, or `None` outside of a repository.
    pub root: Option<PathBuf>,
    /// The environment that Git runs in.
    pub environment: Environment,
}

/// Git's output or the reason of its failure, by arguments.
type Answers = BTreeMap<Vec<String>, Result<String, String>>;

/// The object `Git`.
#[derive(Debug)]
pub(super) enum Git {
    /// Sample values of the right kinds.
    Sample,
    /// Those of a repository.
    Asked {
        repository: Repository,
        /// The folder of `Git.Path…`.
        folder: Option<PathBuf>,
        /// Earlier output, shared by all folders of the repository.
        answers: Arc<Mutex<Answers>>,
    },
}

impl Git {
    pub(super) fn of(repository: Repository) -> Self {
        Self::Asked { repository, folder: None, answers: Arc::default() }
    }

    pub(super) fn about(&self, folder: &Path) -> Self {
        match self {
            Self::Sample => Self::Sample,
            Self::Asked { repository, answers, .. } => Self::Asked {
                repository: repository.clone(),
                folder: Some(folder.to_owned()),
                answers: Arc::clone(answers),
            },
        }
    }

    fn value(&self, key: &str) -> Result<Value, String> {
        let (key, path) = match key.strip_prefix("Path") {
            Some(key) => (key, true),
            None => (key, false),
        };
        let log = |format: &str| self.ask(&["log", "-1", &format!("--format={format}")], path);
        let dirty = || self.ask(&["status", "--porcelain"], path).map(|lines| !lines.is_empty());
        Ok(match key {
            "FullCommit" => log("%H")?.into(),
            "ShortCommit" => log("%h")?.into(),
            "CommitTimestamp" => log("%ct")?.into(),
            "CommitDate" => {
                let seconds = log("%ct")?.parse().unwrap_or_default();
                jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string().into()
            }
            "IsDirty" => dirty()?.into(),
            "IsClean" => (!dirty()?).into(),
            "TreeState" => if dirty()? { "dirty" } else { "clean" }.into(),
            "Branch" => self.ask(&["rev-parse", "--abbrev-ref", "HEAD"], false)?.into(),
            // ko uses this version for a repository without tags.
            "Tag" => self
                .ask(&["describe", "--tags", "--abbrev=0"], false)
                .unwrap_or_else(|_| "v0.0.0".to_owned())
                .into(),
            "Source" => source(&self.ask(&["config", "--get", "remote.origin.url"], false)?).into(),
            other => return Err(format!("`Git` has no field `{other}`")),
        })
    }

    /// The output of a Git command, without the final newline.
    fn ask(&self, arguments: &[&str], path: bool) -> Result<String, String> {
        let Self::Asked { repository, folder, answers } = self else {
            return Ok("1".to_owned());
        };
        let Some(root) = &repository.root else {
            return Err("not in a Git repository".to_owned());
        };
        let mut arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        if path {
            let folder = folder
                .as_deref()
                .ok_or("`Git.Path…` needs a crate, but this setting is not of one")?;
            let folder = folder.to_str().ok_or("the path of the crate's folder is not UTF-8")?;
            arguments.extend(["--".to_owned(), folder.to_owned()]);
        }
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(&arguments) {
            return answer.clone();
        }
        let answer = run(root, &repository.environment, &arguments);
        answers.insert(arguments, answer.clone());
        answer
    }
}

impl Object for Git {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str().filter(|key| GIT.contains(key))?;
        Some(self.value(key).unwrap_or_else(|reason| {
            Value::from(Error::new(ErrorKind::InvalidOperation, format!("`Git.{key}`: {reason}")))
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&GIT)
    }
}

fn run(root: &Path, environment: &Environment, arguments: &[String]) -> Result<String, String> {
    let mut command = process::command("git", environment, root);
    command.args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(arguments);
    match process::capture(command) {
        Ok(printed) => Ok(printed.trim_end().to_owned()),
        Err(process::Error::Failed { stderr, status, .. }) => {
            let status = status.to_string();
            let reason = stderr.lines().next().unwrap_or(&status);
            Err(format!("`git {}` failed: {reason}", arguments.join(" ")))
        }
        Err(process::Error::Start { source, .. }) => Err(format!("could not run `git`: {source}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The URL of a remote as a browser opens it, without user, password and `.git`.
fn source(origin: &str) -> String {
    let (scheme, rest) = match origin.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest.to_owned()),
        Some((_, rest)) => ("https", rest.to_owned()),
        // `git@host:path`, the syntax of scp.
        None => match origin.split_once(':') {
            Some((host, path)) if !host.contains('/') => ("https", format!("{host}/{path}")),
            _ => return String::new(),
        },
    };
    let url = public_url(&format!("{scheme}://{rest}"));
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let fixed = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(fixed).args(arguments).current_dir(folder).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn a_path_s_commit_is_the_last_that_touched_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "--quiet", "--initial-branch=trunk"]);
        for (number, name) in ["one", "two"].into_iter().enumerate() {
            std::fs::create_dir(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("file"), name).unwrap();
            git(root, &["add", "."]);
            let date = format!("--date=@{}", 1_600_000_000 + number);
            git(root, &["commit", "--quiet", &date, "--message", name]);
        }
        let path = option_env!("PATH").unwrap_or("/usr/bin:/bin");
        let environment = BTreeMap::from([("PATH".into(), path.into())]);
        let repository = Repository { root: Some(root.to_owned()), environment };
        let git_of = |name: &str| Git::of(repository.clone()).about(&root.join(name));
        let text = |git: &Git, key| git.value(key).unwrap().to_string();
        let (one, two) = (git_of("one"), git_of("two"));
        assert_eq!(text(&one, "FullCommit").len(), 40);
        assert_eq!(text(&two, "PathFullCommit"), text(&one, "FullCommit"));
        assert_ne!(text(&one, "PathFullCommit"), text(&one, "FullCommit"));
        assert_eq!(text(&one, "Branch"), "trunk");
        assert_eq!(text(&one, "Tag"), "v0.0.0");
        assert_eq!(text(&one, "TreeState"), "clean");
        assert!(text(&one, "CommitDate").ends_with('Z'));
        std::fs::write(root.join("two/file"), "changed").unwrap();
        let (one, two) = (git_of("one"), git_of("two"));
        assert!(one.value("IsDirty").unwrap().is_true());
        assert!(!one.value("PathIsDirty").unwrap().is_true());
        assert_eq!(text(&two, "PathTreeState"), "dirty");
        let nowhere = Repository { root: None, ..repository.clone() };
        assert!(Git::of(nowhere).value("Branch").is_err());
        assert!(Git::of(repository).value("PathFullCommit").is_err());
    }

    #[test]
    fn an_origin_has_no_user_and_no_token() {
        for origin in [
            "https://me:ghp_secret@github.com/a/b.git",
            "https://oauth2:tok@en@github.com/a/b.git?private_token=ghp_secret",
            "git@github.com:a/b.git",
            "ssh://git@github.com/a/b",
            "https://github.com/a/b/",
        ] {
            assert_eq!(source(origin), "https://github.com/a/b", "{origin}");
        }
        assert_eq!(source("/srv/git/me.git"), "");
    }
}
