//! Docker contexts, as the `docker` command keeps them: named engines under `contexts/` of its
//! configuration folder, each in a folder named by the SHA-256 of the context's name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Address, Error, host};
use crate::oci::Digest;

/// The size limit of the files that are read here.
const FILE_BYTES: u64 = 4 << 20;

#[derive(Default, Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The context that `docker context use` chose, if any.
pub(super) fn current(folder: &Path) -> Result<Option<String>, Error> {
    let config: Option<ConfigFile> = read(&folder.join("config.json"))?;
    Ok(config.map(|config| config.current_context).filter(|name| !name.is_empty()))
}

/// The address in a context; `None` for the default.
pub(super) fn address(folder: Option<&Path>, name: &str) -> Result<Option<Address>, Error> {
    let missing = |path| Error::NoContext { name: name.to_owned(), path };
    let folder = folder.ok_or_else(|| missing(None))?.join("contexts");
    let id = Digest::of(name.as_bytes()).hex();
    let path = folder.join("meta").join(&id).join("meta.json");
    let meta: Meta = read(&path)?.ok_or_else(|| missing(Some(path)))?;
    let Some(docker) = meta.endpoints.docker else {
        let reason = "names no Docker Engine";
        return Err(Error::Context { name: name.to_owned(), reason });
    };
    if docker.skip_tls_verify {
        let reason = "skips the verification of the engine's certificate, which ko-rs never does";
        return Err(Error::Context { name: name.to_owned(), reason });
    }
    if docker.host.is_empty() {
        return Ok(None);
    }
    let certificates = folder.join("tls").join(&id).join("docker");
    let tls = ["ca.pem", "cert.pem", "key.pem"].iter().any(|file| certificates.join(file).exists());
    host::parse(&docker.host, tls, || Some(certificates)).map(Some)
}

/// The content of a JSON file; `None` if it does not exist.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let unreadable = |source| Error::Configuration { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes)) {
        Ok(_) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}
