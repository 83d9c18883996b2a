//! An SBOM as [SPDX 2.3](https://spdx.github.io/spdx-spec/v2.3/) in JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::bill::Bill;
use super::component::{Component, Kind, Relation};
use super::license::License;
use crate::oci::Digest;

const NOTHING: &str = "NOASSERTION";

/// The document. Its namespace is derived from its other contents, so that documents with the same
/// namespace are equal.
pub(super) fn document(bill: &Bill) -> Value {
    let packages: Vec<Value> = bill.components.iter().map(package).collect();
    let image = bill.image();
    let describes = relationship("SPDXRef-DOCUMENT", "DESCRIBES", &id(image));
    let related = bill.components.iter().enumerate().flat_map(|(place, component)| {
        bill.related(place).map(move |(how, other)| related(component, how, other))
    });
    let relationships: Vec<Value> = std::iter::once(describes).chain(related).collect();
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("sbom-{}", image.version.as_deref().unwrap_or_default()),
        "documentNamespace": "",
        "creationInfo": {
            "created": bill.created,
            "creators": [concat!("Tool: ko-rs-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
    });
    let extracted = extracted(bill);
    if !extracted.is_empty() {
        document["hasExtractedLicensingInfos"] = extracted.into();
    }
    let digest = Digest::of(document.to_string().as_bytes());
    let namespace = format!("https://spdx.org/spdxdocs/ko-rs-{}", digest.hex());
    document["documentNamespace"] = namespace.into();
    document
}

fn id(component: &Component) -> String {
    format!("SPDXRef-{}", component.id)
}

fn package(component: &Component) -> Value {
    let mut package = Map::new();
    let mut set = |key: &str, value: Value| {
        package.insert(key.to_owned(), value);
    };
    set("SPDXID", id(component).into());
    set("name", component.name.clone().into());
    if let Some(version) = &component.version {
        set("versionInfo", version.clone().into());
    }
    set("downloadLocation", component.download.as_deref().unwrap_or(NOTHING).into());
    set("filesAnalyzed", false.into());
    if let Some(homepage) = &component.homepage {
        set("homepage", homepage.clone().into());
    }
    if let Some(note) = &component.note {
        set("sourceInfo", note.clone().into());
    }
    if let Some(sha256) = &component.sha256 {
        set("checksums", json!([{"algorithm": "SHA256", "checksumValue": sha256}]));
    }
    let license = match &component.license {
        Some(License::Expression(expression)) => expression.clone(),
        Some(License::Other(text)) => License::reference(text),
        None => NOTHING.to_owned(),
    };
    set("licenseConcluded", NOTHING.into());
    set("licenseDeclared", license.into());
    set("copyrightText", NOTHING.into());
    let purpose = match component.kind {
        Kind::Image => "CONTAINER",
        Kind::Application => "APPLICATION",
        Kind::Library | Kind::System => "LIBRARY",
    };
    set("primaryPackagePurpose", purpose.into());
    let purl = component.purl.iter().map(|purl| reference("PACKAGE-MANAGER", "purl", purl));
    let cpe = component.cpe.iter().map(|cpe| reference("SECURITY", "cpe23Type", cpe));
    let references: Vec<Value> = purl.chain(cpe).collect();
    if !references.is_empty() {
        set("externalRefs", references.into());
    }
    Value::Object(package)
}

fn reference(category: &str, kind: &str, locator: &str) -> Value {
    json!({
        "referenceCategory": category,
        "referenceType": kind,
        "referenceLocator": locator,
    })
}

fn related(component: &Component, how: Relation, other: &Component) -> Value {
    let (own, other) = (id(component), id(other));
    match how {
        Relation::Contains => relationship(&own, "CONTAINS", &other),
        Relation::BuiltOn => relationship(&own, "DESCENDANT_OF", &other),
        Relation::DependsOn => relationship(&own, "DEPENDS_ON", &other),
        Relation::Links => relationship(&own, "STATIC_LINK", &other),
        Relation::BuiltWith => relationship(&other, "BUILD_DEPENDENCY_OF", &own),
    }
}

fn relationship(from: &str, how: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": how, "relatedSpdxElement": to})
}

/// The licences that SPDX does not list, with their texts.
fn extracted(bill: &Bill) -> Vec<Value> {
    let texts: BTreeMap<String, &String> = bill
        .components
        .iter()
        .filter_map(|component| match &component.license {
            Some(License::Other(text)) => Some((License::reference(text), text)),
            _ => None,
        })
        .collect();
    let entry = |(id, text): (String, &String)| json!({"licenseId": id, "extractedText": text, "name": text});
    texts.into_iter().map(entry).collect()
}
