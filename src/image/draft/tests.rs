use std::fs;
use std::io::Write;

use super::super::elf::tests::elf;
use super::super::{embedded, scratch};
use super::*;
use crate::image::FileRule;
use crate::oci::file::OpenedFile;
use crate::oci::{Digest, ImageManifest, Packed, pack};
use crate::reference::ImportPath;
use crate::report::Diagnostic;

const GZIP: Compression = Compression::Gzip { level: 2 };

fn program(bytes: &[u8]) -> Program {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Program {
        name: "link".to_owned(),
        executable: OpenedFile::open(file.path()).unwrap(),
        import_path: ImportPath::new("github.com/the-gigi/delinkcious/svc/link_service", None),
    }
}

fn amd64() -> Platform {
    Platform::linux("amd64")
}

fn static_program() -> Program {
    program(&elf(62, None, &[], ""))
}

#[tokio::main(flavor = "current_thread")]
async fn sealed(draft: &ImageDraft, compression: Compression) -> Image {
    let mut layers = Vec::new();
    for source in draft.sources() {
        let packed: Packed = pack(source.clone(), compression, 2).finish().await.unwrap();
        layers.push(packed.layer(draft.format(), compression));
    }
    draft.seal(&layers)
}

fn rich() -> Recipe {
    let text = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    Recipe {
        args: Some(vec!["--serve".to_owned()]),
        environment: text(&[("RUST_LOG", "info")]),
        user: Some("1234:1234".to_owned()),
        working_directory: Some("/srv".to_owned()),
        labels: text(&[("team", "links"), ("a", "b")]),
        annotations: text(&[("org.opencontainers.image.revision", "abc")]),
        ports: vec!["8080".to_owned()],
        created: 1_659_304_800,
        ..Recipe::default()
    }
}

/// A base that says more than ours do.
fn talkative() -> BaseImage {
    let config = br#"{"architecture":"amd64","os":"linux","created":"2020-01-01T00:00:00Z","config":{"User":"65532","Env":["PATH=/usr/bin:/bin","RUST_LOG=debug"],"Entrypoint":["/bin/sh"],"Cmd":["-c","true"],"Labels":{"team":"base","z":"kept"},"StopSignal":"SIGQUIT"},"moby.x":1}"#;
    BaseImage {
        config: ImageConfig::parse(config).unwrap(),
        name: Some("example.com/base:1".parse().unwrap()),
        digest: Some(Digest::of(b"base")),
        ..scratch(&amd64())
    }
}

#[test]
fn the_configuration_is_the_base_s_changed_to_start_the_program() {
    let draft = draft(&talkative(), None, &static_program(), &rich()).unwrap();
    let image = sealed(&draft, Compression::None);
    let config: serde_json::Value = serde_json::from_slice(image.config()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&config).unwrap(), @r#"
    {
      "architecture": "amd64",
      "os": "linux",
      "created": "2022-07-31T22:00:00Z",
      "config": {
        "User": "1234:1234",
        "Env": [
          "PATH=/usr/bin:/bin:/ko-app",
          "RUST_LOG=info",
          "KO_DATA_PATH=/var/run/ko"
        ],
        "Entrypoint": [
          "/ko-app/link"
        ],
        "Cmd": [
          "--serve"
        ],
        "Labels": {
          "team": "links",
          "z": "kept",
          "a": "b"
        },
        "StopSignal": "SIGQUIT",
        "WorkingDir": "/srv",
        "ExposedPorts": {
          "8080/tcp": {}
        }
      },
      "moby.x": 1,
      "history": [
        {
          "created": "2022-07-31T22:00:00Z",
          "author": "ko-rs",
          "created_by": "ko-rs build ko://github.com/the-gigi/delinkcious/svc/link_service",
          "comment": "executable, at /ko-app/link"
        }
      ],
      "rootfs": {
        "type": "layers",
        "diff_ids": [
          "sha256:bc6209a8d5cf93e0003d1ca3dde06e6a4e439d14dd9e97612c44420e8032c2e5"
        ]
      }
    }
    "#);
    let manifest: serde_json::Value = serde_json::from_slice(image.manifest()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap(), @r#"
    {
      "schemaVersion": 2,
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": "sha256:1ce494f666d089586f1b79e7b9cdc0a24f115909a9a82355d2fd9630f13a75d7",
        "size": 657
      },
      "layers": [
        {
          "mediaType": "application/vnd.oci.image.layer.v1.tar",
          "digest": "sha256:bc6209a8d5cf93e0003d1ca3dde06e6a4e439d14dd9e97612c44420e8032c2e5",
          "size": 2560
        }
      ],
      "annotations": {
        "org.opencontainers.image.base.digest": "sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2",
        "org.opencontainers.image.base.name": "example.com/base:1",
        "org.opencontainers.image.revision": "abc"
      }
    }
    "#);
    assert_eq!(draft.facts().entrypoint, ["/ko-app/link"]);
    assert!(draft.sources()[0].identity().is_some(), "a fresh executable is not remembered");
    assert_eq!(draft.facts().user, "1234:1234");
}

