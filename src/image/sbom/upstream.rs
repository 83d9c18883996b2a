//! C and C++ libraries in `-sys` and `-src` crates. Their versions are those in the version of the
//! crate (`2.0.16+zstd.1.5.7`), or unknown.

use super::component::{Component, Kind, cpe};
use super::license::License;

/// A library in a crate.
struct Upstream {
    package: &'static str,
    name: &'static str,
    license: &'static str,
    /// Vendor and product in CPE names.
    filed: Option<(&'static str, &'static str)>,
    /// Whether the build metadata of the crate is the version of the library.
    stated: bool,
    homepage: &'static str,
}

const fn upstream(
    package: &'static str,
    name: &'static str,
    license: &'static str,
    filed: Option<(&'static str, &'static str)>,
    stated: bool,
    homepage: &'static str,
) -> Upstream {
    Upstream { package, name, license, filed, stated, homepage }
}

/// Whether the version contains that of the library.
const STATED: bool = true;
const NOT_STATED: bool = false;

#[rustfmt::skip]
const TABLE: &[Upstream] = &[
    upstream("aws-lc-fips-sys", "aws-lc", "ISC AND OpenSSL", Some(("amazon", "aws-lc")), NOT_STATED, "https://github.com/aws/aws-lc"),
    upstream("aws-lc-sys", "aws-lc", "ISC AND OpenSSL", Some(("amazon", "aws-lc")), NOT_STATED, "https://github.com/aws/aws-lc"),
    upstream("boring-sys", "boringssl", "ISC AND OpenSSL", None, NOT_STATED, "https://boringssl.googlesource.com/boringssl"),
    upstream("bzip2-sys", "bzip2", "bzip2-1.0.6", Some(("bzip", "bzip2")), STATED, "https://sourceware.org/bzip2"),
    upstream("curl-sys", "curl", "curl", Some(("haxx", "libcurl")), STATED, "https://curl.se"),
    upstream("krb5-src", "krb5", "MIT", Some(("mit", "kerberos_5")), STATED, "https://web.mit.edu/kerberos"),
    upstream("libgit2-sys", "libgit2", "GPL-2.0-only WITH GCC-exception-2.0", Some(("libgit2", "libgit2")), STATED, "https://libgit2.org"),
    upstream("libmimalloc-sys", "mimalloc", "MIT", None, NOT_STATED, "https://github.com/microsoft/mimalloc"),
    upstream("libnghttp2-sys", "nghttp2", "MIT", Some(("nghttp2", "nghttp2")), STATED, "https://nghttp2.org"),
    upstream("librdkafka-sys", "librdkafka", "BSD-2-Clause", None, NOT_STATED, "https://github.com/confluentinc/librdkafka"),
    upstream("librocksdb-sys", "rocksdb", "Apache-2.0 OR GPL-2.0-only", None, STATED, "https://rocksdb.org"),
    upstream("libsodium-sys-stable", "libsodium", "ISC", Some(("libsodium", "libsodium")), NOT_STATED, "https://libsodium.org"),
    upstream("libsqlite3-sys", "sqlite", "blessing", Some(("sqlite", "sqlite")), NOT_STATED, "https://sqlite.org"),
    upstream("libssh2-sys", "libssh2", "BSD-3-Clause", Some(("libssh2", "libssh2")), NOT_STATED, "https://libssh2.org"),
    upstream("libz-ng-sys", "zlib-ng", "Zlib", None, NOT_STATED, "https://github.com/zlib-ng/zlib-ng"),
    upstream("libz-sys", "zlib", "Zlib", Some(("zlib", "zlib")), NOT_STATED, "https://zlib.net"),
    upstream("lz4-sys", "lz4", "BSD-2-Clause", Some(("lz4_project", "lz4")), STATED, "https://lz4.org"),
    upstream("lzma-sys", "xz", "0BSD", Some(("tukaani", "xz")), NOT_STATED, "https://tukaani.org/xz"),
    upstream("liblzma-sys", "xz", "0BSD", Some(("tukaani", "xz")), NOT_STATED, "https://tukaani.org/xz"),
    upstream("onig_sys", "oniguruma", "BSD-2-Clause", Some(("oniguruma_project", "oniguruma")), NOT_STATED, "https://github.com/kkos/oniguruma"),
    upstream("openssl-src", "openssl", "Apache-2.0", Some(("openssl", "openssl")), STATED, "https://www.openssl.org"),
    upstream("protobuf-src", "protobuf", "BSD-3-Clause", Some(("google", "protobuf")), STATED, "https://protobuf.dev"),
    upstream("ring", "boringssl", "ISC AND OpenSSL", None, NOT_STATED, "https://boringssl.googlesource.com/boringssl"),
    upstream("sasl2-sys", "cyrus-sasl", "BSD-3-Clause-Attribution", Some(("cyrusimap", "cyrus-sasl")), STATED, "https://www.cyrusimap.org/sasl"),
    upstream("tikv-jemalloc-sys", "jemalloc", "BSD-2-Clause", None, STATED, "https://jemalloc.net"),
    upstream("zstd-sys", "zstd", "BSD-3-Clause OR GPL-2.0-only", Some(("facebook", "zstandard")), STATED, "https://facebook.github.io/zstd"),
];

