use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::cargo::{Dependency, Origin};
use crate::image::packages::PackageKind;

fn package(name: &str, origin: Origin, needs: &[usize]) -> Dependency {
    Dependency {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        origin,
        license: Some("MIT/Apache-2.0".to_owned()),
        repository: Some(format!("https://me:secret@example.org/{name}")),
        checksum: None,
        linked: name != "macro",
        needs: needs.iter().copied().collect(),
    }
}

fn materials() -> Materials {
    let git = Origin::Git {
        url: "https://me:secret@example.org/git?token=secret".to_owned(),
        revision: "0123".to_owned(),
    };
    let mut from_registry = package("a", Origin::CratesIo, &[]);
    from_registry.checksum = Some("ab".repeat(32));
    let packages = vec![
        from_registry.clone(),
        Dependency { license: Some("Proprietary".to_owned()), ..package("a", git, &[]) },
        package("link", Origin::Folder(Some("svc/link".to_owned())), &[0, 1, 3, 4]),
        package("macro", Origin::CratesIo, &[]),
        Dependency {
            version: "2.0.16+zstd.1.5.7".to_owned(),
            ..package("zstd-sys", Origin::Registry("file:///home/me/index".to_owned()), &[])
        },
    ];
    let libc = Package {
        kind: PackageKind::Deb,
        name: "libc6".to_owned(),
        version: "2.36-9+deb12u7".to_owned(),
        architecture: "amd64".to_owned(),
        source: Some("glibc".to_owned()),
        source_version: None,
        license: None,
    };
    Materials {
        image: "link-0123".to_owned(),
        digest: Digest::of(b"image"),
        platform: Platform::linux("amd64"),
        created: "1970-01-01T00:00:00Z".to_owned(),
        dependencies: Dependencies {
            packages,
            root: 2,
            rustc: Some("1.95.0".to_owned()),
            target: "x86_64-unknown-linux-musl".parse().unwrap(),
        },
        base_name: None,
        base_digest: Some(Digest::of(b"base")),
        packages: vec![libc],
        distribution: Some("debian".to_owned()),
        distribution_version: Some("12".to_owned()),
    }
}

fn document(format: SbomFormat) -> Value {
    serde_json::from_slice(&materials().document(format)).unwrap()
}

#[test]
fn spdx_relates_what_is_in_the_image_and_what_made_it() {
    let document = document(SbomFormat::Spdx);
    let relations: BTreeSet<String> = document["relationships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| {
            let text = |key: &str| relation[key].as_str().unwrap().replace("SPDXRef-", "");
            let (from, to) = (text("spdxElementId"), text("relatedSpdxElement"));
            format!("{from} {} {to}", text("relationshipType"))
        })
        .collect();
    let image = format!("oci-link-0123-sha256-{}", Digest::of(b"image").hex());
    let base = format!("oci-static-sha256-{}", Digest::of(b"base").hex());
    let expected = [
        format!("DOCUMENT DESCRIBES {image}"),
        format!("{base} CONTAINS deb-libc6-2.36-9-deb12u7"),
        format!("{image} CONTAINS library-link-1.0.0"),
        format!("{image} DESCENDANT_OF {base}"),
        "library-link-1.0.0 DEPENDS_ON cargo-a-1.0.0".to_owned(),
        "library-link-1.0.0 DEPENDS_ON cargo-a-1.0.0-2".to_owned(),
        "library-link-1.0.0 DEPENDS_ON library-zstd-sys-2.0.16-zstd.1.5.7".to_owned(),
        "library-zstd-sys-2.0.16-zstd.1.5.7 CONTAINS library-zstd-1.5.7".to_owned(),
        "cargo-macro-1.0.0 BUILD_DEPENDENCY_OF library-link-1.0.0".to_owned(),
        "library-link-1.0.0 STATIC_LINK library-rust-std-1.95.0".to_owned(),
        "library-rust-std-1.95.0 STATIC_LINK library-musl-1.2.5".to_owned(),
        "library-rustc-1.95.0 BUILD_DEPENDENCY_OF library-link-1.0.0".to_owned(),
    ];
    assert_eq!(relations, expected.into_iter().collect());
    let libc = &document["packages"][2]["externalRefs"][0]["referenceLocator"];
    let expected =
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u7?arch=amd64&distro=debian-12&upstream=glibc";
    assert_eq!(libc, expected);
    let first = &document["packages"][3];
    assert_eq!(first["externalRefs"][0]["referenceLocator"], "pkg:cargo/a@1.0.0");
    assert_eq!(first["licenseDeclared"], "MIT OR Apache-2.0");
    assert_eq!(first["checksums"][0]["checksumValue"], "ab".repeat(32));
    let second = &document["packages"][4];
    assert_eq!(second["downloadLocation"], "git+https://example.org/git@0123");
    assert_eq!(document["hasExtractedLicensingInfos"][0]["extractedText"], "Proprietary");
    assert_eq!(document["packages"][5]["sourceInfo"], "folder of the workspace: svc/link");
}

#[test]
fn cyclonedx_leaves_what_only_helped_out_of_what_runs() {
    let document = document(SbomFormat::CycloneDx);
    let components = document["components"].as_array().unwrap();
    let scope = |name: &str| {
        let found = components.iter().find(|component| component["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))["scope"].as_str().unwrap()
    };
    for (name, expected) in [
        ("a", "required"),
        ("zstd", "required"),
        ("musl", "required"),
        ("rust-std", "required"),
        ("macro", "excluded"),
        ("rustc", "excluded"),
    ] {
        assert_eq!(scope(name), expected, "{name}");
    }
    assert_eq!(document["metadata"]["component"]["type"], "container");
    let serial = document["serialNumber"].as_str().unwrap();
    assert_eq!(serial.len(), "urn:uuid:".len() + 36, "{serial}");
}

#[test]
fn a_document_is_the_same_each_time_and_names_neither_secrets_nor_folders() {
    for format in SbomFormat::ALL {
        let first = materials().document(format);
        assert_eq!(first, materials().document(format));
        let text = String::from_utf8(first.to_vec()).unwrap();
        for hidden in ["secret", "me:", "/home", "token"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        let other = Materials { digest: Digest::of(b"other"), ..materials() };
        let unique = |text: &[u8]| -> String {
            let document: Value = serde_json::from_slice(text).unwrap();
            let keys = ["documentNamespace", "serialNumber"].iter();
            keys.filter_map(|key| document[*key].as_str()).collect()
        };
        assert_ne!(unique(&first), unique(&other.document(format)));
    }
}
