//! Requests to an API server as values: method, path and body.

use http::Method;
use serde_json::Value;

use super::kind::{GroupVersion, Kind};

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
    /// Whether the request is idempotent, so that it can be sent again after a failure.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method != Method::POST
    }
}

/// The parameters that all writes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write<'a> {
    pub(super) manager: &'a str,
    pub(super) dry_run: bool,
    pub(super) force: bool,
}

/// The number of objects in one page of a list.
const PAGE: usize = 500;
/// After how many seconds the server ends a watch, which is then resumed.
pub(super) const WATCH_SECONDS: u64 = 60;

/// All objects of a kind in a namespace, or only the one of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collection {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

impl Collection {
    fn path(&self) -> String {
        path(&self.kind, self.namespace.as_deref(), None)
    }

    fn selector(&self) -> String {
        let name = self.name.as_deref().map(encoded);
        name.map_or_else(String::new, |name| format!("&fieldSelector=metadata.name%3D{name}"))
    }
}

/// The path of a group and version, which lists its kinds.
fn root(GroupVersion { group, version }: &GroupVersion) -> String {
    match group.as_str() {
        "" => format!("/api/{}", encoded(version)),
        group => format!("/apis/{}/{}", encoded(group), encoded(version)),
    }
}

/// The path of the objects of a kind, or of one of them.
fn path(kind: &Kind, namespace: Option<&str>, name: Option<&str>) -> String {
    let namespace = namespace.filter(|_| kind.is_namespaced);
    let namespace =
        namespace.map_or_else(String::new, |name| format!("/namespaces/{}", encoded(name)));
    let name = name.map_or_else(String::new, |name| format!("/{}", encoded(name)));
    format!("{}{namespace}/{}{name}", root(&kind.group_version()), encoded(&kind.plural))
}

fn plain(method: Method, path: String) -> Request {
    Request { method, path, body: None }
}

/// GET of any path.
pub(super) fn get_path(path: impl Into<String>) -> Request {
    plain(Method::GET, path.into())
}

/// The kinds of a group and version.
pub(super) fn kinds(version: &GroupVersion) -> Request {
    get_path(root(version))
}

/// The versions of a group.
pub(super) fn group(name: &str) -> Request {
    get_path(format!("/apis/{}", encoded(name)))
}

/// One object.
pub(super) fn get(kind: &Kind, namespace: Option<&str>, name: &str) -> Request {
    get_path(path(kind, namespace, Some(name)))
}

/// A page of a collection; `from` continues after an earlier page.
pub(super) fn list(collection: &Collection, from: Option<&str>) -> Request {
    get_path(page(collection.path(), PAGE, from) + &collection.selector())
}

/// The changes of a collection since a resource version ([efficient detection of changes][watch]).
///
/// [watch]: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
pub(super) fn watch(collection: &Collection, version: &str) -> Request {
    let (path, selector) = (collection.path(), collection.selector());
    get_path(format!(
        "{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}\
         &resourceVersion={}{selector}",
        encoded(version)
    ))
}

/// The log of a container; `follow` continues until the container ends.
pub(super) fn logs(namespace: &str, pod: &str, container: &str, follow: bool) -> Request {
    let (namespace, pod) = (encoded(namespace), encoded(pod));
    let container = encoded(container);
    get_path(format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&follow={follow}"
    ))
}

/// Which part of a container's log is read; each line begins with its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogQuery {
    /// Continues until the container ends.
    pub(super) follow: bool,
    /// The instance before the last restart.
    pub(super) previous: bool,
    /// A time of a line, from which on lines are read.
    pub(super) since: Option<String>,
    /// The number of last lines.
    pub(super) tail: Option<u64>,
}

/// The log of a container, with times.
pub(super) fn log_lines(namespace: &str, pod: &str, container: &str, query: &LogQuery) -> Request {
    let LogQuery { follow, previous, since, tail } = query;
    let Request { mut path, .. } = logs(namespace, pod, container, *follow);
    path.push_str(&format!("&timestamps=true&previous={previous}"));
    if let Some(since) = since {
        path.push_str(&format!("&sinceTime={}", encoded(since)));
    }
    if let Some(tail) = tail {
        path.push_str(&format!("&tailLines={tail}"));
    }
    get_path(path)
}

