//! Bases that are pulled from a registry, and the services that need one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{NAME, hello};
use crate::judges::{HELLO, Inspected, copy, copy_into, exists, inspect, is_complete, run};
use crate::proxy::{Proxy, Seen};
use crate::servers::{DockerEngine, docker_engine, expect_success, registry, tool};
use crate::support::Sandbox;

/// `hello` for glibc, on this base.
fn dynamic_hello(base: &str) -> Sandbox {
    hello().file(".ko-rs.yaml", &settings("hello", base))
}

fn settings(package: &str, base: &str) -> String {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    format!("builds:\n  - package: {package}\n    target: {target}\n    base: {base}\n")
}

/// The layers of a base in the registry, by digest.
fn layers_of(image: &str) -> Vec<String> {
    let layers = inspect(image).manifest["layers"].as_array().unwrap().clone();
    layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

fn mounts<'a>(seen: &'a [Seen], digest: &str) -> Vec<&'a Seen> {
    seen.iter()
        .filter(|seen| seen.query.contains("mount=") && seen.query.contains(&digest[7..]))
        .collect()
}

#[test]
fn a_base_on_the_same_registry_is_mounted_and_a_pinned_one_asked_for_once() {
    registry().push_glibc_base("bases/mounted:1");
    let proxy = Proxy::to_host(&registry().host);
    let source = format!("{}/bases/mounted", proxy.host);
    let direct = format!("docker://{}/bases/mounted:1", registry().host);
    let digest = inspect(&direct).digest;
    let sandbox = dynamic_hello(&format!("{source}@{digest}"))
        .env("KO_DOCKER_REPO", format!("{}/bases/mounting", proxy.host));
    let first = sandbox.run(["build", "."]).exits(0);
    let seen = proxy.take_seen();
    for layer in layers_of(&direct) {
        assert_eq!(mounts(&seen, &layer).len(), 1, "{seen:#?}");
    }
    assert!(seen.iter().map(|seen| seen.bytes).sum::<u64>() < 1_000_000, "{seen:#?}");
    let engine = docker_engine();
    expect_success(&engine.docker(["pull", "--quiet", first.line()]));
    assert_eq!(run(engine, first.line()), HELLO);

    proxy.take_seen();
    let second = sandbox.run(["build", "."]).exits(0);
    assert_eq!(second.line(), first.line());
    let seen: Vec<String> = proxy.take_seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(seen, [format!("HEAD /v2/bases/mounting/{NAME}/manifests/latest")]);

    // Another image on it, from here and from a machine that knows nothing of the repository yet:
    // the layers are there, and so are neither mounted nor sent.
    super::edit(&sandbox, "changed");
    let changed = sandbox.run(["build", "."]).exits(0);
    assert_ne!(changed.line(), first.line());
    let elsewhere = dynamic_hello(&format!("{source}@{digest}"))
        .env("KO_DOCKER_REPO", format!("{}/bases/mounting", proxy.host));
    super::edit(&elsewhere, "changed elsewhere");
    let other = elsewhere.run(["build", "."]).exits(0);
    assert_ne!(other.line(), changed.line());
    let seen = proxy.take_seen();
    for layer in layers_of(&direct) {
        assert!(mounts(&seen, &layer).is_empty(), "{seen:#?}");
        let sent = seen.iter().any(|seen| seen.query.contains(&layer[7..]));
        assert!(!sent, "{seen:#?}");
    }
}