#[test]
fn without_wishes_the_base_s_user_stays_and_its_command_goes() {
    let draft = draft(&talkative(), None, &static_program(), &Recipe::default()).unwrap();
    assert_eq!(draft.facts().user, "65532");
    assert_eq!(draft.config.run("Cmd"), None);
    assert_eq!(draft.config.run("WorkingDir"), None);
    assert_eq!(draft.config.fields()["created"], "1970-01-01T00:00:00Z");
}

#[test]
fn configuration_and_manifest_are_read_by_the_specification_s_own_types() {
    let draft = draft(&embedded(&amd64()), None, &static_program(), &rich()).unwrap();
    let image = sealed(&draft, GZIP);
    let config = oci_spec::image::ImageConfiguration::from_reader(&**image.config()).unwrap();
    assert_eq!(config.rootfs().diff_ids().len(), 2);
    assert_eq!(config.history().as_ref().unwrap().len(), 2);
    assert_eq!(config.created().as_deref(), Some("2022-07-31T22:00:00Z"));
    let run = config.config().as_ref().unwrap();
    assert_eq!(run.exposed_ports().as_deref(), Some(&["8080/tcp".to_owned()][..]));
    let manifest = oci_spec::image::ImageManifest::from_reader(&**image.manifest()).unwrap();
    assert_eq!(manifest.layers().len(), 2);
    let digest = manifest.config().digest().to_string();
    assert_eq!(digest, Digest::of(image.config()).to_string());
}

#[test]
fn the_same_input_is_the_same_image_whatever_the_file_s_name_and_time() {
    let image = |program: &Program| {
        sealed(&draft(&embedded(&amd64()), None, program, &Recipe::default()).unwrap(), GZIP)
    };
    let one = static_program();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let two = static_program();
    assert_ne!(one.executable.stamp(), two.executable.stamp());
    assert_eq!(image(&one), image(&two));
    let other = program(&elf(62, None, &[], "x"));
    assert_ne!(image(&one).digest(), image(&other).digest());
}

#[test]
fn data_and_files_are_layers_of_their_own_below_the_executable() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("kodata")).unwrap();
    let mut recipe = Recipe { data: Some(folder.path().join("kodata")), ..Recipe::default() };
    let purposes = |recipe: &Recipe| {
        let draft = draft(&scratch(&amd64()), None, &static_program(), recipe).unwrap();
        draft.sources().iter().map(|source| source.purpose).collect::<Vec<_>>()
    };
    assert_eq!(purposes(&recipe), ["executable"]);
    fs::write(folder.path().join("kodata/a"), "").unwrap();
    let rule = FileRule { from: folder.path().join("kodata/a"), to: "/b".into(), mode: None };
    recipe.files.push(rule);
    assert_eq!(purposes(&recipe), ["data", "files", "executable"]);
    let to = "/ko-app/link".to_owned();
    let clash = FileRule { to, ..recipe.files[0].clone() };
    let clash = Recipe { files: vec![clash], ..Recipe::default() };
    let error = draft(&scratch(&amd64()), None, &static_program(), &clash).unwrap_err();
    assert!(matches!(error, Error::Files(DataError::Twice { .. })), "{error}");
    recipe.data = Some(folder.path().join("gone"));
    let error = draft(&scratch(&amd64()), None, &static_program(), &recipe).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
}

