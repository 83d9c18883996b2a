//! The components of an SBOM, without a format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::license::License;

/// Something that an image contains or was built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    /// Its ID in the document: letters, digits, `.` and `-`.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) license: Option<License>,
    /// The [package URL](https://github.com/package-url/purl-spec).
    pub(super) purl: Option<String>,
    /// The CPE name under which vulnerabilities are published if there is no package URL.
    pub(super) cpe: Option<String>,
    /// SHA-256, in hexadecimal.
    pub(super) sha256: Option<String>,
    /// Where it can be downloaded.
    pub(super) download: Option<String>,
    /// Its page or repository.
    pub(super) homepage: Option<String>,
    /// Whether it is in the image, or was only used to build it.
    pub(super) present: bool,
    /// Its origin, in words.
    pub(super) note: Option<String>,
}

/// The type of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Application,
    Library,
    System,
}

/// The relationship of one component to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relation {
    /// It contains it.
    Contains,
    /// It is built on it.
    BuiltOn,
    /// It needs it to run.
    DependsOn,
    /// It needs it to be built.
    BuiltWith,
    /// It is statically linked to it.
    Links,
}

impl Component {
    pub(super) fn new(kind: Kind, name: &str, version: Option<&str>) -> Self {
        Self {
            id: String::new(),
            kind,
            name: name.to_owned(),
            version: version.map(str::to_owned),
            license: None,
            purl: None,
            cpe: None,
            sha256: None,
            download: None,
            homepage: None,
            present: true,
            note: None,
        }
    }
}

/// A package URL. Qualifiers are sorted; empty ones are omitted.
pub(super) fn purl(
    kind: &str,
    namespace: &str,
    name: &str,
    version: Option<&str>,
    qualifiers: &BTreeMap<&str, &str>,
) -> String {
    let mut purl = format!("pkg:{kind}/");
    if !namespace.is_empty() {
        let _ = write!(purl, "{}/", encoded(namespace, ""));
    }
    purl.push_str(&encoded(name, ""));
    if let Some(version) = version {
        let _ = write!(purl, "@{}", encoded(version, ":"));
    }
    let mut before = '?';
    for (key, value) in qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(purl, "{before}{key}={}", encoded(value, "/:"));
        before = '&';
    }
    purl
}

/// The CPE name of an application with a vendor, a product and a version.
pub(super) fn cpe(vendor: &str, product: &str, version: &str) -> String {
    let escaped: String = version
        .chars()
        .flat_map(|c| {
            let plain = c.is_ascii_alphanumeric() || c == '.' || c == '_';
            (!plain).then_some('\\').into_iter().chain([c])
        })
        .collect();
    format!("cpe:2.3:a:{vendor}:{product}:{escaped}:*:*:*:*:*:*:*")
}

/// Percent-encodes everything but letters, digits, `.-_~` and `kept`.
fn encoded(text: &str, stays: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || ".-_~".contains(c) || stays.contains(c) {
            encoded.push(c);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_is_encoded_as_its_specification_says() {
        let qualifiers = BTreeMap::from([("distro", "debian-13"), ("arch", "all"), ("none", "")]);
        assert_eq!(
            purl("deb", "debian", "tzdata", Some("2026f-0+deb13u1"), &qualifiers),
            "pkg:deb/debian/tzdata@2026f-0%2Bdeb13u1?arch=all&distro=debian-13"
        );
        let version = "0.1.0";
        let vcs = BTreeMap::from([("vcs_url", "git+https://example.org/a?b@0123")]);
        assert_eq!(
            purl("cargo", "", "a b", Some(version), &vcs),
            "pkg:cargo/a%20b@0.1.0?vcs_url=git%2Bhttps://example.org/a%3Fb%400123"
        );
    }

    #[test]
    fn a_cpe_escapes_what_is_no_letter() {
        assert_eq!(
            cpe("openssl", "openssl", "3.5.0"),
            "cpe:2.3:a:openssl:openssl:3.5.0:*:*:*:*:*:*:*"
        );
        assert_eq!(cpe("a", "b", "1:2*"), "cpe:2.3:a:a:b:1\\:2\\*:*:*:*:*:*:*:*");
    }
}
