use std::collections::BTreeMap;
use std::io::Read;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::*;

/// Writes and reads side by side, as the real thing does.
async fn written(
    write: impl AsyncFnOnce(ArchiveWriter) -> Result<(), BoxError>,
) -> Result<Vec<u8>, BoxError> {
    let read = async |stream: ArchiveStream| collected(stream).await;
    transfer(Naming::Stable, write, read).await.map(|((), bytes)| bytes)
}

async fn collected(stream: ArchiveStream) -> Result<Vec<u8>, BoxError> {
    let all = stream.try_fold(Vec::new(), async |mut all, bytes| {
        all.extend_from_slice(&bytes);
        Ok(all)
    });
    Ok(all.await?)
}

/// The entries' contents by name, as another program reads them.
fn entries(archive: &[u8]) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        texts.insert(entry.path().unwrap().display().to_string(), text);
    }
    texts
}

fn chunks(sizes: &[usize]) -> impl Stream<Item = Result<Bytes, BoxError>> {
    stream::iter(sizes.to_vec()).map(|size| Ok(Bytes::from(vec![b'x'; size])))
}

fn image() -> ArchivedImage {
    ArchivedImage {
        config: "config.json".to_owned(),
        repo_tags: vec!["ko.local/a:1".parse().unwrap(), "ko.local/a:latest".parse().unwrap()],
        layers: vec!["base.tar".to_owned(), "executable.tar".to_owned()],
    }
}

/// Adds an entry with the content of a stream.
async fn add<E: Into<BoxError>>(
    writer: &mut ArchiveWriter,
    name: &str,
    size: u64,
    content: impl Stream<Item = Result<Bytes, E>>,
) -> Result<(), Error> {
    let mut entry = writer.entry(name, size).await?;
    let mut content = std::pin::pin!(content);
    while let Some(bytes) = content.next().await {
        let failed = |error: E| Error::Content { name: name.to_owned(), source: error.into() };
        entry.write(bytes.map_err(failed)?).await?;
    }
    entry.close().await
}

async fn whole(mut writer: ArchiveWriter) -> Result<(), BoxError> {
    add(&mut writer, "base.tar", 1024, chunks(&[0, 1000, 24])).await?;
    add(&mut writer, "executable.tar", 70_001, chunks(&[65_536, 4465])).await?;
    writer.add_bytes("config.json", Bytes::from_static(b"{}")).await?;
    assert!(writer.contains("base.tar") && !writer.contains("other.tar"));
    Ok(writer.finish(&[image()]).await?)
}

#[tokio::test]
async fn an_archive_contains_its_entries_in_order_and_the_manifest_last() {
    let bytes = written(whole).await.unwrap();
    assert_eq!(bytes.len() % BLOCK, 0);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entries = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert!(header.as_ustar().is_some());
        assert_eq!(header.mtime().unwrap(), 0);
        assert_eq!(header.mode().unwrap(), 0o644);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.path().unwrap().display().to_string(), content));
    }
    let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["base.tar", "executable.tar", "config.json", "manifest.json"]);
    assert_eq!(entries[0].1, [b'x'; 1024]);
    assert_eq!(entries[1].1, vec![b'x'; 70_001]);
    assert_eq!(
        String::from_utf8_lossy(&entries[3].1),
        r#"[{"Config":"config.json","RepoTags":["ko.local/a:1","ko.local/a:latest"],"Layers":["base.tar","executable.tar"]}]"#
    );
}

#[tokio::test]
async fn the_archive_does_not_depend_on_the_sizes_of_chunks() {
    let other = async |mut writer: ArchiveWriter| {
        add(&mut writer, "base.tar", 1024, chunks(&[1024])).await?;
        let mut entry = writer.entry("executable.tar", 70_001).await?;
        entry.write(Bytes::from(vec![b'x'; 70_001])).await?;
        entry.close().await?;
        writer.add_bytes("config.json", Bytes::from_static(b"{}")).await?;
        Ok(writer.finish(&[image()]).await?)
    };
    let bytes = written(other).await.unwrap();
    assert_eq!(bytes, written(whole).await.unwrap());
    // These bytes are what users' `--tarball` files are made of.
    insta::assert_snapshot!(crate::oci::Digest::of(&bytes), @"sha256:a5ff04ccd15b494a97765b9e2815a54811b30dea1752f93d70ba1034c646ea26");
}