#[test]
fn an_image_stays_in_its_base_s_family_unless_a_layer_is_zstd() {
    let docker = BaseImage { format: Format::Docker, ..embedded(&amd64()) };
    let docker = draft(&docker, None, &static_program(), &Recipe::default()).unwrap();
    let types = |image: &Image| {
        let manifest: ImageManifest = serde_json::from_slice(image.manifest()).unwrap();
        let config = manifest.config.media_type.to_string();
        let layers = manifest.layers.iter().map(|layer| layer.media_type.to_string());
        [manifest.media_type.unwrap().to_string(), config]
            .into_iter()
            .chain(layers)
            .map(|media_type| media_type.replace("application/vnd.", ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        types(&sealed(&docker, GZIP)),
        [
            "docker.distribution.manifest.v2+json",
            "docker.container.image.v1+json",
            "docker.image.rootfs.diff.tar.gzip",
            "docker.image.rootfs.diff.tar.gzip",
        ]
    );
    assert_eq!(
        types(&sealed(&docker, Compression::Zstd { level: 3 })),
        [
            "oci.image.manifest.v1+json",
            "oci.image.config.v1+json",
            "oci.image.layer.v1.tar+gzip",
            "oci.image.layer.v1.tar+zstd",
        ]
    );
}

#[test]
fn a_base_s_history_that_does_not_count_its_layers_is_made_to() {
    let lines = |history: serde_json::Value| {
        let mut base = embedded(&amd64());
        base.config.fields_mut().insert("history".to_owned(), history);
        let draft = draft(&base, None, &static_program(), &Recipe::default()).unwrap();
        draft.config.fields()["history"].as_array().unwrap().len()
    };
    assert_eq!(lines(serde_json::json!(null)), 2);
    assert_eq!(lines(serde_json::json!([{}, {"empty_layer": true}])), 3);
    assert_eq!(lines(serde_json::json!([{}, {}])), 2);
}

#[test]
fn what_the_base_cannot_start_is_an_error_that_names_it() {
    let loader = Some("/lib64/ld-linux-x86-64.so.2");
    let needed = ["libpq.so.5", "libc.so.6", "ld-linux-x86-64.so.2"];
    let dynamic = program(&elf(62, loader, &needed, ""));
    let none = Recipe::default();
    for base in [embedded(&amd64()), scratch(&amd64())] {
        let error = draft(&base, None, &dynamic, &none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`link` needs `/lib64/ld-linux-x86-64.so.2`, `libpq.so.5`, `libc.so.6`, which the base image does not contain"
        );
        assert!(Diagnostic::of(&error).hints[0].contains("baseImageOverrides"));
        let unchecked = Recipe { without_link_check: true, ..Recipe::default() };
        assert!(draft(&base, None, &dynamic, &unchecked).is_ok());
    }
    let mut remote = embedded(&amd64());
    remote.layers[0].1 = BlobSource::Registry("example.com/a".parse().unwrap());
    assert!(needs_contents(&dynamic, &none) && !needs_contents(&static_program(), &none));

    let arm = program(&elf(183, None, &[], ""));
    let error = draft(&remote, None, &arm, &none).unwrap_err();
    assert_eq!(error.to_string(), "`link` is for arm64, but the image is for linux/amd64");
    let script = program(b"#!/bin/sh\n");
    let error = draft(&remote, None, &script, &none).unwrap_err();
    assert!(matches!(error, Error::Link(LinkError::NotElf { .. })));
    let named = Program { name: "../x".to_owned(), ..static_program() };
    assert!(matches!(draft(&remote, None, &named, &none), Err(Error::Recipe(_))));
}

#[test]
fn only_a_name_needs_a_look_at_the_users_of_a_base() {
    let user = |user: &str| Recipe { user: Some(user.to_owned()), ..Recipe::default() };
    for (recipe, by_name) in [
        (Recipe::default(), false),
        (user("app"), true),
        (user("app:1"), true),
        (user("1000:app"), false),
        (user("root"), false),
        (user(""), false),
    ] {
        assert_eq!(runs_by_name(&talkative(), &recipe), by_name, "{:?}", recipe.user);
    }
    let config = ImageConfig::parse(br#"{"config": {"User": "app"}}"#).unwrap();
    let base = BaseImage { config, ..talkative() };
    assert!(runs_by_name(&base, &Recipe::default()));
    assert!(!runs_by_name(&base, &user("1000")));
}
