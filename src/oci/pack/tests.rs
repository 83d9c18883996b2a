use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::*;
use crate::oci::Digest;
use crate::oci::file::{OpenedFile, SeenFile};
use crate::oci::layer::{Content, Entry};
use crate::oci::tar::ReadError;

/// Bytes that compress about as well as an executable, the same on every machine.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 33).to_le_bytes();
        match random[0] % 4 {
            0 if bytes.len() > 70_000 => {
                let from = bytes.len() - 9 - usize::from(random[1]) * usize::from(random[2]);
                bytes.extend_from_within(from..from + 8);
            }
            1 => bytes.extend_from_slice(&[0x48, 0x89, random[1] & 7, 0]),
            _ => bytes.push(random[3] & 0x3f),
        }
    }
    bytes.truncate(length);
    bytes
}

fn file(path: &str, bytes: impl Into<Bytes>) -> Entry {
    let content = Content::Bytes(bytes.into());
    Entry { path: path.to_owned(), content, mode: 0o555, uid: 0, gid: 0, capabilities: None }
}

fn source(entries: Vec<Entry>) -> LayerSource {
    LayerSource { purpose: "test", entries, modified: 0 }
}

#[tokio::main(flavor = "current_thread")]
async fn packed(
    source: LayerSource,
    compression: Compression,
    threads: usize,
) -> Result<(Vec<u8>, Packed), PackError> {
    let mut packing = pack(source, compression, threads);
    let mut blob = Vec::new();
    while let Some(chunk) = packing.chunks.recv().await {
        blob.extend_from_slice(&chunk);
    }
    let packed = packing.finish().await?;
    assert_eq!((packed.digest, packed.size), (Digest::of(&blob), blob.len() as u64));
    Ok((blob, packed))
}

const ALL: [Compression; 6] = [
    Compression::None,
    Compression::Gzip { level: 1 },
    Compression::Gzip { level: 2 },
    Compression::Gzip { level: 6 },
    Compression::Zstd { level: 1 },
    Compression::Zstd { level: 3 },
];

fn unpacked(blob: &[u8], compression: Compression) -> Vec<u8> {
    let mut tar = Vec::new();
    match compression {
        Compression::None => tar.extend_from_slice(blob),
        Compression::Gzip { .. } => {
            flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut tar).map(drop).unwrap();
            let mut first = Vec::new();
            flate2::bufread::GzDecoder::new(blob).read_to_end(&mut first).unwrap();
            assert_eq!(first.len(), tar.len(), "more than one member");
        }
        Compression::Zstd { .. } => tar = ::zstd::stream::decode_all(blob).unwrap(),
    }
    tar
}

#[test]
fn the_number_of_threads_changes_no_byte_and_others_read_the_tar_back() {
    let contents = [Bytes::from(noise(5 * BLOCK + 12_345)), Bytes::from(noise(5000))];
    let cases = ALL.iter().flat_map(|c| contents.iter().map(move |b| (*c, b)));
    for (compression, content) in cases {
        let source = || source(vec![file("ko-app/x", content.clone())]);
        let (blob, first) = packed(source(), compression, 1).unwrap();
        let tar = unpacked(&blob, compression);
        assert_eq!(Digest::of(&tar), first.diff_id, "{compression:?}");
        assert_eq!(tar.len() as u64, source().tar_size());
        for threads in 2..=5 {
            let again = packed(source(), compression, threads).unwrap().1;
            assert_eq!(again, first, "{compression:?} on {threads} threads");
        }
    }
}

