//! Bills of materials: accepted by validators nobody here wrote, published with their images, and
//! found again by `ko-rs deps`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::judges::{copy, exists, inspect};
use crate::proxy::{Act, Proxy};
use crate::publish::{NAME, edit, files, hello};
use crate::servers::{expect_success, olareg, registry, tool};
use crate::support::{Sandbox, repository};

/// Asserts that validators accept all bills of materials in a folder, and returns those.
#[track_caller]
fn validated(folder: &Path) -> Vec<(String, Value)> {
    let mut paths = files(folder);
    paths.sort();
    let script = repository().join("tests/servers/validators/validate-sbom");
    let output =
        Command::new(tool("python-with-validators")).arg(script).args(&paths).output().unwrap();
    expect_success(&output);
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    paths.iter().map(read).collect()
}

/// Every package URL in a bill of materials of either format.
fn purls(bill: &Value) -> BTreeSet<String> {
    let text = bill.to_string();
    let found = text.split('"').filter(|word| word.starts_with("pkg:"));
    found.map(str::to_owned).collect()
}

fn bill_of(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.run(["deps"].iter().chain(arguments)).exits(0).stdout().to_owned()
}

#[test]
fn validators_accept_the_bill_of_a_service_with_c_in_it_in_both_formats() {
    let sandbox = Sandbox::inside_fixture("delinkcious");
    let folder = sandbox.outside("bills");
    for format in ["spdx", "cyclonedx"] {
        let build = ["build", "--push=false", "--repo=x", "./svc/token_service", "--sbom-dir"];
        let format = format!("--sbom={format}");
        let arguments = build.iter().copied().chain([folder.to_str().unwrap(), &format]);
        let _ = sandbox.run(arguments).exits(0);
    }
    let bills = validated(&folder);
    let names: Vec<&str> = bills.iter().map(|(name, _)| name.as_str()).collect();
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let stem = format!("token-service-linux-{host}");
    assert_eq!(names, [format!("{stem}.cdx.json"), format!("{stem}.spdx.json")]);
    let (cyclonedx, spdx) = (&bills[0].1, &bills[1].1);
    assert_eq!(purls(cyclonedx), purls(spdx));
    let purls = purls(spdx);
    for expected in ["pkg:cargo/ring@", "pkg:cargo/serde@", "pkg:deb/debian/ca-certificates@"] {
        assert!(purls.iter().any(|purl| purl.starts_with(expected)), "{expected}: {purls:#?}");
    }
    let packages = spdx["packages"].as_array().unwrap();
    for name in ["token-service", "rust-std", "rustc", "musl", "boringssl", "static"] {
        assert!(packages.iter().any(|package| package["name"] == name), "{name}");
    }
}

/// A base whose one layer holds these files, as umoci writes it into a layout.
fn base_with(sandbox: &Sandbox, files: &[(&str, &str)]) -> String {
    let layout = sandbox.outside("base");
    let tar = sandbox.outside("layer.tar");
    let mut layer = tar::Builder::new(fs::File::create(&tar).unwrap());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        layer.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    layer.finish().unwrap();
    let layout = layout.to_str().unwrap().to_owned();
    let image = format!("{layout}:latest");
    for arguments in [
        vec!["init", "--layout", &layout],
        vec!["new", "--image", &image],
        vec!["raw", "add-layer", "--image", &image, tar.to_str().unwrap()],
    ] {
        expect_success(&Command::new(tool("umoci")).args(arguments).output().unwrap());
    }
    layout
}

#[test]
fn the_packages_of_a_base_are_in_the_bill_wherever_the_base_lies() {
    let sandbox = hello();
    let apk = "P:busybox\nV:1.37.0-r12\nA:x86_64\nL:GPL-2.0-only\no:busybox\n\n";
    let files = [("lib/apk/db/installed", apk), ("etc/os-release", "ID=alpine\nVERSION_ID=3.21\n")];
    let layout = base_with(&sandbox, &files);
    let pushed = format!("{}/sbom/base:1", registry().host);
    copy(&format!("oci:{layout}:latest"), &format!("docker://{pushed}"), &[]);
    let folder = sandbox.outside("bills");
    let bill = |base: &str| {
        let _ = fs::remove_dir_all(&folder);
        let build = ["build", "--push=false", "--repo=x", "--base-image", base, "--sbom-dir"];
        let _ = sandbox.run(build.iter().copied().chain([folder.to_str().unwrap()])).exits(0);
        validated(&folder).remove(0).1
    };
    let expected = "pkg:apk/alpine/busybox@1.37.0-r12?arch=x86_64&distro=alpine-3.21";
    for base in [format!("oci:{layout}"), pushed] {
        let purls = purls(&bill(&base));
        assert!(purls.contains(expected), "{base}: {purls:#?}");
    }
}

