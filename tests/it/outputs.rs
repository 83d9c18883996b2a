//! Where resolved manifests go, and that all of them go there or none.

use std::fs;

use crate::support::Sandbox;

const REPO: &str = "registry.example/team";

/// The crate `hello` with manifests, in a folder of its own.
fn hello() -> Sandbox {
    Sandbox::with_fixture("crates/hello")
        .env("KO_DOCKER_REPO", REPO)
        .file("k8s/a.yaml", "# a\nimage: ko://hello\n")
        .file("k8s/deep/b.yml", "image: 'ko://hello'")
        .file("k8s/none.yaml", "a: [ # nobody's business\n")
}

#[track_caller]
fn is_resolved(text: &str, before: &str, after: &str) {
    let image = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    assert!(image.is_some_and(|image| image.starts_with("registry.example/team/hello-")), "{text}");
}

fn inode(sandbox: &Sandbox, path: &str) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(
        &fs::metadata(sandbox.directory().join(path)).unwrap(),
    );
    #[cfg(not(unix))]
    fs::metadata(sandbox.directory().join(path)).unwrap().len()
}

#[test]
fn one_file_gets_what_standard_output_would() {
    let sandbox = hello();
    let stdout = sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s"]).exits(0);
    let ran = sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s", "-o", "out/all.yaml"]);
    assert_eq!(ran.exits(0).stdout(), "");
    assert_eq!(sandbox.read("out/all.yaml"), stdout.stdout());
    let ran = sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s", "-o", "-"]).exits(0);
    assert_eq!(ran.stdout(), stdout.stdout());
}

#[test]
fn each_file_goes_to_its_place_below_a_folder_and_stays_untouched_there_if_it_is_right() {
    let sandbox = hello();
    let args = ["resolve", "--push=false", "-R", "-f", "k8s", "--output-dir", "out"];
    assert_eq!(sandbox.run(args).exits(0).stdout(), "");
    is_resolved(&sandbox.read("out/a.yaml"), "# a\nimage: ", "\n");
    is_resolved(&sandbox.read("out/deep/b.yml"), "image: '", "'");
    assert_eq!(sandbox.read("out/none.yaml"), "a: [ # nobody's business\n");
    let inodes =
        ["out/a.yaml", "out/deep/b.yml", "out/none.yaml"].map(|path| inode(&sandbox, path));
    sandbox.write("k8s/a.yaml", "# changed\nimage: ko://hello\n");
    let _ = sandbox.run(args).exits(0);
    is_resolved(&sandbox.read("out/a.yaml"), "# changed\nimage: ", "\n");
    assert_ne!(inode(&sandbox, "out/a.yaml"), inodes[0], "it is replaced at once");
    assert_eq!(inode(&sandbox, "out/deep/b.yml"), inodes[1]);
    assert_eq!(inode(&sandbox, "out/none.yaml"), inodes[2]);
    assert_eq!(sandbox.read("k8s/a.yaml"), "# changed\nimage: ko://hello\n");
}

#[test]
fn what_a_run_writes_and_settings_are_no_input_of_the_next() {
    let sandbox = hello().file(".ko-rs.yaml", "keepTag: false\n");
    std::fs::remove_file(sandbox.directory().join("k8s/none.yaml")).unwrap();
    let images = "kustomize=images/kustomization.yaml";
    let resolve = ["resolve", "--push=false", "-R", "-f", "."];
    let into = |more: &[&str]| {
        let args = [&resolve[..], more, &["--images-file", images]].concat();
        let _ = sandbox.run(&args).exits(0);
    };
    for _ in 0..2 {
        into(&["--output-dir", "deploy/out"]);
        assert!(!sandbox.directory().join("deploy/out/deploy").exists());
        assert!(!sandbox.directory().join("deploy/out/images").exists());
        assert!(!sandbox.directory().join("deploy/out/.ko-rs.yaml").exists());
        is_resolved(&sandbox.read("deploy/out/k8s/a.yaml"), "# a\nimage: ", "\n");
    }
    std::fs::remove_dir_all(sandbox.directory().join("deploy")).unwrap();
    into(&["-o", "all.yaml"]);
    let first = sandbox.read("all.yaml");
    into(&["-o", "all.yaml"]);
    assert_eq!(sandbox.read("all.yaml"), first);
}