/// The bytes themselves, which are part of the digest of every image ever made. If this fails, a
/// dependency or this module has changed them: that is a line in the changelog, not a new golden.
#[test]
fn the_bytes_are_those_of_all_releases() {
    let source = || source(vec![file("ko-app/x", noise(2 * BLOCK + 12_345))]);
    let digests: String = ALL
        .iter()
        .map(|&compression| {
            let packed = packed(source(), compression, 2).unwrap().1;
            format!("{compression:?} {} {}\n", packed.size, packed.digest)
        })
        .collect();
    insta::assert_snapshot!(digests, @r"
    None 1062912 sha256:840c0547e87ce2551994290477e79a2ed8bbb420380492be84b518a9c77e1371
    Gzip { level: 1 } 682584 sha256:1be330118311180a4955b8d63a138dfb536b775fadb56c1cb3efefc21c6ada89
    Gzip { level: 2 } 509138 sha256:910485e575be04459d72258cf05e33e74e622c896ec6d1854d28a0d8a7146bb3
    Gzip { level: 6 } 449196 sha256:d1fdcf3ae8b99f0082193d4e932c61df5b4be56984614e2f1e5eb28b5e72651a
    Zstd { level: 1 } 495506 sha256:30e27bc09037030bd50253dc73041f7d69e3726186b15793408de2254b696643
    Zstd { level: 3 } 454665 sha256:99d2d724b0544f90e36fd37ee259d007c5a281dede9d53927b819130565ac985
    ");
}

#[test]
fn lengths_around_a_block_s_end_are_whole() {
    // Header and end are three records, so the tar ends exactly with a block, before it, after it.
    for length in [0, 1, BLOCK - 1536 - 512, BLOCK - 1536, BLOCK - 1535, 2 * BLOCK - 1536] {
        let content = noise(length);
        for compression in [ALL[0], ALL[2], ALL[5]] {
            let source = source(vec![file("a", content.clone())]);
            let (blob, packed) = packed(source, compression, 3).unwrap();
            let tar = unpacked(&blob, compression);
            assert_eq!(Digest::of(&tar), packed.diff_id, "{length} {compression:?}");
            assert_eq!(&tar[512..512 + length], content);
        }
    }
}

#[test]
fn gzip_itself_finds_nothing_wrong() {
    let (blob, _) = packed(source(vec![file("a", noise(3 * BLOCK))]), ALL[2], 2).unwrap();
    let mut gzip = Command::new("gzip").arg("-t").stdin(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(&blob).unwrap();
    assert!(gzip.wait().unwrap().success());
}

#[test]
fn a_file_is_packed_as_its_bytes_are_and_one_that_changes_is_an_error() {
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    let content = noise(BLOCK + 77);
    on_disk.write_all(&content).unwrap();
    let opened = || {
        let content = Content::File(OpenedFile::open(on_disk.path()).unwrap());
        source(vec![Entry { content, ..file("a", "") }])
    };
    let seen = || {
        let content = Content::Seen(SeenFile::look(on_disk.path()).unwrap());
        source(vec![Entry { content, ..file("a", "") }])
    };
    for compression in ALL {
        let in_memory = packed(source(vec![file("a", content.clone())]), compression, 2).unwrap();
        assert_eq!(packed(opened(), compression, 2).unwrap(), in_memory, "{compression:?}");
        assert_eq!(packed(seen(), compression, 2).unwrap(), in_memory, "{compression:?}");
    }
    let shorter = opened();
    on_disk.as_file().set_len(100).unwrap();
    let longer = opened();
    on_disk.as_file().set_len(200).unwrap();
    let (touched, replaced) = (opened(), seen());
    on_disk.as_file().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for changed in [shorter, longer, touched, replaced] {
        for compression in ALL {
            let result = packed(changed.clone(), compression, 2);
            assert!(
                matches!(result, Err(PackError::Read(ReadError::Changed { .. }))),
                "{result:?}"
            );
        }
    }
}

#[test]
fn chunks_may_be_kept_or_left_and_a_dropped_packing_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let content = Bytes::from(noise(8 * BLOCK));
    for compression in ALL {
        let begin = || pack(source(vec![file("a", content.clone())]), compression, 2);
        let (kept, packed) = runtime.block_on(async {
            let mut packing = begin();
            let mut kept = Vec::new();
            while let Some(chunk) = packing.chunks.recv().await {
                kept.push(chunk);
            }
            (kept, packing.finish().await.unwrap())
        });
        assert_eq!(Digest::of(&kept.concat()), packed.digest);
        assert_eq!(runtime.block_on(begin().finish()).unwrap(), packed);
    }
    let held = content.clone();
    drop(content);
    for compression in ALL {
        drop(pack(source(vec![file("a", held.clone())]), compression, 2));
    }
    // The threads of those hold the bytes until they have noticed.
    for _ in 0..500 {
        if held.is_unique() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("a packing that nobody takes is still at work");
}