/// The library in a crate, if the crate is known to contain one.
pub(super) fn inside(package: &str, version: &str) -> Option<Component> {
    let known = TABLE.iter().find(|known| known.package == package)?;
    let version = known.stated.then(|| stated(version)).flatten();
    let mut component = Component::new(Kind::Library, known.name, version);
    component.license = License::read(known.license);
    component.homepage = Some(known.homepage.to_owned());
    component.cpe = match (known.filed, version) {
        (Some((vendor, product)), Some(version)) => Some(cpe(vendor, product, version)),
        _ => None,
    };
    component.note = Some(format!("C or C++ whose source is in the crate {package}"));
    Some(component)
}

/// The first part of the build metadata that looks like a version.
fn stated(version: &str) -> Option<&str> {
    let (_, metadata) = version.split_once('+')?;
    metadata
        .split(['-', '_'])
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '.'))
        .find(|part| part.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_s_version_says_the_library_s() {
        for (package, version, expected) in [
            ("zstd-sys", "2.0.16+zstd.1.5.7", Some("1.5.7")),
            ("openssl-src", "300.5.0+3.5.0", Some("3.5.0")),
            ("openssl-src", "111.28.2+1.1.1w", Some("1.1.1w")),
            ("libgit2-sys", "0.18.1+1.9.0", Some("1.9.0")),
            ("curl-sys", "0.4.80+curl-8.12.1", Some("8.12.1")),
            ("bzip2-sys", "0.1.13+1.0.8", Some("1.0.8")),
            ("lz4-sys", "1.11.1+lz4-1.10.0", Some("1.10.0")),
            (
                "tikv-jemalloc-sys",
                "0.6.0+5.3.0-1-ge13ca993e8ccb9ba9847cc330696e02839f328f7",
                Some("5.3.0"),
            ),
            ("libz-sys", "1.1.22", None),
            ("zstd-sys", "2.0.0", None),
        ] {
            let found = inside(package, version).unwrap();
            assert_eq!(found.version.as_deref(), expected, "{package} {version}");
        }
        assert_eq!(inside("serde", "1.0.0"), None);
    }

    #[test]
    fn the_table_names_each_crate_once_and_licences_that_spdx_lists() {
        for (place, known) in TABLE.iter().enumerate() {
            let license = License::read(known.license);
            assert!(matches!(license, Some(License::Expression(_))), "{}", known.package);
            let first = TABLE.iter().position(|other| other.package == known.package);
            assert_eq!(first, Some(place), "{}", known.package);
        }
    }
}
