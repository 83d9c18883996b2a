//! The reason why a pod is not ready, from its status.

use serde_json::Value;

use super::readiness::{Condition, condition};

/// What keeps a pod from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The pod, its container and the reason.
    pub(super) text: String,
    /// Whether waiting is useless, because something has to be changed first.
    pub(super) is_hopeless: bool,
}

/// The number of restarts after which a crashing container is considered hopeless. Some containers
/// crash until another service is up, which should be the case by then, half a minute later.
const RESTARTS: i64 = 3;

/// What keeps a pod from being ready; nothing if it is ready, completed or just starting.
pub(super) fn trouble(pod: &Value) -> Option<Trouble> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let report = |text: String, is_hopeless| {
        Some(Trouble { text: format!("pod {name}: {text}"), is_hopeless })
    };
    if condition(pod, "Ready").is_some_and(|ready| ready.is_true())
        || pod.pointer("/metadata/deletionTimestamp").is_some()
    {
        return None;
    }
    match pod.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => return None,
        Some("Failed") => {
            let text = |key| pod.pointer(key).and_then(Value::as_str).unwrap_or_default();
            let why = Condition {
                status: "",
                reason: text("/status/reason"),
                message: text("/status/message"),
            };
            let ended = containers(pod).find_map(ended);
            let why = ended.unwrap_or_else(|| why.text());
            return report(format!("failed {why}").trim_end().to_owned(), false);
        }
        _ => {}
    }
    let unscheduled = condition(pod, "PodScheduled")
        .filter(|scheduled| scheduled.status == "False")
        .map(|scheduled| scheduled.text());
    if let Some(unscheduled) = unscheduled {
        return report(unscheduled, false);
    }
    let troubles: Vec<_> = containers(pod).filter_map(container).collect();
    let worst = troubles.iter().find(|(_, is_hopeless)| *is_hopeless).or(troubles.first());
    let (text, is_hopeless) = worst?.clone();
    report(text, is_hopeless)
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let statuses = |key: &str| pod.pointer(key).and_then(Value::as_array).into_iter().flatten();
    statuses("/status/initContainerStatuses").chain(statuses("/status/containerStatuses"))
}

fn text<'a>(status: &'a Value, pointer: &str) -> &'a str {
    status.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What keeps a container from being ready, and whether waiting is useless.
fn container(status: &Value) -> Option<(String, bool)> {
    let name = text(status, "/name");
    let image = text(status, "/image");
    let waiting = status.pointer("/state/waiting");
    let reason = text(status, "/state/waiting/reason");
    let message = text(status, "/state/waiting/message");
    let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
    let last = ended(status).map_or_else(String::new, |ended| format!("; last time it {ended}"));
    if waiting.is_some() {
        let is_hopeless = match reason {
            // The first pull may fail temporarily; the kubelet backs off after the second.
            "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "CreateContainerConfigError" => true,
            "CrashLoopBackOff" => restarts >= RESTARTS,
            _ => false,
        };
        let state = match (reason, message) {
            ("" | "ContainerCreating" | "PodInitializing", "") => return None,
            ("ImagePullBackOff" | "ErrImagePull", message) if !message.contains(image) => {
                format!("{reason}: {image}: {message}")
            }
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        };
        return Some((format!("container {name}: {state}{last}"), is_hopeless));
    }
    if status.pointer("/state/terminated").is_some() {
        let code = status.pointer("/state/terminated/exitCode").and_then(Value::as_i64);
        return (code != Some(0)).then(|| {
            (format!("container {name}{}", last.trim_start_matches("; last time it")), false)
        });
    }
    let is_unready = status.get("ready").and_then(Value::as_bool) == Some(false);
    let is_running = status.pointer("/state/running").is_some();
    (is_running && is_unready)
        .then(|| (format!("container {name} is running but not ready{last}"), false))
}

/// How a container terminated the last time, if it did.
fn ended(status: &Value) -> Option<String> {
    let ended = ["/state/terminated", "/lastState/terminated"]
        .into_iter()
        .find_map(|pointer| status.pointer(pointer))?;
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    let reason = text(ended, "/reason");
    let message = text(ended, "/message").trim();
    let message = message.lines().next_back().unwrap_or_default();
    let how = match (reason, code) {
        ("OOMKilled", _) => "ran out of memory".to_owned(),
        (_, 0) => "exited".to_owned(),
        (_, code) => format!("exited with code {code}"),
    };
    Some(if message.is_empty() { how } else { format!("{how}: {message}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: Value) -> Value {
        json!({"metadata": {"name": "a-1"}, "status": status})
    }

    fn of(container: Value) -> Option<Trouble> {
        trouble(&pod(json!({"phase": "Pending", "containerStatuses": [container]})))
    }

    fn report(trouble: Option<Trouble>) -> (String, bool) {
        let trouble = trouble.unwrap();
        (trouble.text, trouble.is_hopeless)
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_hopeless_once_the_kubelet_backs_off() {
        let pull = |reason| {
            of(json!({"name": "web", "image": "localhost:5000/web:1", "ready": false,
                "state": {"waiting": {"reason": reason,
                    "message": "failed to pull localhost:5000/web:1: not found"}}}))
        };
        let text = "failed to pull localhost:5000/web:1: not found";
        assert_eq!(
            report(pull("ImagePullBackOff")),
            (format!("pod a-1: container web: ImagePullBackOff: {text}"), true)
        );
        assert!(!report(pull("ErrImagePull")).1);
    }

    #[test]
    fn a_crash_loop_has_the_exit_code_and_is_hopeless_after_some_restarts() {
        let crash = |restarts: i64| {
            of(json!({"name": "web", "restartCount": restarts, "state": {"waiting":
                {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
                "lastState": {"terminated": {"exitCode": 101, "reason": "Error",
                    "message": "first\nthread 'main' panicked\n"}}}))
        };
        let text = "pod a-1: container web: CrashLoopBackOff: back-off 20s; last time it \
                    exited with code 101: thread 'main' panicked";
        assert_eq!(report(crash(1)), (text.to_owned(), false));
        assert!(report(crash(3)).1);
    }

    #[test]
    fn an_unschedulable_pod_has_the_reason_and_is_not_hopeless() {
        let unscheduled = pod(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled",
            "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}]}));
        let text = "pod a-1: Unschedulable: 0/2 nodes are available";
        assert_eq!(report(trouble(&unscheduled)), (text.to_owned(), false));
    }

    #[test]
    fn a_container_that_is_not_ready_or_ran_out_of_memory_is_reported() {
        let running = of(json!({"name": "web", "ready": false, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}));
        let text =
            "pod a-1: container web is running but not ready; last time it ran out of memory";
        assert_eq!(report(running), (text.to_owned(), false));
        let ended = of(json!({"name": "web", "state": {"terminated": {"exitCode": 3}}}));
        assert_eq!(report(ended).0, "pod a-1: container web exited with code 3");
        let failed = pod(json!({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}));
        assert_eq!(report(trouble(&failed)).0, "pod a-1: failed Evicted: low on disk");
    }

    #[test]
    fn a_pod_that_is_starting_ready_or_terminating_has_no_trouble() {
        let creating =
            json!({"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}});
        assert_eq!(of(creating), None);
        let ready =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(trouble(&pod(ready)), None);
        assert_eq!(trouble(&json!({"metadata": {"deletionTimestamp": "x"}})), None);
        assert_eq!(trouble(&json!([])), None);
    }
}
