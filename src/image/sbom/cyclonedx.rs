//! An SBOM as [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/) in JSON.

use serde_json::{Map, Value, json};

use super::bill::Bill;
use super::component::{Component, Kind};
use super::license::License;
use crate::oci::Digest;

/// The document. Its serial number is derived from its other contents.
pub(super) fn document(bill: &Bill) -> Value {
    let components: Vec<Value> = bill.components.iter().skip(1).map(component).collect();
    let dependencies: Vec<Value> = bill
        .components
        .iter()
        .enumerate()
        .map(|(place, component)| {
            let mut needs: Vec<&str> =
                bill.related(place).map(|(_, other)| other.id.as_str()).collect();
            needs.sort_unstable();
            needs.dedup();
            json!({"ref": component.id, "dependsOn": needs})
        })
        .collect();
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "timestamp": bill.created,
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [
                {"type": "application", "name": "ko-rs", "version": env!("CARGO_PKG_VERSION")},
            ]},
            "component": component(bill.image()),
        },
        "components": components,
        "dependencies": dependencies,
    });
    let serial = serial(&Digest::of(document.to_string().as_bytes()));
    document["serialNumber"] = serial.into();
    document
}

/// A UUID of version 8, with custom bytes ([RFC 9562, 5.8][spec]).
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc9562#section-5.8
fn serial(digest: &Digest) -> String {
    let hex = digest.hex();
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}

fn component(component: &Component) -> Value {
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| {
        fields.insert(key.to_owned(), value);
    };
    let kind = match component.kind {
        Kind::Image => "container",
        Kind::Application => "application",
        Kind::Library | Kind::System => "library",
    };
    set("type", kind.into());
    set("bom-ref", component.id.clone().into());
    set("name", component.name.clone().into());
    if let Some(version) = &component.version {
        set("version", version.clone().into());
    }
    if let Some(note) = &component.note {
        set("description", note.clone().into());
    }
    set("scope", if component.present { "required" } else { "excluded" }.into());
    if let Some(sha256) = &component.sha256 {
        set("hashes", json!([{"alg": "SHA-256", "content": sha256}]));
    }
    match &component.license {
        Some(License::Expression(expression)) => {
            set("licenses", json!([{"expression": expression}]));
        }
        Some(License::Other(text)) => set("licenses", json!([{"license": {"name": text}}])),
        None => {}
    }
    if let Some(cpe) = &component.cpe {
        set("cpe", cpe.clone().into());
    }
    if let Some(purl) = &component.purl {
        set("purl", purl.clone().into());
    }
    let site = component.homepage.iter().map(|url| json!({"type": "website", "url": url}));
    let download = component.download.iter().map(|url| json!({"type": "distribution", "url": url}));
    let references: Vec<Value> = site.chain(download).collect();
    if !references.is_empty() {
        set("externalReferences", references.into());
    }
    Value::Object(fields)
}