#[test]
fn deps_prints_what_was_published_by_tag_and_by_digest() {
    let repo = format!("{}/sbom/deps", registry().host);
    for format in ["spdx", "cyclonedx"] {
        let sandbox = hello().env("KO_DOCKER_REPO", &repo);
        let folder = sandbox.outside("bills");
        edit(&sandbox, format);
        let format = format!("--sbom={format}");
        let arguments = ["build", &format, "--sbom-dir", folder.to_str().unwrap()];
        let ran = sandbox.run(arguments).exits(0);
        assert_eq!(ran.stderr().matches("warning").count(), 0, "{}", ran.stderr());
        let written = fs::read_to_string(&files(&folder)[0]).unwrap();
        assert_eq!(bill_of(&sandbox, &[ran.line()]), written);
        assert_eq!(bill_of(&sandbox, &[&format!("{repo}/{NAME}:latest")]), written);
        assert_eq!(bill_of(&sandbox, &[ran.line(), &format]), written);
        let other = if format.ends_with("spdx") { "cyclonedx" } else { "spdx" };
        let none = sandbox.run(["deps", "--sbom", other, ran.line()]).exits(1);
        let expected =
            format!("error[no-sbom]: `{}` has no SBOM in the registry in {other}\n", ran.line());
        assert!(none.stderr().starts_with(&expected), "{}", none.stderr());
    }
}

#[test]
fn oras_discovers_the_bill_and_pulls_it_with_and_without_the_referrers_api() {
    for host in [&olareg().host, &registry().host] {
        let repo = format!("{host}/sbom/oras");
        let sandbox = hello().env("KO_DOCKER_REPO", &repo);
        let folder = sandbox.outside("bills");
        let ran = sandbox.run(["build", "--sbom-dir", folder.to_str().unwrap()]).exits(0);
        let oras = |arguments: &[&str]| {
            let mut oras = sandbox.command(tool("oras"));
            let output = oras.args(arguments).arg("--plain-http").output().unwrap();
            expect_success(&output);
            output.stdout
        };
        let discovered = oras(&["discover", "--format=json", ran.line()]);
        let discovered: Value = serde_json::from_slice(&discovered).unwrap();
        let list = ["referrers", "manifests"].iter().find_map(|key| discovered[*key].as_array());
        let [bill] = list.unwrap().as_slice() else { panic!("{discovered}") };
        assert_eq!(bill["artifactType"], "application/spdx+json");
        let pulled = sandbox.outside("pulled");
        let reference = bill["reference"].as_str().unwrap();
        oras(&["pull", "--output", pulled.to_str().unwrap(), reference]);
        let name = files(&folder)[0].file_name().unwrap().to_owned();
        let written = fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(fs::read_to_string(pulled.join(&name)).unwrap(), written);
        assert_eq!(bill_of(&sandbox, &[ran.line()]), written);
    }
}

/// A `cargo` that writes down what it is asked, before the real one.
fn counting_cargo(sandbox: Sandbox) -> (Sandbox, PathBuf) {
    let (folder, log) = (sandbox.outside("bin"), sandbox.outside("cargo.log"));
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nPATH=${{PATH#*:}}\nexec cargo \"$@\"\n",
        log.display()
    );
    let cargo = folder.join("cargo");
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the sandbox has the same PATH")]
    let path = std::env::var("PATH").unwrap();
    (sandbox.env("PATH", format!("{}:{path}", folder.display())), log)
}

#[test]
fn an_image_that_is_there_asks_cargo_nothing_for_its_bill() {
    let repo = format!("{}/sbom/nothing", registry().host);
    let (sandbox, log) = counting_cargo(hello().env("KO_DOCKER_REPO", &repo));
    let asked = || fs::read_to_string(&log).unwrap().matches("--unit-graph").count();
    let first = sandbox.run(["build"]).exits(0);
    assert_eq!(asked(), 1, "{}", fs::read_to_string(&log).unwrap());
    fs::remove_file(&log).unwrap();
    let second = sandbox.run(["build"]).exits(0);
    assert_eq!(second.line(), first.line());
    let log = fs::read_to_string(&log).unwrap();
    // Files that have only just been written are not remembered: the workspace is asked for again.
    let asked: Vec<&str> = log.lines().filter(|line| !line.contains("--no-deps")).collect();
    assert!(matches!(&*asked, [build] if build.starts_with("build ")), "{log}");
    assert!(!log.contains("--unit-graph"), "{log}");
}

#[test]
fn every_image_of_an_index_has_its_own_bill() {
    let repo = format!("{}/sbom/index", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let folder = sandbox.outside("bills");
    let platforms = ["linux/amd64", "linux/arm64"];
    let both = platforms.join(",");
    let arguments = ["build", "--platform", &both, "--sbom-dir", folder.to_str().unwrap()];
    let ran = sandbox.run(arguments).exits(0);
    let bills = validated(&folder);
    assert_eq!(bills.len(), 2);
    for (platform, (name, bill)) in platforms.iter().zip(&bills) {
        assert_eq!(*name, format!("hello-{}.spdx.json", platform.replace('/', "-")));
        let printed = bill_of(&sandbox, &["--platform", platform, ran.line()]);
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), *bill);
    }
    let none = sandbox.run(["deps", "--platform=linux/riscv64", ran.line()]).exits(1);
    assert!(none.stderr().contains("linux/amd64, linux/arm64"), "{}", none.stderr());
}

