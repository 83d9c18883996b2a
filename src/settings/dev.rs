//! `dev:` of the settings file, and the settings of a development loop.

use std::path::PathBuf;

use super::builds::Reader;
use super::complete::{self, Complete};
use super::env::Environment;
use super::error::Error;
use super::file;
use super::sources::{Flags, Sources};
use super::table::{DevKey, Key};
use crate::cargo;
use crate::registry::LocationFiles;
use crate::report::Reporter;
use crate::template;

/// How a development loop works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dev {
    /// What becomes of the objects at its end.
    pub(crate) at_end: AtEnd,
    /// Whether its namespace is created if it does not exist.
    pub(crate) creates_namespace: bool,
    /// The settings file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The user, as others who share the cluster know them.
    pub(crate) user: String,
    /// The current time in seconds since 1970.
    pub(crate) now: i64,
}

/// What becomes of the objects of a development loop at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// They stay as they are.
    #[default]
    Leave,
    /// Those that it created are deleted, like `ko-rs down`.
    Down,
}

/// What the file sets.
#[derive(Debug, Default)]
struct Written {
    manifests: Vec<PathBuf>,
    namespace: Option<String>,
    profile: Option<String>,
    at_end: AtEnd,
}

/// Completes the settings of a development loop. Its own settings apply where no flag is given.
pub(crate) fn complete_dev(
    flags: Flags,
    environment: &Environment,
    report: &Reporter,
) -> Result<(Complete, Dev), Error> {
    let mut sources = complete::sources(flags, environment, report)?;
    let written = sources.dev()?;
    let mut set = |key: Key, values: Vec<String>| {
        if !values.is_empty() && sources.texts(key).is_none() {
            sources.flags.0.insert(key, values);
        }
    };
    let profile = written.profile.unwrap_or_else(|| cargo::DEV_PROFILE.to_owned());
    set(Key::Profile, vec![profile]);
    let creates_namespace = written.namespace.is_some();
    set(Key::Namespace, written.namespace.into_iter().collect());
    if sources.text(Key::Kustomize).is_none() {
        let shown = |path: &PathBuf| {
            let below = path.strip_prefix(environment.directory()).unwrap_or(path);
            below.display().to_string()
        };
        let manifests = written.manifests.iter().map(shown).collect();
        if sources.texts(Key::Filename).is_none() {
            sources.flags.0.insert(Key::Filename, manifests);
        }
    }
    let dev = Dev {
        at_end: written.at_end,
        creates_namespace,
        file: sources.file.as_ref().map(|file| file.path()),
        user: environment.user(),
        now: environment.now(),
    };
    Ok((sources.complete()?, dev))
}

impl Sources {
    fn dev(&self) -> Result<Written, Error> {
        let Some(file) = &self.file else { return Ok(Written::default()) };
        let Some(node) = file.values.get(&Key::Dev) else { return Ok(Written::default()) };
        let mut reader = Reader { file, locations: LocationFiles::default(), errors: Vec::new() };
        let entry = file.entry::<DevKey>(node, "the settings of `dev`", &mut reader.errors);
        let text = |key: DevKey| entry.get(&key).and_then(file::text);
        let manifests = entry.get(&DevKey::Manifests).map(file::texts).unwrap_or_default();
        let values = self.values()?;
        let mut written = Written {
            manifests: manifests.iter().map(|path| file.folder.join(path)).collect(),
            profile: text(DevKey::Profile),
            ..Written::default()
        };
        if let Some(node) = entry.get(&DevKey::Namespace)
            && let Some(text) = file::text(node)
        {
            match template::render(&text, &values) {
                Ok(namespace) => written.namespace = Some(namespace),
                Err(error) => reader.wrong(node, "`namespace` cannot be rendered", error),
            }
        }
        if let Some(node) = entry.get(&DevKey::AtEnd) {
            match file::text(node).as_deref() {
                Some("leave") => written.at_end = AtEnd::Leave,
                Some("down") => written.at_end = AtEnd::Down,
                _ => reader.wrong(node, "`atEnd` must be `leave` or `down`", "found another value"),
            }
        }
        Error::all(reader.errors).map(|()| written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &str, flags: &[(Key, &str)]) -> Result<(Complete, Dev), Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".ko-rs.yaml"), text).unwrap();
        let environment = Environment::of(folder.path(), [("USER", "gigi")]);
        let flags = flags.iter().map(|(key, value)| (*key, vec![(*value).to_owned()])).collect();
        complete_dev(Flags(flags), &environment, &Reporter::new())
    }

    #[test]
    fn its_settings_apply_where_no_flag_is_given() {
        let text = "dev:\n  manifests: [k8s]\n  namespace: 'dev-{{ Env.USER }}'\n  atEnd: down\n";
        let (complete, dev) = completed(text, &[]).unwrap();
        assert_eq!(complete.filenames, ["k8s"]);
        assert_eq!(complete.settings.cluster.namespace.as_deref(), Some("dev-gigi"));
        assert_eq!((dev.at_end, dev.creates_namespace), (AtEnd::Down, true));
        let flags = [(Key::Filename, "x.yaml"), (Key::Namespace, "own")];
        let (complete, _) = completed(text, &flags).unwrap();
        assert_eq!(complete.filenames, ["x.yaml"]);
        assert_eq!(complete.settings.cluster.namespace.as_deref(), Some("own"));
    }

    #[test]
    fn a_wrong_value_is_pointed_at() {
        let error = completed("dev: {atEnd: stay}\n", &[]).unwrap_err();
        insta::assert_snapshot!(error.summary(), @"
        invalid-setting: `atEnd` must be `leave` or `down`
          1:14 `stay`: found another value
        ");
        let error = completed("dev: {manifest: [a]}\n", &[]).unwrap_err();
        insta::assert_snapshot!(error.summary(), @"
        unknown-setting: unknown key `manifest` in the settings of `dev`
          1:7 `manifest`: unknown key
          hint: did you mean `manifests`?
        ");
    }
}
