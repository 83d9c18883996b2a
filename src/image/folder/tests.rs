use super::super::contents::Contents;
use super::super::files::data;
use super::*;

/// A repository with a crate in it that has a data folder.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("repository/svc/kodata")).unwrap();
        Self(folder)
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("repository")
    }

    fn data(&self) -> PathBuf {
        self.root().join("svc/kodata")
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn read(&self) -> Result<Vec<String>, DataError> {
        let entries = data(&self.data(), Some(&self.root()), &Contents::default())?;
        Ok(entries
            .into_iter()
            .map(|entry| {
                let kind = match entry.content {
                    Content::Folder => "folder".to_owned(),
                    Content::Seen(file) => fs::read_to_string(file.path()).unwrap(),
                    other => panic!("{other:?}"),
                };
                format!("{:o} {} {kind}", entry.mode, entry.path)
            })
            .collect())
    }
}

#[test]
fn nothing_in_the_folder_is_no_layer() {
    assert_eq!(Repository::new().read().unwrap(), [""; 0]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::report::Diagnostic;

    #[test]
    fn files_lie_below_the_data_path_sorted_with_the_execute_bit_alone() {
        let repository = Repository::new();
        repository.write("svc/kodata/b.txt", "b");
        repository.write("svc/kodata/a/z", "z");
        let script = repository.write("svc/kodata/a-run", "run");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let secret = repository.write("svc/kodata/.hidden", "h");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o606)).unwrap();
        assert_eq!(
            repository.read().unwrap(),
            [
                "755 var folder",
                "755 var/run folder",
                "755 var/run/ko folder",
                "644 var/run/ko/.hidden h",
                "755 var/run/ko/a folder",
                "755 var/run/ko/a-run run",
                "644 var/run/ko/a/z z",
                "644 var/run/ko/b.txt b",
            ]
        );
    }

    #[test]
    fn links_inside_the_repository_are_followed() {
        let repository = Repository::new();
        repository.write("shared/page/index.html", "page");
        repository.write("svc/kodata/a", "a");
        symlink("a", repository.data().join("b")).unwrap();
        symlink("../../shared/page", repository.data().join("page")).unwrap();
        symlink("page", repository.data().join("again")).unwrap();
        assert_eq!(
            repository.read().unwrap()[3..],
            [
                "644 var/run/ko/a a",
                "755 var/run/ko/again folder",
                "644 var/run/ko/again/index.html page",
                "644 var/run/ko/b a",
                "755 var/run/ko/page folder",
                "644 var/run/ko/page/index.html page",
            ]
        );
    }

    #[test]
    fn a_link_that_leaves_the_repository_says_where_it_points() {
        let repository = Repository::new();
        let outside = repository.0.path().join("secret");
        fs::write(&outside, "secret").unwrap();
        let link = repository.data().join("innocent");
        // By way of a link inside the repository, and of `..` behind a link.
        symlink(&outside, repository.root().join("inside")).unwrap();
        symlink("../../inside", &link).unwrap();
        let error = repository.read().unwrap_err();
        assert!(
            matches!(&error, DataError::Outside { link: l, target, .. }
                if l.ends_with("kodata/innocent") && target.ends_with("secret")),
            "{error}"
        );
        assert!(!Diagnostic::of(&error).hints.is_empty());
        fs::remove_file(&link).unwrap();
        symlink("/etc/..", &link).unwrap();
        assert!(matches!(repository.read(), Err(DataError::Outside { .. })));
    }

    #[test]
    fn a_data_folder_that_is_itself_a_link_out_is_refused() {
        let repository = Repository::new();
        let outside = repository.0.path().join("other");
        fs::create_dir(&outside).unwrap();
        fs::remove_dir(repository.data()).unwrap();
        symlink(&outside, repository.data()).unwrap();
        assert!(matches!(repository.read(), Err(DataError::Outside { .. })));
    }

    #[test]
    fn loops_dead_links_and_devices_are_errors() {
        let repository = Repository::new();
        let data = repository.data();
        let link = data.join("x");
        for (target, text) in [
            (".", "points to the folder"),
            ("..", "points to the folder"),
            ("x", "which cannot be found"),
            ("gone", "points to `gone`, which cannot be found"),
        ] {
            symlink(target, &link).unwrap();
            let result = repository.read();
            // `..` is no loop for whoever reads only the data folder; its link then is one.
            let error = result.unwrap_err().to_string();
            assert!(error.contains(text), "{target}: {error}");
            fs::remove_file(&link).unwrap();
        }
        let socket = std::os::unix::net::UnixListener::bind(data.join("s")).unwrap();
        assert!(matches!(repository.read(), Err(DataError::Special(_))));
        drop(socket);
        fs::remove_file(data.join("s")).unwrap();
        fs::write(data.join(".wh.etc"), "").unwrap();
        let error = repository.read().unwrap_err().to_string();
        assert!(error.contains("removes a file of the base image"), "{error}");
        fs::remove_file(data.join(".wh.etc")).unwrap();
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xff");
        fs::write(data.join(name), "").unwrap();
        assert!(repository.read().unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn more_files_than_a_process_may_open_are_no_matter() {
        let repository = Repository::new();
        for number in 0..3000 {
            fs::write(repository.data().join(number.to_string()), "").unwrap();
        }
        assert_eq!(repository.read().unwrap().len(), 3003);
    }
}
