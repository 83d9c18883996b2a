use std::io::Read;
use std::process::Command;

use super::*;

fn entry(path: &str, content: Content) -> Entry {
    Entry { path: path.to_owned(), content, mode: 0o644, uid: 0, gid: 0, capabilities: None }
}

fn bytes(source: &LayerSource) -> Vec<u8> {
    let mut reader = TarReader::new(source.clone());
    let mut tar = Vec::new();
    let mut buffer = [0; 777]; // no divisor of anything
    loop {
        let count = reader.fill(&mut buffer).unwrap();
        tar.extend_from_slice(&buffer[..count]);
        if count < buffer.len() {
            return tar;
        }
    }
}

fn source(entries: Vec<Entry>) -> LayerSource {
    LayerSource { purpose: "test", entries, modified: 0 }
}

fn sample() -> LayerSource {
    let long = |length: usize| "d/".repeat(length / 2 - 1) + "f";
    source(vec![
        Entry { mode: 0o755, ..entry("ko-app", Content::Folder) },
        Entry { mode: 0o555, ..entry("ko-app/link", Content::Bytes("program".into())) },
        entry("empty", Content::Bytes(Bytes::new())),
        entry("to", Content::Link("ko-app/link".into())),
        entry(&long(120), Content::Bytes("in prefix and name".into())),
        entry(&format!("{}/{}", "p".repeat(155), "n".repeat(100)), Content::Bytes("1".into())),
        entry(&format!("{}/{}", "p".repeat(156), "n".repeat(100)), Content::Bytes("2".into())),
        entry(&"x".repeat(200), Content::Folder),
        entry("gr\u{fc}\u{df}e", Content::Bytes("3".into())),
        entry("far", Content::Link("t".repeat(300))),
        Entry { uid: 3_000_000, gid: 65_532, ..entry("owned", Content::Bytes("4".into())) },
    ])
}

#[test]
fn the_tar_crate_reads_every_entry_back() {
    let source = sample();
    let tar = bytes(&source);
    assert_eq!(tar.len() as u64, source.tar_size());
    let mut archive = ::tar::Archive::new(&*tar);
    let mut wanted = source.entries.iter();
    for found in archive.entries().unwrap() {
        let (mut found, wanted) = (found.unwrap(), wanted.next().unwrap());
        let path = String::from_utf8(found.path_bytes().into_owned()).unwrap();
        assert_eq!(path.trim_end_matches('/'), wanted.path);
        assert_eq!(path.ends_with('/'), matches!(wanted.content, Content::Folder));
        assert_eq!(found.header().mode().unwrap(), wanted.mode);
        assert_eq!(found.header().gid().unwrap(), wanted.gid);
        assert_eq!(found.header().mtime().unwrap(), 0);
        assert_eq!(found.header().username_bytes(), Some(&b""[..]));
        let mut content = Vec::new();
        found.read_to_end(&mut content).unwrap();
        match &wanted.content {
            Content::Bytes(bytes) => assert_eq!(content, *bytes),
            Content::Link(target) => {
                assert_eq!(found.link_name_bytes().unwrap(), target.as_bytes());
            }
            Content::Folder | Content::File(_) | Content::Seen(_) => assert_eq!(content, b""),
        }
    }
    assert!(wanted.next().is_none());
}

#[test]
fn extended_headers_stand_only_where_a_field_cannot_hold_the_value() {
    let tar = bytes(&sample());
    let extended = tar.chunks_exact(512).filter(|record| record.starts_with(b"PaxHeaders.0/"));
    assert_eq!(extended.count(), 5);
    let path = b"16 path=gr\xc3\xbc\xc3\x9fe\n\0";
    assert!(tar.windows(path.len()).any(|window| window == path));
}

#[test]
fn tar_itself_unpacks_it() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("layer.tar");
    std::fs::write(&archive, bytes(&sample())).unwrap();
    let into = folder.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let output = Command::new("tar")
        .args(["--no-same-owner", "-xf"])
        .arg(&archive)
        .arg("-C")
        .arg(&into)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(std::fs::read(into.join("ko-app/link")).unwrap(), b"program");
    assert_eq!(std::fs::read(into.join("gr\u{fc}\u{df}e")).unwrap(), b"3");
    let long = format!("{}/{}", "p".repeat(156), "n".repeat(100));
    assert_eq!(std::fs::read(into.join(long)).unwrap(), b"2");
    assert_eq!(std::fs::read_link(into.join("far")).unwrap().as_os_str().len(), 300);
}