#[test]
fn a_base_by_tag_is_looked_up_each_time_and_gives_the_same_image() {
    registry().push_glibc_base("bases/tagged:1");
    let proxy = Proxy::to_host(&registry().host);
    let source = format!("{}/bases/tagged", proxy.host);
    let repo = format!("{}/bases/by-tag", registry().host);
    let sandbox = dynamic_hello(&format!("{source}:1")).env("KO_DOCKER_REPO", &repo);
    let first = sandbox.run(["build", "."]).exits(0);
    proxy.take_seen();
    let second = sandbox.run(["build", "."]).exits(0);
    assert_eq!(second.line(), first.line());
    let seen = proxy.take_seen();
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(seen[0].line.ends_with("/v2/bases/tagged/manifests/1"), "{seen:#?}");

    let name = format!("docker://{repo}/{NAME}:latest");
    is_complete(&name);
    let image = inspect(&name);
    let base = inspect(&format!("docker://{}/bases/tagged:1", registry().host));
    let annotations = &image.manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.base.digest"], base.digest.as_str());
    assert_eq!(annotations["org.opencontainers.image.base.name"], format!("{source}:1"));
    assert_eq!(image.manifest["layers"][0], base.manifest["layers"][0]);
}

#[test]
fn a_base_in_dockers_media_types_makes_an_image_in_them() {
    let glibc = registry().push_glibc_base("bases/oci:1");
    let docker = format!("{}/bases/docker", registry().host);
    copy(&format!("docker://{glibc}"), &format!("docker://{docker}:1"), &["--format", "v2s2"]);
    let repo = format!("{}/bases/docker-types", registry().host);
    for compression in ["none", "gzip"] {
        let sandbox = dynamic_hello(&format!("{docker}:1")).env("KO_DOCKER_REPO", &repo);
        let flag = format!("--layer-compression={compression}");
        let ran = sandbox.run(["build", &flag]).exits(0);
        let name = format!("docker://{repo}/{NAME}:latest");
        let image = inspect(&name);
        assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest));
        let types: Vec<_> = image.manifest["layers"].as_array().unwrap().iter().collect();
        assert_eq!(
            image.manifest["mediaType"],
            "application/vnd.docker.distribution.manifest.v2+json"
        );
        assert_eq!(
            image.manifest["config"]["mediaType"],
            "application/vnd.docker.container.image.v1+json"
        );
        for layer in types {
            let media_type = layer["mediaType"].as_str().unwrap();
            assert!(media_type.starts_with("application/vnd.docker.image.rootfs."), "{media_type}");
        }
        is_complete(&name);
        let engine = docker_engine();
        expect_success(&engine.docker(["pull", "--quiet", ran.line()]));
        assert_eq!(run(engine, ran.line()), HELLO, "{compression}");
    }
}