/// The events of type `Warning` in a namespace.
pub(super) fn warnings(namespace: &str) -> Request {
    let namespace = encoded(namespace);
    get_path(format!(
        "/api/v1/namespaces/{namespace}/events?limit=500&fieldSelector=type%3DWarning"
    ))
}

/// The path of a page of a list.
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
    let path = path(kind, namespace, Some(name));
    // JSON is YAML, and every server with server-side apply accepts this media type.
    let body = Body { content_type: "application/apply-patch+yaml", bytes: as_yaml(object).into() };
    Request {
        method: Method::PATCH,
        path: format!("{path}?{}{force}", written(write)),
        body: Some(body),
    }
}

/// A value as JSON that the servers' YAML 1.1 parser reads unchanged. YAML folds some characters as
/// line breaks and rejects others, so they are escaped; they occur in strings only. Characters above
/// U+FFFF stay as they are, because YAML has no surrogate pairs.
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
    let path = path(kind, namespace, Some(name));
    let body =
        Body { content_type: "application/json-patch+json", bytes: patch.to_string().into() };
    Request {
        method: Method::PATCH,
        path: format!("{path}?fieldManager={}", encoded(manager)),
        body: Some(body),
    }
}

/// Creates an object.
pub(super) fn create(
    kind: &Kind,
    namespace: Option<&str>,
    object: &Value,
    write: Write<'_>,
) -> Request {
    let body = Body { content_type: "application/json", bytes: object.to_string().into() };
    Request {
        method: Method::POST,
        path: format!("{}?{}", path(kind, namespace, None), written(write)),
        body: Some(body),
    }
}

/// Deletes an object; its dependents are deleted in the background.
pub(super) fn delete(kind: &Kind, namespace: Option<&str>, name: &str, dry_run: bool) -> Request {
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let path = path(kind, namespace, Some(name));
    plain(Method::DELETE, format!("{path}?propagationPolicy=Background{dry_run}"))
}

/// Deletes an object if it is still the one with this uid.
pub(super) fn delete_uid(kind: &Kind, namespace: Option<&str>, name: &str, uid: &str) -> Request {
    let options = serde_json::json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
    });
    let body = Body { content_type: "application/json", bytes: options.to_string().into() };
    Request { body: Some(body), ..delete(kind, namespace, name, false) }
}

fn written(write: Write<'_>) -> String {
    let dry_run = if write.dry_run { "&dryRun=All" } else { "" };
    format!("fieldManager={}&fieldValidation=Strict{dry_run}", encoded(write.manager))
}

/// A text as one path segment or one query value.
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
    fn a_path_consists_of_group_version_namespace_and_plural() {
        let deployment = Kind::namespaced("apps", "v1", "Deployment", "deployments");
        let request = get(&deployment, Some("shop"), "a:b/c");
        assert_eq!(request.path, "/apis/apps/v1/namespaces/shop/deployments/a%3Ab%2Fc");
        let namespace = Kind::cluster("", "v1", "Namespace", "namespaces");
        assert_eq!(get(&namespace, Some("x"), "shop").path, "/api/v1/namespaces/shop");
        let mut all = Collection { kind: deployment, namespace: Some("shop".into()), name: None };
        assert_eq!(
            list(&all, Some("a=")).path,
            "/apis/apps/v1/namespaces/shop/deployments?limit=500&continue=a%3D"
        );
        all.name = Some("a=b".to_owned());
        let path = watch(&all, "12").path;
        let start = "/apis/apps/v1/namespaces/shop/deployments?watch=true&";
        let end = "&resourceVersion=12&fieldSelector=metadata.name%3Da%3Db";
        assert!(path.starts_with(start) && path.ends_with(end), "{path}");
    }

    #[test]
    fn an_api_version_without_a_slash_is_in_the_core_group() {
        assert_eq!(root(&GroupVersion::parse("v1")), "/api/v1");
        assert_eq!(root(&GroupVersion::parse("apps/v1")), "/apis/apps/v1");
        assert_eq!(root(&GroupVersion::parse("a/b/../c")), "/apis/a/b%2F..%2Fc");
    }

    #[test]
    fn a_write_has_a_field_manager_and_strict_validation() {
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
    fn characters_that_yaml_would_change_are_escaped_in_an_apply() {
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