#[test]
fn a_registry_that_refuses_it_is_a_warning_or_keeps_the_tag_where_it_is_required() {
    let proxy = Proxy::to_host(&registry().host);
    // What refers to an image goes by digest, and here the image goes by tag.
    proxy.rule(|line| match line.starts_with("PUT") && line.contains("/manifests/sha256:") {
        true => Act::Answer(400, r#"{"errors":[{"code":"UNSUPPORTED","message":"no artifacts"}]}"#),
        false => Act::Pass,
    });
    let repo = format!("{}/sbom/refused", proxy.host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let refused = sandbox.run(["build", "--sbom=required"]).exits(1);
    assert!(refused.stderr().contains("no artifacts"), "{}", refused.stderr());
    let direct = format!("docker://{}/sbom/refused/{NAME}:latest", registry().host);
    assert!(!exists(&direct), "an image without a bill got its tag");

    let ran = sandbox.run(["build"]).exits(0);
    let warning = format!(
        "warning[sbom-not-pushed]: the image in `{repo}/{NAME}` has no SBOM\ncaused by: could not push the SBOM\n"
    );
    assert!(ran.stderr().contains(&warning), "{}", ran.stderr());
    assert!(exists(&direct));
}

#[test]
fn a_registry_that_wants_to_see_the_image_first_gets_both_before_the_tag() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = format!("{}/sbom/image-first", proxy.host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let image = sandbox.run(["build", "--push=false"]).exits(0);
    let digest = image.line().split_once('@').unwrap().1.to_owned();
    let seen = AtomicBool::new(false);
    proxy.rule(move |line| {
        let by_digest = line.starts_with("PUT") && line.contains("/manifests/sha256:");
        seen.fetch_or(by_digest && line.ends_with(&digest), Ordering::SeqCst);
        match by_digest && !seen.load(Ordering::SeqCst) {
            true => Act::Answer(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
            false => Act::Pass,
        }
    });
    let ran = sandbox.run(["build", "--sbom=required"]).exits(0);
    let lines: Vec<String> = proxy.take_seen().into_iter().map(|seen| seen.line).collect();
    let put = |line: &&String| line.starts_with("PUT") && line.contains("/manifests/");
    let puts: Vec<&String> = lines.iter().filter(put).collect();
    assert_eq!(puts.len(), 5, "bill, image, bill, list of bills, tag: {puts:#?}");
    assert!(puts[4].ends_with("/latest"), "{puts:#?}");
    assert!(bill_of(&sandbox, &[ran.line()]).contains("SPDX-2.3"));
}

#[test]
fn a_registry_that_sends_another_document_is_not_believed() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = format!("{}/sbom/lies", proxy.host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build"]).exits(0);
    proxy.rule(|line| match line.starts_with("GET") && line.contains("/blobs/") {
        true => Act::Answer(200, r#"{"spdxVersion":"SPDX-2.3","packages":[]}"#),
        false => Act::Pass,
    });
    let lied = sandbox.run(["deps", ran.line()]).exits(1);
    assert_eq!(lied.stdout(), "");
    let expected = "error[connection-failed]: could not fetch the SBOM of";
    assert!(lied.stderr().contains(expected), "{}", lied.stderr());
}

#[test]
fn an_index_carries_the_annotations_that_all_its_images_share_and_the_index_of_its_base() {
    let host = &registry().host;
    let build = |repo: &str, arguments: &[&str]| {
        let sandbox = hello().env("KO_DOCKER_REPO", repo);
        let both = ["build", "--platform=linux/amd64,linux/arm64"];
        let ran = sandbox.run(both.iter().chain(arguments)).exits(0);
        let image = inspect(&format!("docker://{repo}/{NAME}:latest"));
        assert!(ran.line().ends_with(&image.digest));
        image
    };
    let base = build(&format!("{host}/sbom/index-base"), &[]);
    assert_eq!(base.manifest["annotations"], Value::Null, "each image has another base");
    let name = format!("{host}/sbom/index-base/{NAME}:latest");
    let team = "--image-annotation=org.example.team=links";
    let image = build(&format!("{host}/sbom/annotations"), &["--base-image", &name, team]);
    let expected = serde_json::json!({
        "org.example.team": "links",
        "org.opencontainers.image.base.digest": base.digest,
        "org.opencontainers.image.base.name": name,
    });
    assert_eq!(image.manifest["annotations"], expected);
    // Each image names its own base.
    let child = image.manifest["manifests"][0]["digest"].as_str().unwrap();
    let child = inspect(&format!("docker://{host}/sbom/annotations/{NAME}@{child}"));
    let own = &child.manifest["annotations"]["org.opencontainers.image.base.digest"];
    assert_eq!(*own, base.manifest["manifests"][0]["digest"]);
}
