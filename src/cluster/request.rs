//! What is asked of an API server, as values: which method, which path, which body.

use http::Method;
use serde_json::Value;

use super::kind::Kind;

/// A request that has not been sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    pub(super) body: Option<Body>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Request {
    /// Whether sending it twice does what sending it once does.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method != Method::POST
    }
}

/// How a write is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write<'a> {
    pub(super) manager: &'a str,
    pub(super) dry_run: bool,
    pub(super) force: bool,
}

/// How many objects one answer of a list holds.
const PAGE: usize = 500;

fn plain(method: Method, path: String) -> Request {
    Request { method, path, body: None }
}

/// Anything at a path.
pub(super) fn get_path(path: impl Into<String>) -> Request {
    plain(Method::GET, path.into())
}

/// One object.
pub(super) fn get(kind: &Kind, namespace: Option<&str>, name: &str) -> Request {
    get_path(kind.path(namespace, Some(name)))
}

/// A page of the objects of a kind, from where the last one ended.
pub(super) fn list(kind: &Kind, namespace: Option<&str>, from: Option<&str>) -> Request {
    get_path(page(kind.path(namespace, None), PAGE, from))
}

/// The first of the objects of a kind that have these labels.
pub(super) fn select(kind: &Kind, namespace: Option<&str>, selector: &str) -> Request {
    let path = page(kind.path(namespace, None), PAGE, None);
    get_path(format!("{path}&labelSelector={}", encoded(selector)))
}

/// The warnings of a namespace's events.
pub(super) fn warnings(namespace: &str) -> Request {
    let namespace = encoded(namespace);
    get_path(format!(
        "/api/v1/namespaces/{namespace}/events?limit=500&fieldSelector=type%3DWarning"
    ))
}

/// A list's path with its page.
pub(super) fn page(path: String, limit: usize, from: Option<&str>) -> String {
    let from = from.map_or_else(String::new, |from| format!("&continue={}", encoded(from)));
    format!("{path}?limit={limit}{from}")
}

/// A server-side apply.
pub(super) fn apply(
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    object: &Value,
    write: Write<'_>,
) -> Request {
    let force = if write.force { "&force=true" } else { "" };
    let path = kind.path(namespace, Some(name));
    // JSON is YAML, and this is the one type that every server that can apply knows.
    let body = Body { content_type: "application/apply-patch+yaml", bytes: as_yaml(object).into() };
    Request {
        method: Method::PATCH,
        path: format!("{path}?{}{force}", written(write)),
        body: Some(body),
    }
}

/// A value in JSON that means the same to the servers' YAML 1.1, which folds some characters as ends of
/// lines and takes others for no text at all. They stand in strings alone, so each is escaped; those
/// past U+FFFF stay, for YAML has no pairs of escapes.
fn as_yaml(object: &Value) -> String {
    use std::fmt::Write as _;
    let is_odd = |c: char| {
        matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    let json = object.to_string();
    let mut yaml = String::with_capacity(json.len());
    let mut copied = 0;
    for (at, odd) in json.match_indices(is_odd) {
        yaml.push_str(&json[copied..at]);
        for c in odd.chars() {
            let _ = write!(yaml, "\\u{:04x}", u32::from(c));
        }
        copied = at + odd.len();
    }
    yaml.push_str(&json[copied..]);
    yaml
}

/// A JSON patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)).
pub(super) fn json_patch(
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    patch: &Value,
    manager: &str,
) -> Request {
    let path = kind.path(namespace, Some(name));
    let body =
        Body { content_type: "application/json-patch+json", bytes: patch.to_string().into() };
    Request {
        method: Method::PATCH,
        path: format!("{path}?fieldManager={}", encoded(manager)),
        body: Some(body),
    }
}

/// A new object.
pub(super) fn create(
    kind: &Kind,
    namespace: Option<&str>,
    object: &Value,
    write: Write<'_>,
) -> Request {
    let body = Body { content_type: "application/json", bytes: object.to_string().into() };
    Request {
        method: Method::POST,
        path: format!("{}?{}", kind.path(namespace, None), written(write)),
        body: Some(body),
    }
}

/// An object's end, its dependents after it.
pub(super) fn delete(kind: &Kind, namespace: Option<&str>, name: &str, dry_run: bool) -> Request {
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let path = kind.path(namespace, Some(name));
    plain(Method::DELETE, format!("{path}?propagationPolicy=Background{dry_run}"))
}

fn written(write: Write<'_>) -> String {
    let dry_run = if write.dry_run { "&dryRun=All" } else { "" };
    format!("fieldManager={}&fieldValidation=Strict{dry_run}", encoded(write.manager))
}

/// A text as one segment of a path or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_group_version_namespace_and_plural() {
        let deployment = Kind::namespaced("apps", "v1", "Deployment", "deployments");
        let request = get(&deployment, Some("shop"), "a:b/c");
        assert_eq!(request.path, "/apis/apps/v1/namespaces/shop/deployments/a%3Ab%2Fc");
        let namespace = Kind::cluster("", "v1", "Namespace", "namespaces");
        assert_eq!(get(&namespace, Some("x"), "shop").path, "/api/v1/namespaces/shop");
        assert_eq!(
            list(&deployment, Some("shop"), Some("a=")).path,
            "/apis/apps/v1/namespaces/shop/deployments?limit=500&continue=a%3D"
        );
    }

    #[test]
    fn a_write_names_its_manager_and_is_validated_strictly() {
        let kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let write = Write { manager: "ko-rs", dry_run: true, force: true };
        let request = apply(&kind, Some("default"), "a", &Value::Null, write);
        assert_eq!(
            request.path,
            "/api/v1/namespaces/default/configmaps/a\
             ?fieldManager=ko-rs&fieldValidation=Strict&dryRun=All&force=true"
        );
        assert!(request.is_repeatable());
        assert!(!create(&kind, Some("default"), &Value::Null, write).is_repeatable());
    }

    #[test]
    fn what_yaml_would_change_is_escaped_in_what_is_applied() {
        let text = "\u{7f}\u{85}\u{9f}\u{a0}\u{2028} \u{2029}\u{feff}\u{fffe}\u{ffff}é😀\n\u{1}";
        let object = serde_json::json!({"a\u{2028}": text});
        let kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let write = Write { manager: "ko-rs", dry_run: false, force: false };
        let body = apply(&kind, None, "a", &object, write).body.unwrap();
        let sent = String::from_utf8(body.bytes).unwrap();
        assert_eq!(
            sent,
            "{\"a\\u2028\":\"\\u007f\\u0085\\u009f\u{a0}\\u2028 \\u2029\\ufeff\\ufffe\\uffff\
             é😀\\n\\u0001\"}"
        );
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), object);
    }
}
