//! The format of Docker's `config.json`, which podman's `auth.json` shares: read, and changed in
//! place, with what others keep in it left as it is.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::secret::{Credentials, Error, HUB_KEY, LARGEST, Secret, pair};
use crate::oci::{Registry, Repository};

/// How many symbolic links are followed to the file itself.
const LINKS: usize = 40;

/// What a file holds, as far as it is about credentials.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct File {
    auths: BTreeMap<String, Option<Entry>>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl Entry {
    /// Most specific first. An entry without any stands for "ask the credential store".
    fn credentials(&self) -> Option<Credentials> {
        let some =
            |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.reveal().is_empty());
        if let Some(token) = some(&self.registrytoken) {
            return Some(Credentials::RegistryToken(token));
        }
        if let Some(token) = some(&self.identitytoken) {
            return Some(Credentials::IdentityToken(token));
        }
        if let Some(auth) = some(&self.auth) {
            let padding = base64::engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
            let engine = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, padding);
            let text = String::from_utf8(engine.decode(auth.reveal().trim()).ok()?).ok()?;
            let (user, password) = text.split_once(':')?;
            // Docker used to pad passwords with zero bytes.
            let password = Secret::new(password.trim_end_matches('\0'));
            return Some(Credentials::Password { user: user.to_owned(), password });
        }
        let user = self.username.clone().filter(|user| !user.is_empty())?;
        Some(Credentials::Password { user, password: some(&self.password)? })
    }
}

/// A file's bytes; none where there is no such file.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::Large { path: path.to_owned() });
    }
    Ok(Some(text).filter(|text| !text.iter().all(u8::is_ascii_whitespace)))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::Parse {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

/// Reads a file; none where there is no such file or nothing in it.
pub(super) fn read(path: &Path) -> Result<Option<File>, Error> {
    bytes(path)?.map(|text| parse(path, &text)).transpose()
}

/// A key of `auths` as `host[:port][/path]`: old keys are URLs with the API's version.
fn key(text: &str) -> String {
    let text = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text);
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix("/v1").or(text.strip_suffix("/v2")).unwrap_or(text);
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => Registry::DOCKER_HUB,
        other => other,
    };
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

/// The key under which Docker files what is known as `name`: a registry, or a path of one.
fn filed_as(name: &str) -> &str {
    if name == Registry::DOCKER_HUB { HUB_KEY } else { name }
}

impl File {
    /// What the file holds for a key.
    pub(super) fn of(&self, name: &str) -> Option<Credentials> {
        let entries = self.auths.iter().filter(|(written, _)| key(written) == name);
        entries.filter_map(|(_, entry)| entry.as_ref()?.credentials()).next()
    }

    /// What the file holds for a repository or a path above it, the longest first, but for the
    /// registry as a whole.
    pub(super) fn of_path(&self, repository: &Repository) -> Option<Credentials> {
        let name = repository.to_string();
        let above =
            std::iter::successors(Some(name.as_str()), |name| Some(name.rsplit_once('/')?.0));
        above.filter(|name| name.contains('/')).find_map(|name| self.of(name))
    }

    /// The helper for a registry, and what the registry is called there.
    pub(super) fn helper(&self, registry: &Registry) -> Option<(&str, String)> {
        let own = self.cred_helpers.iter().find(|(name, _)| key(name) == registry.as_str());
        own.map(|(_, helper)| helper)
            .or(self.creds_store.as_ref())
            .filter(|helper| !helper.is_empty())
            .map(|helper| (helper.as_str(), filed_as(registry.as_str()).to_owned()))
    }
}

/// A file that is being changed. Nothing of it is written before [`Edit::write`].
pub(super) struct Edit {
    path: PathBuf,
    text: Vec<u8>,
    document: Map<String, Value>,
}

