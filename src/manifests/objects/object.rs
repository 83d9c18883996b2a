//! A Kubernetes object as a manifest states it.

use serde_json::Value;

/// An object to be applied, created or deleted, and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The object, an item of a `List` on its own.
    pub value: Value,
    /// Where it starts: `name:line:column`.
    pub place: String,
}

impl Object {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// `apiVersion`: `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> Option<&str> {
        self.text("/apiVersion")
    }

    /// `kind`: `Deployment`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.text("/kind")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, where the manifest states one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace")
    }
}
