//! Finds and reads `.ko-rs.yaml`, and reports everything that is wrong with it at once.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::builds::Reader;
use super::error::Error;
use super::file::File;
use crate::source::Source;
use crate::template::Values;

/// The name that is looked for.
pub(crate) const NAME: &str = ".ko-rs.yaml";

/// The largest settings file that is read.
const LARGEST: u64 = 4 << 20;

/// The nearest settings file from a folder up to the Git root (or the file system's root where
/// there is no repository).
pub(super) fn find(directory: &Path) -> Option<PathBuf> {
    for folder in directory.ancestors() {
        let candidate = folder.join(NAME);
        if candidate.is_file() {
            return Some(candidate);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// The root of the Git repository around a folder: the folder with `.git`.
pub(super) fn repository_root(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Reads a settings file; `shown` is its name in errors.
pub(super) fn read(path: &Path, shown: &str) -> Result<File, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(failed(std::io::Error::other("the file is larger than 4 MiB")));
    }
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    parse(Source::new(shown, text), folder)
}

pub(super) fn parse(source: Source, folder: PathBuf) -> Result<File, Error> {
    let mut errors = Vec::new();
    let file = File::parse(source, folder, &mut errors)?;
    let mut reader = Reader { file: &file, locations: Default::default(), errors };
    reader.nested();
    reader.check_templates(&Values::sample());
    Error::all(reader.errors)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::table::Key;
    use super::super::templates::volatile;
    use super::super::tree::Value;
    use super::*;

    fn error(text: &str) -> String {
        let error = parse(Source::new(NAME, text), PathBuf::new()).err().unwrap();
        error.summary()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_key() {
        insta::assert_snapshot!(error("# mine\ndefaultBaseimage: static\n"), @"
        unknown-setting: unknown key `defaultBaseimage` in settings
          2:1 `defaultBaseimage`: unknown key
          hint: did you mean `defaultBaseImage`?
        ");
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        insta::assert_snapshot!(error("defaultPlatforms: {linux: amd64}\n"), @"
        invalid-setting: `defaultPlatforms` must be a list of strings
          1:19 `{`: found a mapping
        ");
    }

    #[test]
    fn what_is_wrong_inside_a_value_is_pointed_at() {
        let two = "lints:\n  latest-tag: off\n  unexposed-port: ~\nimageFields:\n- a\n- {b: c}\n";
        insta::assert_snapshot!(error(two), @"
        invalid-setting: `unexposed-port` in `lints` must be a string
          3:19 `~`: found nothing
        invalid-setting: `imageFields` must be a list of strings
          6:3 `{`: found a mapping
        ");
        insta::assert_snapshot!(error("images: {a/b: x, c/d: [x]}\n"), @"
        invalid-setting: `c/d` in `images` must be a string
          1:23 `[`: found a list
        ");
        insta::assert_snapshot!(error("images:\n  a/b: x\n  [c/d]: x\n"), @"
        invalid-setting: `images` must be a mapping of strings to strings
          3:3 `[`: found a list
        ");
    }

    #[test]
    fn what_is_no_yaml_is_pointed_at_as_in_manifests() {
        insta::assert_snapshot!(error("keepTag: true\ndefaultPlatforms: [a, , b]\n"), @"
        settings-not-yaml: the settings are not valid YAML
          2:23 `,`: expected a value, found `,`
        ");
        assert!(error("keepTag: *nope\n").contains("`*nope`: found unknown anchor `nope`"));
        assert!(error("repo: \"a\\q\"\n").contains("`\\q`: while parsing a quoted scalar"));
        // What is wrong only as settings is said by who reads those.
        assert!(error("keepTag: true\nkeepTag: true\n").contains("duplicate"));
    }

    #[test]
    fn of_a_list_the_item_that_is_wrong_is_pointed_at() {
        let place = |text: &str| {
            let error = parse(Source::new(NAME, text), PathBuf::new()).err().unwrap();
            let found = error.diagnostics().remove(0);
            (found.message, format!("{}:{}", found.spots[0].line, found.spots[0].column))
        };
        for (text, message, expected) in [
            ("imageFields: [a, b, a..b]\n", "`imageFields` cannot be read", "1:21"),
            ("imageFields: a b..c\n", "`imageFields` cannot be read", "1:16"),
            ("builds:\n- package: a\n- bin: b\n", "a build must have `package` or `dir`", "3:3"),
            (
                "builds:\n- package: a\n  env:\n  - A=a\n  - B\n",
                "`env` must be a list of KEY=VALUE",
                "5:5",
            ),
            (
                "files:\n- {from: a, to: b}\n- {from: c}\n",
                "a file must have `from` and `to`",
                "3:3",
            ),
        ] {
            assert_eq!(place(text), (message.to_owned(), expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn comments_alone_are_no_settings() {
        assert!(
            parse(Source::new(NAME, "# nothing\n\n"), PathBuf::new()).unwrap().values.is_empty()
        );
        assert!(parse(Source::new(NAME, ""), PathBuf::new()).unwrap().values.is_empty());
    }

    #[test]
    fn the_nearest_file_up_to_the_git_root_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("repo/a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join(NAME), "").unwrap();
        assert_eq!(find(&deep), Some(folder.path().join(NAME)));
        std::fs::create_dir(folder.path().join("repo/.git")).unwrap();
        assert_eq!(find(&deep), None);
        std::fs::write(folder.path().join("repo").join(NAME), "").unwrap();
        assert_eq!(find(&deep), Some(folder.path().join("repo").join(NAME)));
    }

    #[test]
    fn a_mistake_in_a_template_is_shown_where_it_stands() {
        let text = "builds:\n  - package: a\n    rustflags: [\"--cfg={{ Git.ShortCommi }}\"]\n    image:\n      labels:\n        x: \"{{ Git }}\"\n";
        let error = parse(Source::new(NAME, text), PathBuf::new()).err().unwrap();
        insta::assert_snapshot!(error.summary(), @"
        invalid-template: the template in `rustflags` cannot be rendered
          3:27 `Git.ShortCommi`: `Git` has no field `ShortCommi`
          hint: did you mean `ShortCommit`?
        invalid-template: the template in `labels` cannot be rendered
          6:16 `Git`: expected text, found a map
        ");
    }

    #[test]
    fn only_keys_that_take_templates_are_looked_at_and_what_changes_is_found() {
        let text = "defaultEnv: \"A={{ Date }}\"\nbuilds:\n  - package: b\n  - package: a\n    image:\n      labels: {user: \"{{ Git.FullCommit }}{{ Git.PathFullCommit }}\"}\n      user: \"{{ 1 }}\"\n    flags: \"--a --b={{ Date }}\"\n";
        let file = parse(Source::new(NAME, text), PathBuf::new()).unwrap();
        let found: Vec<_> = volatile(&file).into_iter().map(|v| (v.build, v.key, v.name)).collect();
        let one = |build, key: &str, name: &str| (build, key.to_owned(), name.to_owned());
        assert_eq!(
            found,
            [
                one(None, "defaultEnv", "Date"),
                one(Some(1), "labels", "Git.FullCommit"),
                one(Some(1), "flags", "Date")
            ]
        );
        let build = &file.values[&Key::Builds];
        let Value::List(items) = &build.value else { panic!("{build:?}") };
        let Value::Map(pairs) = &items[1].value else { panic!("{items:?}") };
        let flags = pairs.iter().find(|(key, _)| file::text(key).as_deref() == Some("flags"));
        assert_eq!(file::texts(&flags.unwrap().1), ["--a", "--b={{ Date }}"]);
    }
}