impl Edit {
    /// Reads the file, or starts one where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let text = bytes(path)?.unwrap_or_default();
        let document = if text.is_empty() { Map::new() } else { parse(path, &text)? };
        Ok(Self { path: path.to_owned(), text, document })
    }

    fn auths(&mut self) -> Result<&mut Map<String, Value>, Error> {
        let auths = self.document.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        if auths.is_null() {
            *auths = Value::Object(Map::new());
        }
        let path = &self.path;
        auths.as_object_mut().ok_or_else(|| Error::Auths { path: path.clone() })
    }

    /// Files a password under a registry's name, or a path's of one. Without one, the entry says
    /// that the credential store has it, as Docker writes it.
    pub(super) fn set(
        &mut self,
        name: &str,
        password: Option<(&str, &Secret)>,
    ) -> Result<(), Error> {
        let auths = self.auths()?;
        auths.retain(|written, _| key(written) != name || written == filed_as(name));
        let auth = password.map(|(user, password)| {
            ("auth".to_owned(), Value::String(pair(user, password).reveal().to_owned()))
        });
        auths.insert(filed_as(name).to_owned(), Value::Object(auth.into_iter().collect()));
        Ok(())
    }

    /// Takes out what stands under a name. Whether there was anything.
    pub(super) fn remove(&mut self, name: &str) -> Result<bool, Error> {
        if !self.document.contains_key("auths") {
            return Ok(false);
        }
        let auths = self.auths()?;
        let before = auths.len();
        auths.retain(|written, _| key(written) != name);
        Ok(auths.len() < before)
    }

    /// The file indented as it was; by tabs, as Docker writes it, where nothing says otherwise.
    fn rendered(&self) -> Result<Vec<u8>, serde_json::Error> {
        let second = self.text.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
        let blanks = second.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let indent = if blanks == 0 { b"\t" } else { &second[..blanks] };
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        serde::Serialize::serialize(&self.document, &mut serializer)?;
        if self.text.is_empty() || self.text.ends_with(b"\n") {
            out.push(b'\n');
        }
        Ok(out)
    }

    /// Puts the file in its place, whole, for its owner's eyes only. A symbolic link stays one.
    pub(super) fn write(&self) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let text = self.rendered().map_err(|error| failed(error.into()))?;
        if text == self.text {
            return Ok(());
        }
        let target = behind_links(&self.path).map_err(failed)?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut make = std::fs::DirBuilder::new();
        make.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.create(folder).map_err(failed)?;
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        #[cfg(unix)]
        keep_owner(&target, file.as_file());
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Who runs this as root for another user leaves that user's file theirs, where that is possible.
#[cfg(unix)]
fn keep_owner(target: &Path, file: &std::fs::File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let (Ok(was), Ok(is)) = (std::fs::metadata(target), file.metadata())
        && (was.uid(), was.gid()) != (is.uid(), is.gid())
    {
        let _ = fchown(file, Some(was.uid()), Some(was.gid()));
    }
}

