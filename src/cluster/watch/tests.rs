use std::pin::pin;

use futures_util::StreamExt as _;
use serde_json::json;

use super::super::kind::Kind;
use super::super::mock::{client_of, json, watched};
use super::*;

fn pods() -> Collection {
    let kind = Kind::namespaced("", "v1", "Pod", "pods");
    Collection { kind, namespace: Some("shop".to_owned()), name: None }
}

fn pod(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": version.to_string()}})
}

fn list(names: &[&str], version: u32) -> Value {
    let items: Vec<Value> = names.iter().map(|name| pod(name, version)).collect();
    json!({"metadata": {"resourceVersion": version.to_string()}, "items": items})
}

fn change(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

#[tokio::test]
async fn a_watch_lists_all_objects_and_is_resumed_from_the_last_bookmark() {
    let (client, seen, _events) = client_of(|_, _, before| match before {
        0 => json(200, &list(&["a"], 5)),
        1 => watched(&[
            change("ADDED", &pod("b", 6)),
            change("BOOKMARK", &json!({"metadata": {"resourceVersion": "9"}})),
        ]),
        _ => watched(&[change("DELETED", &pod("b", 10))]),
    })
    .await;
    let updates: Vec<Update> =
        watch(&client, pods()).take(3).map(Result::unwrap).collect::<Vec<_>>().await;
    let expected = [
        Update::Listed(vec![pod("a", 5)]),
        Update::Changed(pod("b", 6)),
        Update::Deleted(pod("b", 10)),
    ];
    assert_eq!(updates, expected);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], "GET /api/v1/namespaces/shop/pods?limit=500");
    assert!(seen[1].contains("watch=true") && seen[1].ends_with("&resourceVersion=5"), "{seen:?}");
    assert!(seen[2].ends_with("&resourceVersion=9"), "{seen:?}");
}

/// A server forgets old changes, and says so by a status or by an event.
#[tokio::test]
async fn objects_are_listed_again_if_their_changes_have_expired() {
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    let (client, _seen, _events) = client_of(move |_, _, before| match before {
        0 => json(200, &list(&["a"], 5)),
        1 => watched(&[change("ERROR", &expired)]),
        2 => json(200, &list(&["b"], 8)),
        3 => json(410, &expired),
        _ => json(200, &list(&["c"], 9)),
    })
    .await;
    let updates: Vec<Update> =
        watch(&client, pods()).take(3).map(Result::unwrap).collect::<Vec<_>>().await;
    let listed = |name, version| Update::Listed(vec![pod(name, version)]);
    assert_eq!(updates, [listed("a", 5), listed("b", 8), listed("c", 9)]);
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let (client, seen, _events) = client_of(|_, path, _| {
        if path.ends_with("&continue=next") {
            return json(200, &list(&["b"], 5));
        }
        let mut page = list(&["a"], 5);
        page["metadata"]["continue"] = json!("next");
        json(200, &page)
    })
    .await;
    let mut updates = pin!(watch(&client, pods()));
    let first = updates.next().await.unwrap().unwrap();
    assert_eq!(first, Update::Listed(vec![pod("a", 5), pod("b", 5)]));
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_watch_that_is_forbidden_or_malformed_ends() {
    let forbidden = json!({"reason": "Forbidden", "message": "no"});
    let (client, seen, _events) = client_of(move |_, _, _| json(403, &forbidden)).await;
    let updates: Vec<_> = watch(&client, pods()).collect().await;
    assert!(updates.len() == 1 && updates[0].as_ref().unwrap_err().refusal().is_some());
    assert_eq!(seen.lock().unwrap().len(), 1);

    let (client, _seen, _events) = client_of(|_, _, before| match before {
        0 => json(200, &list(&[], 5)),
        _ => watched(&[json!("x")]),
    })
    .await;
    let updates: Vec<_> = watch(&client, pods()).collect().await;
    assert!(matches!(updates[1], Err(RequestError::Malformed { .. })), "{updates:?}");
}
