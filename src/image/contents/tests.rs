use std::io::Write as _;

use bytes::Bytes;
use tar::{EntryType, Header};

use super::super::{embedded, scratch};
use super::*;
use crate::oci::{Compression, Descriptor, Format, Platform};

/// What a test puts at a path.
pub(in crate::image) enum Put<'a> {
    File(&'a [u8]),
    Folder,
    Link(&'a str),
    Hard(&'a str),
}

pub(in crate::image) fn tar(entries: &[(&str, Put<'_>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, put) in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        let mut link = |kind, target: &str| {
            header.set_entry_type(kind);
            header.set_size(0);
            builder.append_link(&mut header, path, target).unwrap();
        };
        match put {
            Put::Link(target) => link(EntryType::Symlink, target),
            Put::Hard(target) => link(EntryType::Link, target),
            Put::Folder => {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, path, &b""[..]).unwrap();
            }
            Put::File(bytes) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, *bytes).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

pub(in crate::image) fn layer(entries: &[(&str, Put<'_>)]) -> LayerFacts {
    LayerFacts::read(&*tar(entries)).unwrap()
}

/// What lies in a base all of whose layers are in memory.
#[tokio::main(flavor = "current_thread")]
pub(in crate::image) async fn look(
    base: &BaseImage,
    cache: &Cache,
) -> Result<Contents, ContentsError> {
    let mut layers = Vec::new();
    for (layer, source) in &base.layers {
        let BlobSource::Bytes(bytes) = source else { panic!("{source:?}") };
        let blob = async { Ok(Blob::Bytes(bytes.clone())) };
        layers.push(kept_or_read(layer, blob, cache).await?);
    }
    Ok(Contents::from_layers(layers))
}

fn base(blob: &[u8], tar: &[u8], compression: Compression) -> BaseImage {
    let media_type = Format::Oci.layer(compression);
    let layer = Layer { descriptor: Descriptor::of(media_type, blob), diff_id: Digest::of(tar) };
    let layers = vec![(layer, BlobSource::Bytes(Bytes::copy_from_slice(blob)))];
    BaseImage { layers, ..scratch(&Platform::linux("amd64")) }
}

fn files(contents: &Contents) -> Vec<&str> {
    let is_file = |(path, node): (_, &Node)| (*node == Node::File).then_some(path);
    contents.files().iter().filter_map(is_file).collect()
}

#[test]
fn whiteouts_and_opaque_folders_hide_what_lies_below_and_nothing_of_their_own_layer() {
    let contents = Contents::from_layers([
        layer(&[
            ("etc/passwd", Put::File(b"root:x:0:0:::\napp:x:1000:1001:::\nbroken\n")),
            ("opt/a/x", Put::File(b"")),
            ("opt/a/y", Put::File(b"")),
            ("opt/b/x", Put::File(b"")),
            ("srv/old", Put::File(b"")),
        ]),
        layer(&[
            ("opt/a/.wh.x", Put::File(b"")),
            ("opt/b/.wh..wh..opq", Put::File(b"")),
            ("opt/b/new", Put::File(b"")),
            (".wh.srv", Put::File(b"")),
            (".wh..wh.plnk", Put::Folder),
        ]),
    ]);
    assert_eq!(files(&contents), ["etc/passwd", "opt/a/y", "opt/b/new"]);
    let user = |name: &str, uid, gid| User { name: name.to_owned(), uid, gid };
    assert_eq!(contents.users(), [user("root", 0, 0), user("app", 1000, 1001)]);

    let gone = layer(&[("etc/.wh.passwd", Put::File(b""))]);
    let below = layer(&[("etc/passwd", Put::File(b"root:x:0:0:::\n"))]);
    assert_eq!(Contents::from_layers([below, gone]).users(), []);
}

#[test]
fn what_is_put_behind_a_link_of_a_lower_layer_lies_where_the_link_leads() {
    let library = super::super::elf::tests::elf(62, None, &[], "");
    let contents = Contents::from_layers([
        layer(&[("usr/lib", Put::Folder), ("lib", Put::Link("usr/lib"))]),
        layer(&[
            ("lib/libx.so.1.2", Put::File(&library)),
            ("lib/libx.so.1", Put::Link("libx.so.1.2")),
            ("lib/libhard.so", Put::Hard("lib/libx.so.1.2")),
            ("etc/os-release", Put::Link("../usr/lib/os-release")),
            ("usr/lib/os-release", Put::File(b"ID=debian\nVERSION_ID=\"12\"\n")),
        ]),
    ]);
    assert_eq!(files(&contents), ["usr/lib/libx.so.1.2", "usr/lib/os-release"]);
    for path in ["/lib/libx.so.1", "usr/lib/libx.so.1.2", "lib/libhard.so"] {
        assert!(contents.library(path).is_some(), "{path}");
    }
    assert_eq!(contents.os_release("VERSION_ID").as_deref(), Some("12"));
    assert_eq!(contents.os_release("ID").as_deref(), Some("debian"));
}

#[test]
fn the_embedded_base_is_read_once_and_its_facts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let mut base = embedded(&Platform::linux("amd64"));
    let contents = look(&base, &cache).unwrap();
    assert!(contents.files().resolve("/etc/ssl/certs/ca-certificates.crt").is_some());
    assert!(contents.files().has_folder("home/nonroot") && !contents.files().has_folder("opt"));
    assert!(contents.users().iter().any(|user| user.name == "nonroot" && user.uid == 65532));
    let packages = contents.packages();
    assert!(packages.iter().any(|package| package.name == "tzdata"), "{packages:?}");
    assert_eq!(look(&scratch(&Platform::linux("amd64")), &cache).unwrap(), Contents::default());

    // Whoever asks again needs none of the bytes.
    base.layers[0].1 = BlobSource::Bytes(Bytes::new());
    assert_eq!(look(&base, &cache).unwrap(), contents);
    assert!(look(&base, &Cache::none()).is_err());
}

#[tokio::test]
async fn a_layer_on_its_way_is_known_once_it_has_come_whole_and_is_the_right_one() {
    let tar = tar(&[("a", Put::File(&[7; 5000]))]);
    let base = base(&tar, &tar, Compression::None);
    let layer = &base.layers[0].0;
    let mut wrong = tar.clone();
    wrong[600] ^= 1;
    for (bytes, is_known) in [(&tar[..], true), (&tar[..1000], false), (&wrong, false)] {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let (sender, pieces) = mpsc::channel(1);
        let send = async {
            for piece in bytes.chunks(700) {
                // Who has seen enough listens no more.
                let _ = sender.send(Bytes::copy_from_slice(piece)).await;
            }
            drop(sender);
        };
        futures_util::future::join(look_into(layer, pieces, &cache), send).await;
        let found = cache.record::<LayerFacts>(RECORDS, &layer.descriptor.digest);
        assert_eq!(found.is_some(), is_known, "{} bytes", bytes.len());
    }
}

#[test]
fn every_compression_is_read_and_every_digest_held_against_the_bytes() {
    let tar = tar(&[("a", Put::File(b"x"))]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&*tar, 1).unwrap();
    let gzip_type = Compression::Gzip { level: 1 };
    let none = Cache::none();
    for (blob, compression) in
        [(&tar, Compression::None), (&gzip, gzip_type), (&zstd, Compression::Zstd { level: 1 })]
    {
        let base = base(blob, &tar, compression);
        assert_eq!(files(&look(&base, &none).unwrap()), ["a"], "{compression:?}");
        let cut = BlobSource::Bytes(Bytes::copy_from_slice(&blob[..blob.len() - 1]));
        let mut cut_off = base.clone();
        cut_off.layers[0].1 = cut;
        assert!(look(&cut_off, &none).is_err(), "{compression:?}");
    }
    let other = base(&gzip, b"another tar", gzip_type);
    let error = look(&other, &none).unwrap_err();
    let ContentsError::Layer { source, .. } = error else { panic!("{error}") };
    assert!(matches!(source, LayerError::Digest { what: "tar", .. }), "{source}");
}

#[test]
fn a_layer_of_endless_entries_or_names_ends_in_an_error() {
    struct Endless(Vec<u8>, usize);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.0.len() - self.1);
            buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 = (self.1 + count) % self.0.len();
            Ok(count)
        }
    }
    let long = "n".repeat(100_000);
    let mut one = tar(&[(&long, Put::File(b""))]);
    one.truncate(one.len() - 1024);
    assert!(matches!(LayerFacts::read(Endless(one, 0)), Err(LayerError::TooMany)));
}