/// The file that a path leads to through links, whether it is there or not.
fn behind_links(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            Ok(to) => path = path.parent().map(|folder| folder.join(&to)).unwrap_or(to),
            Err(_) => return Ok(path),
        }
    }
    Err(std::io::Error::other("there are too many links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, repository: &str) -> Option<(String, String)> {
        let file: File = serde_json::from_str(json).unwrap();
        let repository: Repository = repository.parse().unwrap();
        let found = file.of_path(&repository).or_else(|| file.of(repository.registry().as_str()));
        match found? {
            Credentials::Password { user, password } => Some((user, password.reveal().to_owned())),
            Credentials::IdentityToken(token) => {
                Some(("identity".to_owned(), token.reveal().to_owned()))
            }
            Credentials::RegistryToken(token) => {
                Some(("registry".to_owned(), token.reveal().to_owned()))
            }
        }
    }

    fn found(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn docker_hub_is_found_under_each_of_its_names() {
        for name in ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] {
            let json = format!(r#"{{"auths":{{"{name}":{{"auth":"dTpwOnE="}}}}}}"#);
            assert_eq!(find(&json, "alpine"), found("u", "p:q"), "{name}");
        }
    }

    #[test]
    fn the_longest_key_wins_and_keys_end_at_slashes() {
        let json = r#"{"auths":{
            "quay.io": {"auth": "aG9zdDox"},
            "quay.io/team": {"username": "team", "password": "2"},
            "quay.io/team/app": {"identitytoken": "3"},
            "https://localhost:5000/v2/": {"registrytoken": "4"},
            "empty.io": {}, "null.io": null}}"#;
        assert_eq!(find(json, "quay.io/other/app"), found("host", "1"));
        assert_eq!(find(json, "quay.io/teams/app"), found("host", "1"));
        assert_eq!(find(json, "quay.io/team/other"), found("team", "2"));
        assert_eq!(find(json, "quay.io/team/app"), found("identity", "3"));
        assert_eq!(find(json, "localhost:5000/a"), found("registry", "4"));
        assert_eq!(find(json, "localhost:5001/a"), None);
        assert_eq!(find(json, "empty.io/a"), None);
        assert_eq!(find(json, "null.io/a"), None);
    }

    #[test]
    fn an_auth_that_is_no_base64_of_a_pair_is_no_credential() {
        for auth in ["%%%", "dQ==", "", "/////w=="] {
            let json = format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(find(&json, "r.io/a"), None, "{auth}");
        }
        assert_eq!(find(r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#, "r.io/a"), found("u", "p"));
    }

    #[test]
    fn a_registry_s_own_helper_goes_before_the_store() {
        let file: File = serde_json::from_str(
            r#"{"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud","https://x.io":"x"}}"#,
        )
        .unwrap();
        let helper = |name: &str| file.helper(&name.parse().unwrap());
        assert_eq!(helper("gcr.io"), Some(("gcloud", "gcr.io".to_owned())));
        assert_eq!(helper("x.io"), Some(("x", "x.io".to_owned())));
        assert_eq!(helper("docker.io"), Some(("desktop", HUB_KEY.to_owned())));
    }

    #[test]
    fn a_broken_file_is_an_error_that_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{\"auths\":\n{\"a.io\":{\"auth\":hunter2}}}").unwrap();
        let error = read(&path).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
        assert!(Edit::open(&path).is_err(), "what cannot be read is not overwritten");
        std::fs::write(&path, r#"{"auths": []}"#).unwrap();
        let password = Secret::new("hunter2");
        let failed = Edit::open(&path).unwrap().set("a.io", Some(("u", &password))).unwrap_err();
        assert!(failed.to_string().ends_with("must be an object"), "{failed}");
    }

    /// What a file holds after `change`.
    fn changed(before: &str, change: impl FnOnce(&mut Edit)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, before).unwrap();
        let mut edit = Edit::open(&path).unwrap();
        change(&mut edit);
        edit.write().unwrap();
        std::fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn what_others_keep_in_a_file_stays_where_and_as_it_is() {
        let before = "{\n  \"z\": \"é\",\n  \"auths\": {\n    \"b.io\": {\n      \"auth\": \"dTpw\"\n    },\n    \"https://a.io/v2/\": {}\n  },\n  \"a\": 1\n}";
        let after = changed(before, |edit| {
            edit.set("a.io", Some(("u", &Secret::new("q")))).unwrap();
            edit.set("b.io", None).unwrap();
        });
        let expected = before
            .replace("\"https://a.io/v2/\": {}", "\"a.io\": {\n      \"auth\": \"dTpx\"\n    }")
            .replace("{\n      \"auth\": \"dTpw\"\n    }", "{}");
        assert_eq!(after, expected);
        let back = changed(&after, |edit| {
            assert!(edit.remove("a.io").unwrap() && edit.remove("b.io").unwrap());
            assert!(!edit.remove("c.io").unwrap());
        });
        assert_eq!(back, "{\n  \"z\": \"é\",\n  \"auths\": {},\n  \"a\": 1\n}");
    }

    #[test]
    fn docker_hub_is_filed_where_docker_looks_for_it_and_nowhere_else() {
        let after = changed(r#"{"auths":{"docker.io":{"auth":"x"}}}"#, |edit| {
            edit.set("docker.io", Some(("u", &Secret::new("p")))).unwrap();
        });
        assert_eq!(
            after,
            "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_file_is_its_owner_s_alone_and_a_link_to_it_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("dotfiles/docker.json");
        let link = folder.path().join("docker/config.json");
        std::fs::create_dir(folder.path().join("docker")).unwrap();
        std::os::unix::fs::symlink("../dotfiles/docker.json", &link).unwrap();
        let mut edit = Edit::open(&link).unwrap();
        edit.set("a.io", Some(("u", &Secret::new("p")))).unwrap();
        edit.write().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&real), mode(real.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o644)).unwrap();
        let mut edit = Edit::open(&link).unwrap();
        assert!(edit.remove("a.io").unwrap());
        edit.write().unwrap();
        assert_eq!(mode(&real), 0o600);
        let left: Vec<_> = std::fs::read_dir(real.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("config.json", &link).unwrap();
        assert!(matches!(Edit::open(&link), Err(Error::Read { .. })), "a link to itself");
    }
}