#[test]
fn a_selector_leaves_files_out_of_the_folder() {
    let object = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {{app: {name}}}}}}}\n"
        )
    };
    let sandbox = Sandbox::new().file("k8s/a.yaml", &object("a")).file("k8s/b.yaml", &object("b"));
    let args = ["resolve", "-f", "k8s", "-l", "app=a", "--output-dir", "out"];
    let _ = sandbox.run(args).exits(0);
    assert_eq!(sandbox.read("out/a.yaml"), object("a"));
    assert!(!sandbox.directory().join("out/b.yaml").exists());
    let ran = sandbox.run(["resolve", "-f", "k8s", "-l", "app=a", "--in-place"]).exits(2);
    assert_eq!(
        ran.stderr(),
        "error[conflicting-settings]: --in-place cannot be used with --selector: objects that are not selected would be lost\n"
    );
}

#[test]
fn files_are_replaced_in_place_with_their_modes_and_links() {
    let sandbox = hello();
    let at = |path: &str| sandbox.directory().join(path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(at("k8s/a.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("../k8s/a.yaml", at("k8s/link.yaml")).unwrap();
    }
    let untouched = inode(&sandbox, "k8s/none.yaml");
    let ran = sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s", "--in-place"]).exits(0);
    assert_eq!(ran.stdout(), "");
    is_resolved(&sandbox.read("k8s/a.yaml"), "# a\nimage: ", "\n");
    is_resolved(&sandbox.read("k8s/deep/b.yml"), "image: '", "'");
    assert_eq!(inode(&sandbox, "k8s/none.yaml"), untouched);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert!(fs::symlink_metadata(at("k8s/link.yaml")).unwrap().is_symlink());
        let mode = fs::metadata(at("k8s/a.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}

#[test]
fn nothing_is_written_where_anything_fails() {
    let sandbox = hello();
    let before = [sandbox.read("k8s/a.yaml"), sandbox.read("k8s/deep/b.yml")];
    let unchanged = |sandbox: &Sandbox| {
        assert_eq!([sandbox.read("k8s/a.yaml"), sandbox.read("k8s/deep/b.yml")], before);
        assert!(!sandbox.directory().join("out").exists());
    };
    // A reference to nothing in the last file.
    sandbox.write("k8s/z.yaml", "image: ko://gone\n");
    let _ = sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s", "--in-place"]).exits(1);
    let _ =
        sandbox.run(["resolve", "--push=false", "-R", "-f", "k8s", "--output-dir", "out"]).exits(1);
    let _ = sandbox.run(["resolve", "--push=false", "-f", "k8s", "-o", "out/x.yaml"]).exits(1);
    unchanged(&sandbox);
    fs::remove_file(sandbox.directory().join("k8s/z.yaml")).unwrap();
    // One of the files cannot be written: a folder stands there.
    fs::create_dir_all(sandbox.directory().join("images")).unwrap();
    let ran = sandbox
        .run(["resolve", "--push=false", "-R", "-f", "k8s", "--in-place", "--image-refs", "images"])
        .exits(2);
    assert!(ran.stderr().ends_with("/images` is a folder, not a file\n"), "{}", ran.stderr());
    unchanged(&sandbox);
}

#[test]
fn what_has_no_place_of_its_own_is_refused_before_anything_is_built() {
    let sandbox = hello().file("other/a.yaml", "image: ko://hello\n");
    for (args, expected) in [
        (
            &["-f", "-", "--in-place"][..],
            "error[output-needs-file]: --in-place requires files, but `<stdin>` is not one\nhint: write to one file with `-o FILE`\n",
        ),
        (
            &["-f", "-", "--output-dir", "out"],
            "error[output-needs-file]: --output-dir requires files, but `<stdin>` is not one\nhint: write to one file with `-o FILE`\n",
        ),
        (
            &["-f", "k8s", "-f", "other", "--output-dir", "out"],
            "error[output-conflict]: `k8s/a.yaml` and `other/a.yaml` would both be written to `out/a.yaml`\n",
        ),
        (
            &["-f", "k8s", "-o", "x", "--in-place"],
            "error[conflicting-settings]: only one of --output-file, --output-dir and --in-place can be used\n",
        ),
    ] {
        let ran = sandbox.run_with_input(["resolve"].iter().chain(args), "image: ko://hello\n");
        let ran = ran.exits(2);
        assert_eq!((ran.stdout(), ran.stderr()), ("", expected));
    }
}

#[test]
fn other_tools_are_told_of_the_images() {
    let sandbox = hello().file(".ko-rs.yaml", "images: {g1g1/hello: hello}\n").file(
        "k8s/a.yaml",
        "a: {image: g1g1/hello:1}\nb: {image: ko://hello}\nc: {image: g1g1/hello:2}\n",
    );
    let tools = ["kustomize=kustomization.yaml", "skaffold=skaffold.json", "kbld=kbld.yaml"];
    let flags = tools.map(|tool| format!("--images-file={tool}"));
    let args = ["resolve", "--push=false", "-f", "k8s/a.yaml"].map(str::to_owned);
    let ran = sandbox.run(args.iter().chain(&flags)).exits(0);
    let image = ran.stdout().lines().next().unwrap();
    let image = image.trim_start_matches("a: {image: ").trim_end_matches('}');
    let (name, digest) = image.split_once(":latest@").unwrap();
    let entry =
        |written: &str| format!("- name: {written}\n  newName: {name}\n  digest: {digest}\n");
    let expected = format!(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n{}{}",
        entry("g1g1/hello"),
        entry("ko://hello")
    );
    assert_eq!(sandbox.read("kustomization.yaml"), expected);
    let artifact = |written: &str| format!("{{\"imageName\":\"{written}\",\"tag\":\"{image}\"}}");
    let expected =
        format!("{{\"builds\":[{},{}]}}\n", artifact("g1g1/hello"), artifact("ko://hello"));
    assert_eq!(sandbox.read("skaffold.json"), expected);
    let overrides = sandbox.read("kbld.yaml");
    for written in ["g1g1/hello:1", "g1g1/hello:2", "ko://hello"] {
        let entry = format!("- image: {written}\n  newImage: {image}\n  preresolved: true\n");
        assert!(overrides.contains(&entry), "{overrides}");
    }
    // A build without manifests tells of the names that they may have.
    fs::remove_file(sandbox.directory().join("skaffold.json")).unwrap();
    let build = ["build", "--push=false", ".", "--images-file=skaffold=skaffold.json"];
    let _ = sandbox.run(build).exits(0);
    let expected =
        format!("{{\"builds\":[{},{}]}}\n", artifact("g1g1/hello"), artifact("ko://hello"));
    assert_eq!(sandbox.read("skaffold.json"), expected);
    let ran = sandbox.run(["build", "--push=false", "--images-file=docker=x"]).exits(2);
    assert!(ran.stderr().contains("`docker=x` is not TOOL=FILE with one of"), "{}", ran.stderr());
}

#[test]
fn a_tag_that_is_taken_away_is_a_part_of_what_is_written_and_of_no_name() {
    let sandbox = hello()
        .file(".ko-rs.yaml", "ignoreReferenceTags: true\n")
        .file("k8s/a.yaml", "a: {image: 'ko://hello:0.3'}\nb: {image: ko://hello}\n");
    let flags =
        ["kustomize", "kbld", "skaffold"].map(|tool| format!("--images-file={tool}={tool}"));
    let args = ["resolve", "--push=false", "-f", "k8s/a.yaml"].map(str::to_owned);
    let _ = sandbox.run(args.iter().chain(&flags)).exits(0);
    let written = |file: &str, before: &str| -> Vec<String> {
        let text = sandbox.read(file);
        let parts = text.split(before).skip(1);
        parts.map(|part| part.split(['\n', '"']).next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(written("kbld", "- image: "), ["ko://hello", "ko://hello:0.3"]);
    assert_eq!(written("kustomize", "- name: "), ["ko://hello"]);
    assert_eq!(written("skaffold", "\"imageName\":\""), ["ko://hello"]);
}

#[test]
fn what_somebody_else_wrote_is_not_written_over() {
    let own = "resources: [hello.yaml]\nnamePrefix: my-\n";
    let values = "replicas: 3\nimages: {}\n";
    let sandbox = hello()
        .file("k8s/kustomization.yaml", own)
        .file("values.yaml", values)
        .file("empty.yaml", "")
        .file(
            "locks.yaml",
            "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages: [a]\n",
        );
    // Nothing was built, so that there is no need of a workspace.
    fs::rename(sandbox.directory().join("Cargo.toml"), sandbox.directory().join("away")).unwrap();
    for (file, expected) in [
        (
            "kustomize=k8s/kustomization.yaml",
            "error[output-exists]: `k8s/kustomization.yaml` exists, and contains more than ko-rs writes for kustomize\n\
             hint: write `--images-file kustomize=k8s/images/kustomization.yaml`,\n      \
             and add `components: [images]` to `kustomization.yaml`\n",
        ),
        (
            "helm=values.yaml",
            "error[output-exists]: `values.yaml` exists, and contains more than ko-rs writes for helm\n\
             hint: write `--images-file helm=images.yaml`,\n      \
             and pass both to Helm: `-f values.yaml -f images.yaml`\n",
        ),
        (
            "imgpkg=locks.yaml",
            "error[output-exists]: `locks.yaml` exists, and contains more than ko-rs writes for imgpkg\n\
             hint: write to another file, or remove this one first\n",
        ),
        (
            "kbld=k8s/a.yaml",
            "error[output-exists]: `k8s/a.yaml` is read in this run, and --images-file would overwrite it\n\
             hint: write to another file\n",
        ),
        ("kbld=k8s", "error[output-is-folder]: `k8s` is a folder, not a file\n"),
        (
            "kustomize=-",
            "error[invalid-value]: --images-file: `-` (standard output) is reserved for the result\n\
             hint: name a file: `--images-file=kustomize=FILE`\n",
        ),
    ] {
        for verb in ["resolve", "apply", "create"] {
            let args = [verb, "--push=false", "-f", "k8s/a.yaml", "--images-file", file];
            assert_eq!(sandbox.run(args).exits(2).stderr(), expected);
        }
        if file != "kbld=k8s/a.yaml" {
            let args = ["build", "--push=false", ".", "--images-file", file];
            assert_eq!(sandbox.run(args).exits(2).stderr(), expected);
        }
    }
    for (more, expected) in [
        (
            &["-o", "x", "--images-file", "kbld=./x"][..],
            "error[output-conflict]: --images-file and --output-file would both write `./x`\n",
        ),
        (
            &["--output-dir=out", "--image-refs=out/a.yaml"],
            "error[output-conflict]: --image-refs and --output-dir would both write `ROOT/out/a.yaml`\n",
        ),
        (
            &["--images-file=kbld=x", "--images-file=helm=x"],
            "error[output-conflict]: --images-file and --images-file would both write `x`\n",
        ),
        (
            &["--image-refs=-"],
            "error[invalid-value]: --image-refs: `-` (standard output) is reserved for the result\n\
             hint: name a file: `--image-refs=FILE`\n",
        ),
    ] {
        let args = [&["resolve", "--push=false", "-f", "k8s/a.yaml"][..], more].concat();
        let root = fs::canonicalize(sandbox.directory()).unwrap();
        let stderr = sandbox.run(args).exits(2).stderr().replace(root.to_str().unwrap(), "ROOT");
        assert_eq!(stderr, expected);
    }
    assert_eq!(sandbox.read("k8s/kustomization.yaml"), own);
    assert_eq!(sandbox.read("values.yaml"), values);
    assert_eq!(sandbox.read("k8s/a.yaml"), "# a\nimage: ko://hello\n");
    fs::rename(sandbox.directory().join("away"), sandbox.directory().join("Cargo.toml")).unwrap();

    // What it wrote itself it writes again, whatever the manifests are by then; an empty file too.
    let flags = ["kustomize", "helm", "kbld", "skaffold"]
        .map(|tool| format!("--images-file={tool}={tool}"));
    let mut args: Vec<String> =
        ["resolve", "-f", "k8s/a.yaml", "--push=false"].map(str::to_owned).into();
    args.extend(flags);
    args.push("--images-file=helm=empty.yaml".to_owned());
    let _ = sandbox.run(&args).exits(0);
    let first = sandbox.read("kbld");
    sandbox.write("k8s/a.yaml", "image: ko://hello#hello\n");
    let _ = sandbox.run(&args).exits(0);
    assert_ne!(sandbox.read("kbld"), first);
    assert_eq!(sandbox.read("empty.yaml"), sandbox.read("helm"));
}

#[cfg(unix)]
#[test]
fn standard_output_by_its_path_is_standard_output() {
    let sandbox = hello();
    let resolve = ["resolve", "--push=false", "-f", "k8s/a.yaml"];
    let expected = sandbox.run(resolve).exits(0).stdout().to_owned();
    let named = |more: &[&'static str]| [&resolve[..], more].concat();
    assert_eq!(sandbox.run(named(&["-o", "/dev/stdout"])).exits(0).stdout(), expected);
    let images = ["-o", "x", "--images-file", "kbld=/dev/stdout"];
    let told = sandbox.run(named(&images)).exits(0).stdout().to_owned();
    assert!(told.starts_with("apiVersion: kbld.k14s.io/v1alpha1\n"), "{told}");
    // A file that the shell opened is the same file afterwards, and what comes next goes on there.
    for (more, result) in [(&["-o", "/dev/stdout"][..], &expected), (&images, &told)] {
        let file = fs::File::create(sandbox.directory().join("all")).unwrap();
        std::io::Write::write_all(&mut &file, b"before\n").unwrap();
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_ko-rs"));
        let status = command.args(named(more)).stdout(file.try_clone().unwrap()).status().unwrap();
        assert!(status.success());
        std::io::Write::write_all(&mut &file, b"after\n").unwrap();
        assert_eq!(sandbox.read("all"), format!("before\n{result}after\n"));
    }
}