#[tokio::test]
async fn in_an_archive_for_an_engine_each_name_is_in_the_manifest_once() {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let read = async |stream: ArchiveStream| collected(stream).await;
        let ((), bytes) = transfer(Naming::Once, whole, read).await.unwrap();
        let entries = entries(&bytes);
        let names: Vec<_> = entries.keys().map(String::as_str).collect();
        let layer = names.iter().find(|name| name.ends_with("-base.tar")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&entries["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["Layers"][0], **layer);
        assert!(names.contains(&manifest[0]["Config"].as_str().unwrap()));
        assert!(seen.insert((*layer).to_owned()), "{layer} twice");
    }
}

#[tokio::test]
async fn content_that_is_shorter_or_longer_than_announced_is_an_error() {
    for sizes in [&[10][..], &[12], &[11, 1], &[]] {
        let error = written(async |mut writer| {
            add(&mut writer, "a", 11, chunks(sizes)).await?;
            Ok(writer.finish(&[]).await?)
        });
        let error = error.await.unwrap_err().to_string();
        assert!(error.starts_with("`a` should have 11 bytes, not "), "{error}");
    }
}

#[tokio::test]
async fn dropping_an_unfinished_entry_invalidates_the_archive() {
    let error = written(async |mut writer| {
        drop(writer.entry("a", 1).await?);
        Ok(writer.finish(&[]).await?)
    });
    assert_eq!(error.await.unwrap_err().to_string(), "could not read the content of `a`");
}

#[tokio::test]
async fn entry_names_are_relative_and_unique() {
    for name in ["", "/a", "../a", "a/../b", "a//b", "./a", "a b", "a\\b", "é", &"x".repeat(300)] {
        let error = written(async |mut writer| Ok(writer.add_bytes(name, Bytes::new()).await?));
        let error = error.await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Error::Name(_))), "{name}: {error}");
    }
    let error = written(async |mut writer| {
        writer.add_bytes("blobs/a", Bytes::new()).await?;
        Ok(writer.add_bytes("blobs/a", Bytes::new()).await?)
    });
    assert_eq!(error.await.unwrap_err().to_string(), "the archive has an entry `blobs/a` already");
}

#[tokio::test]
async fn an_abandoned_writer_leaves_a_truncated_archive() {
    let (mut writer, mut stream) = channel(Naming::Stable);
    writer.add_bytes("a", Bytes::from_static(b"x")).await.unwrap();
    drop(writer);
    let mut last = None;
    while let Some(item) = stream.next().await {
        last = Some(item);
    }
    assert_eq!(last, Some(Err(Unfinished)));
}

#[tokio::test]
async fn of_two_failures_the_cause_is_reported() {
    let full = async |stream: ArchiveStream| {
        drop(stream);
        tokio::task::yield_now().await;
        Err::<(), _>(BoxError::from("disk full"))
    };
    let error = transfer(Naming::Stable, whole, full).await.unwrap_err();
    assert_eq!(error.to_string(), "disk full");

    let broken = async |mut writer: ArchiveWriter| {
        let content = stream::iter([Err::<Bytes, _>("the file was changed")]);
        Ok(add(&mut writer, "a", 1, content).await?)
    };
    let error = written(broken).await.unwrap_err();
    assert_eq!(error.to_string(), "could not read the content of `a`");
    assert_eq!(error.source().unwrap().to_string(), "the file was changed");

    // A reader that is content too early has not read the archive.
    let early = async |stream: ArchiveStream| {
        drop(stream);
        Ok::<(), BoxError>(())
    };
    assert!(transfer(Naming::Stable, whole, early).await.is_err());
}