#[test]
fn zstd_on_a_base_in_dockers_media_types_makes_an_oci_image() {
    let glibc = registry().push_glibc_base("bases/zstd-oci:1");
    let docker = format!("{}/bases/zstd-docker:1", registry().host);
    copy(&format!("docker://{glibc}"), &format!("docker://{docker}"), &["--format", "v2s2"]);
    let repo = format!("{}/bases/zstd", registry().host);
    let sandbox = dynamic_hello(&docker).env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "--layer-compression=zstd"]).exits(0);
    let name = format!("docker://{repo}/{NAME}:latest");
    let image = inspect(&name);
    assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest));
    assert_eq!(image.manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(image.manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    let layers = image.manifest["layers"].as_array().unwrap();
    let types: Vec<_> = layers.iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    let layer = "application/vnd.oci.image.layer.v1.tar";
    assert_eq!(types, [format!("{layer}+gzip"), format!("{layer}+zstd")]);
    is_complete(&name);
}

#[test]
fn an_executable_whose_libraries_the_base_lacks_goes_nowhere() {
    let repo = format!("{}/bases/lacking", registry().host);
    let sandbox = dynamic_hello("static").env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build"]).exits(1);
    assert!(ran.stderr().contains("]: could not make the image of `hello`\n"), "{}", ran.stderr());
    assert!(!exists(&format!("docker://{repo}/{NAME}:latest")));
    let unchecked = sandbox.run(["build", "--link-check=false"]).exits(0);
    is_complete(&format!("docker://{}", unchecked.line()));
}

#[test]
fn a_base_that_is_not_there_is_an_error_before_anything_is_compiled() {
    let base = format!("{}/bases/missing:1", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/bases/none", registry().host));
    let ran = sandbox.run(["build", "--base-image", &base]).exits(1);
    let stderr = ran.stderr();
    assert!(
        stderr.starts_with(&format!(
            "error[image-not-found]: could not pull the base image `{base}`\n"
        )),
        "{stderr}"
    );
    assert!(!stderr.contains("Compiling"), "{stderr}");
}

#[test]
fn a_service_that_needs_glibc_runs_on_its_base() {
    let base = registry().push_glibc_base("bases/directory:1");
    let repo = format!("{}/bases/services", registry().host);
    let sandbox = Sandbox::inside_fixture("delinkcious").env("KO_DOCKER_REPO", &repo);
    let settings_text = settings("directory-service", &base);
    let settings = sandbox.outside("settings.yaml");
    // The base has no users.
    let files = "    files: [{from: passwd, to: /etc/passwd}]\n";
    std::fs::write(&settings, settings_text + files).unwrap();
    std::fs::write(sandbox.outside("passwd"), "ann:x:7:7:Ann:/:/bin/false\n").unwrap();
    let settings = settings.to_str().unwrap();
    let ran = sandbox.run(["build", "--config", settings, "directory-service"]).exits(0);
    let service = Service::start(docker_engine(), ran.line(), "directory");
    assert_eq!(service.get("/"), r#"{"service":"directory","version":"1"}"#);
    let ann = service.get("/people/ann");
    assert!(ann.contains("Ann"), "{ann}");
}

#[test]
fn a_service_with_c_in_it_runs_on_the_embedded_base_as_nobody_in_particular() {
    tool("musl-gcc");
    let repo = format!("{}/bases/services", registry().host);
    let sandbox = Sandbox::inside_fixture("delinkcious").env("KO_DOCKER_REPO", repo);
    let ran = sandbox.run(["build", "./svc/token_service"]).exits(0);
    let service = Service::start(docker_engine(), ran.line(), "token");
    assert_eq!(service.get("/"), r#"{"service":"token","version":"1"}"#);
    assert_eq!(service.user(), "65532");
}

/// A service that runs in an engine and listens on the host's network.
struct Service<'a> {
    engine: &'a DockerEngine,
    name: String,
    url: String,
    child: Child,
}

impl<'a> Service<'a> {
    #[track_caller]
    fn start(engine: &'a DockerEngine, image: &str, name: &str) -> Self {
        expect_success(&engine.docker(["pull", "--quiet", image]));
        let name = format!("publish-{name}");
        let run = ["run", "--rm", "--network", "host", "--env", "PORT=0", "--name", &name, image];
        let mut child = engine.docker_command().args(run).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        // `token service, version 1, on [::]:40001`
        let port = line.trim().rsplit_once(':').unwrap_or_else(|| panic!("{line:?}")).1;
        Self { engine, name, url: format!("http://localhost:{port}"), child }
    }

    #[track_caller]
    fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let mut curl = Command::new(tool("curl"));
        let output =
            curl.args(["--silent", "--show-error", "--noproxy", "*", &url]).output().unwrap();
        expect_success(&output);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The user that its process runs as.
    #[track_caller]
    fn user(&self) -> String {
        let output = self.engine.docker(["top", &self.name, "-o", "pid,uid"]);
        expect_success(&output);
        let table = String::from_utf8(output.stdout).unwrap();
        table.split_whitespace().last().unwrap().to_owned()
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.engine.docker(["kill", &self.name]);
        let _ = self.child.wait();
    }
}

#[test]
fn a_base_that_an_engine_has_is_exported_once_and_runs() {
    let engine = docker_engine();
    let glibc = registry().push_glibc_base("bases/engine:1");
    let name = "ko.local/publish-base:1";
    copy_into(engine, &format!("docker://{glibc}"), name);
    let repo = format!("{}/bases/from-engine", registry().host);
    let host = format!("unix://{}", engine.socket.display());
    let sandbox = dynamic_hello(name).env("KO_DOCKER_REPO", &repo).env("DOCKER_HOST", host);
    let first = sandbox.run(["build", "."]).exits(0);
    is_complete(&format!("docker://{}", first.line()));
    expect_success(&engine.docker(["pull", "--quiet", first.line()]));
    assert_eq!(run(engine, first.line()), HELLO);
    let second = sandbox.run(["build", "."]).exits(0);
    assert_eq!(second.line(), first.line());

    let gone = dynamic_hello("ko.local/publish-none").env("KO_DOCKER_REPO", &repo);
    let host = format!("unix://{}", engine.socket.display());
    let ran = gone.env("DOCKER_HOST", host).run(["build", "."]).exits(1);
    let said = "error[base-image-unreadable]: cannot use `ko.local/publish-none` as the base image\ncaused by: the Docker Engine at ";
    assert!(ran.stderr().starts_with(said), "{}", ran.stderr());
}

#[test]
fn a_capability_of_the_executable_is_there_when_a_mere_user_runs_it() {
    const STATUS: &str = "fn main() {\n    let status = std::fs::read_to_string(\"/proc/self/status\");\n    print!(\"{}\", status.unwrap());\n}\n";
    let repo = format!("{}/bases/capabilities", registry().host);
    let sandbox = hello().file("src/main.rs", STATUS).env("KO_DOCKER_REPO", repo);
    for (capabilities, effective) in [("[]", 0), ("[net_bind_service]", 1 << 10)] {
        let settings =
            format!("builds:\n  - package: hello\n    image: {{capabilities: {capabilities}}}\n");
        sandbox.write(".ko-rs.yaml", &settings);
        let ran = sandbox.run(["build", "."]).exits(0);
        let engine = docker_engine();
        expect_success(&engine.docker(["pull", "--quiet", ran.line()]));
        let status = run(engine, ran.line());
        assert!(status.contains(&format!("CapEff:\t{effective:016x}\n")), "{status}");
    }
}

#[test]
fn the_embedded_base_in_a_registry_is_pinned_and_built_on() {
    let proxy = Proxy::to_host(&registry().host);
    let name = format!("{}/bases/embedded", proxy.host);
    let sandbox = hello();
    let pushed = sandbox.run(["base", "push", &format!("{name}:v1")]).exits(0);
    let index = inspect(&format!("docker://{}/bases/embedded:v1", registry().host));
    assert_eq!(pushed.line(), format!("{name}@{}", index.digest));
    let folder = tempfile::tempdir().unwrap();
    copy(&format!("docker://{}", pushed.line()), &dir(&folder), &["--all"]);
    let version = sandbox.run(["version", "-v"]).exits(0);
    let line = format!("base image static: {} of ", index.digest);
    assert!(version.stdout().contains(&line), "{}", version.stdout());

    // Again, and nothing is sent but manifests; under no tag it is `latest`.
    proxy.take_seen();
    let again = sandbox.run(["base", "push", &name]).exits(0);
    assert_eq!(again.line(), pushed.line());
    assert_eq!(inspect(&format!("docker://{name}:latest")).digest, index.digest);
    let blobs: Vec<_> =
        proxy.take_seen().into_iter().filter(|seen| seen.line.contains("/uploads/")).collect();
    assert!(blobs.is_empty(), "{blobs:#?}");
    let other = format!("{name}@sha256:{}", "0".repeat(64));
    let ran = sandbox.run(["base", "push", &other]).exits(1);
    assert!(ran.stderr().contains("expected the digest of the base image"), "{}", ran.stderr());

    let repo = format!("{}/bases/on-embedded", registry().host);
    let sandbox = sandbox
        .file(".ko-rs.yaml", &format!("defaultBaseImage: {}\n", pushed.line()))
        .env("KO_DOCKER_REPO", &repo);
    let platforms = "linux/amd64,linux/arm64";
    let first = sandbox.run(["build", "--platform", platforms, "."]).exits(0);
    let built = inspect(&format!("docker://{}", first.line()));
    let annotations = &built.manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.base.digest"], index.digest.as_str());
    assert_eq!(bases_of(&repo, &built), children(&index, &["amd64", "arm64"]));
    let engine = docker_engine();
    expect_success(&engine.docker(["pull", "--quiet", first.line()]));
    assert_eq!(run(engine, first.line()), HELLO);
    // Pinned, it costs no request, though the image is another.
    proxy.take_seen();
    super::edit(&sandbox, "changed");
    let changed = sandbox.run(["build", "--platform", platforms, "."]).exits(0);
    assert_ne!(changed.line(), first.line());
    let seen = proxy.take_seen();
    assert!(seen.is_empty(), "{seen:#?}");
}

#[test]
fn of_an_index_with_variants_and_attestations_the_images_are_taken() {
    let name = format!("{}/bases/attested", registry().host);
    let sandbox = hello();
    let plain = sandbox.run(["base", "push", &name]).exits(0);
    let mut index = inspect(&format!("docker://{}", plain.line())).manifest;
    let images = index["manifests"].as_array().unwrap().clone();
    // As buildx lists them: what is attested of each image, which is for no platform.
    let attestations = images.iter().map(|image| {
        let mut entry = image.clone();
        entry["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": image["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        });
        entry
    });
    let mut manifests: Vec<Value> = attestations.collect();
    manifests.extend(images.into_iter().map(|mut image| {
        if image["platform"]["architecture"] == "arm64" {
            image["platform"]["variant"] = json!("v8");
        }
        image
    }));
    index["manifests"] = manifests.clone().into();
    let kind = index["mediaType"].as_str().unwrap().to_owned();
    let mut curl = Command::new(tool("curl"));
    let url = format!("http://{}/v2/bases/attested/manifests/buildx", registry().host);
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--request", "PUT"]);
    curl.args(["--header", &format!("Content-Type: {kind}"), "--data-binary", &index.to_string()]);
    expect_success(&curl.arg(url).output().unwrap());

    let repo = format!("{}/bases/on-attested", registry().host);
    let base = format!("{name}:buildx");
    let sandbox = sandbox.env("KO_DOCKER_REPO", &repo);
    let build = ["build", "--base-image", &base, "--platform"];
    let ran = sandbox.run(build.into_iter().chain(["linux/amd64,linux/arm64"])).exits(0);
    let built = inspect(&format!("docker://{}", ran.line()));
    let index = inspect(&format!("docker://{base}"));
    assert_eq!(bases_of(&repo, &built), children(&index, &["amd64", "arm64"]));

    // What it offers, when it is asked for more: images alone.
    let ran = sandbox.run(build.into_iter().chain(["linux/s390x"])).exits(1);
    assert!(ran.stderr().contains("linux/arm/v7"), "{}", ran.stderr());
    assert!(ran.stderr().contains("linux/arm64/v8"), "{}", ran.stderr());
    assert!(!ran.stderr().contains("unknown/unknown"), "{}", ran.stderr());
}

fn dir(folder: &tempfile::TempDir) -> String {
    format!("dir:{}", folder.path().display())
}

/// The digests of an index's images for these architectures.
fn children(index: &Inspected, architectures: &[&str]) -> Vec<Value> {
    let entries = index.manifest["manifests"].as_array().unwrap();
    let of = |wanted: &&str| {
        let mut entries = entries.iter();
        let fits = |entry: &&Value| entry["platform"]["architecture"] == **wanted;
        entries.find(fits).unwrap()["digest"].clone()
    };
    architectures.iter().map(of).collect()
}

/// The bases of an index's images, as the images say it.
fn bases_of(repo: &str, index: &Inspected) -> Vec<Value> {
    let images = index.manifest["manifests"].as_array().unwrap().iter();
    let base = |image: &Value| {
        let digest = image["digest"].as_str().unwrap();
        let manifest = inspect(&format!("docker://{repo}/{NAME}@{digest}")).manifest;
        manifest["annotations"]["org.opencontainers.image.base.digest"].clone()
    };
    images.map(base).collect()
}