#[test]
fn the_bytes_are_those_of_all_releases() {
    insta::assert_snapshot!(Digest::of(&bytes(&sample())), @"sha256:9c2f0a9639600c17562dec283f8273043cc1f19abe017e15a246f405050906ae");
}

#[test]
fn an_identity_is_of_headers_contents_and_stamps_and_none_while_a_stamp_is_young() {
    let identity = |source: &LayerSource| source.identity().unwrap();
    assert_eq!(identity(&sample()), identity(&sample()));
    assert_ne!(identity(&sample()), identity(&LayerSource { modified: 1, ..sample() }));
    let mut other = sample();
    other.entries[1].content = Content::Bytes("another".into());
    assert_ne!(identity(&sample()), identity(&other));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "one").unwrap();
    let opened = || {
        let content = Content::File(OpenedFile::open(file.path()).unwrap());
        source(vec![entry("a", content)])
    };
    assert_eq!(opened().identity(), None);
    std::thread::sleep(std::time::Duration::from_millis(50));
    let before = identity(&opened());
    assert_eq!(identity(&opened()), before);
    std::fs::write(file.path(), "two").unwrap();
    assert_eq!(opened().identity(), None);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_ne!(identity(&opened()), before);
}

proptest::proptest! {
    #[test]
    fn any_path_target_and_owner_is_read_back(
        path in "[a-z.]{1,60}(/[a-z\u{e9}_ ]{1,90}){0,4}",
        target in "[a-z/\u{e9}= ]{1,250}",
        owner in 0_u64..1 << 40,
        modified in 0_u64..1 << 40,
    ) {
        let owned = |entry| Entry { uid: owner, gid: owner, ..entry };
        let entries = vec![
            owned(entry(&path, Content::Folder)),
            owned(entry(&path, Content::Link(target.clone()))),
            owned(entry(&path, Content::Bytes("x".into()))),
        ];
        let source = LayerSource { modified, ..source(entries) };
        let tar = bytes(&source);
        assert_eq!(tar.len() as u64, source.tar_size());
        let mut read = 0;
        for found in ::tar::Archive::new(&*tar).entries().unwrap() {
            let mut found = found.unwrap();
            assert_eq!(String::from_utf8_lossy(&found.path_bytes()).trim_end_matches('/'), path);
            let extended: Vec<(String, String)> = found
                .pax_extensions()
                .unwrap()
                .into_iter()
                .flatten()
                .map(|value| value.unwrap())
                .map(|value| (value.key().unwrap().to_owned(), value.value().unwrap().to_owned()))
                .collect();
            let number = |key: &str, field: u64| {
                let value = extended.iter().find(|(name, _)| name == key);
                value.map_or(field, |(_, value)| value.parse().unwrap())
            };
            let header = found.header();
            assert_eq!(number("uid", header.uid().unwrap()), owner);
            assert_eq!(number("gid", header.gid().unwrap()), owner);
            assert_eq!(number("mtime", header.mtime().unwrap()), modified);
            if header.entry_type().is_symlink() {
                assert_eq!(found.link_name_bytes().unwrap(), target.as_bytes());
            }
            read += 1;
        }
        assert_eq!(read, 3);
    }
}

#[test]
fn capabilities_are_an_attribute_that_others_read() {
    let content = Content::Bytes(Bytes::from_static(b"x"));
    let clause = "net_bind_service=ep".parse().unwrap();
    let capabilities = crate::oci::FileCapabilities::of(&[clause]);
    let entry = Entry { capabilities, ..entry("ko-app/x", content) };
    let source = LayerSource { purpose: "executable", entries: vec![entry], modified: 0 };
    let mut bytes = vec![0; usize::try_from(source.tar_size()).unwrap()];
    TarReader::new(source).fill(&mut bytes).unwrap();
    let mut archive = tar::Archive::new(&*bytes);
    let mut read = archive.entries().unwrap().next().unwrap().unwrap();
    let extensions = read.pax_extensions().unwrap().unwrap();
    let extension = extensions.map(Result::unwrap).next().unwrap();
    assert_eq!(extension.key_bytes(), b"SCHILY.xattr.security.capability");
    assert_eq!(extension.value_bytes()[..5], [1, 0, 0, 2, 0]);
    assert_eq!(extension.value_bytes().len(), 20);
}
