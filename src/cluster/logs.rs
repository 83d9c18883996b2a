//! The logs of all containers of workloads, in one stream: pods that are replaced and containers that
//! restart are followed, and no line is lost or repeated when a log must be opened again.
//!
//! The kubelet cannot continue a log where an earlier request ended. Logs are therefore read with
//! timestamps, and opened again from the last one, whose lines that were already shown are skipped.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::client::{Client, RequestError};
use super::connection::Cluster;
use super::error::Error;
use super::object::uid;
use super::readiness::condition;
use super::request::{self, LogQuery};
use super::watch::{Update, watch};
use super::workload::{Workload, name, pods_of};

/// Which lines of logs are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether new lines, pods and restarts are followed.
    pub follow: bool,
    /// The number of last lines of each container that exists at the beginning.
    pub tail: Option<u64>,
    /// Only this container of each pod.
    pub container: Option<String>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogLine {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// When it was written, in RFC 3339.
    pub time: String,
    /// The line; invalid UTF-8 is replaced.
    pub line: String,
}

/// The pause before a log is opened again that ended or broke while its container runs.
const PAUSE: Duration = Duration::from_millis(500);
/// The length from which on a line without an end is shown in parts.
const LINE: usize = 1 << 20;

/// A container of a pod: its UID and name.
type Key = (String, String);

/// A container whose log is read.
#[derive(Debug, Default)]
struct Followed {
    pod: String,
    namespace: String,
    /// The instance that runs or ran last, and the one before.
    instance: String,
    previous: Option<String>,
    is_running: bool,
    /// The instance whose log was opened last.
    opened: Option<String>,
    is_open: bool,
    /// The time of the last line, and how many lines had it.
    last: Option<(String, usize)>,
    /// How many lines of that time the log that is being read has repeated so far.
    repeated: usize,
    is_gone: bool,
}

/// What the loop does next.
enum Next {
    Line(Key, String),
    Ended(Key, Result<(), RequestError>),
    Pods(Update),
}

impl Cluster {
    /// Passes on the lines of all containers until `show` breaks, or until there are no more.
    ///
    /// # Errors
    /// If pods cannot be listed or watched, or a log cannot be read.
    pub async fn logs_of(
        &self,
        workloads: &[Workload],
        options: &LogOptions,
        mut show: impl FnMut(LogLine) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut namespaces: Vec<_> =
            workloads.iter().map(|workload| workload.id.namespace.as_deref()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let watches = namespaces.iter().map(|it| watch(&self.client, pods_of(*it)).boxed());
        let mut watches = stream::select_all(watches);
        let mut unlisted = namespaces.len();
        let (sender, mut lines) = mpsc::channel(256);
        let mut readers = FuturesUnordered::new();
        let mut followed: BTreeMap<Key, Followed> = BTreeMap::new();
        let mut tail = options.tail;
        loop {
            let is_idle = unlisted == 0 && readers.is_empty() && lines.is_empty();
            let may_end = is_idle && (!options.follow || is_over(workloads, &followed));
            if may_end && (!options.follow || self.are_complete(workloads).await?) {
                return Ok(());
            }
            let next = tokio::select! {
                biased;
                Some((key, line)) = lines.recv() => Next::Line(key, line),
                Some((key, ended)) = readers.next() => Next::Ended(key, ended),
                Some(update) = watches.next(), if options.follow || unlisted > 0 => {
                    Next::Pods(update.map_err(failed("watch the pods"))?)
                }
                // A Job that is not complete may create another pod, or become complete.
                () = tokio::time::sleep(PAUSE), if may_end => continue,
            };
            match next {
                Next::Line(key, line) => {
                    let Some(container) = followed.get_mut(&key) else { continue };
                    if let Some(line) = container.accept(&key.1, &line)
                        && show(line).is_break()
                    {
                        return Ok(());
                    }
                }
                Next::Ended(key, ended) => {
                    let Some(container) = followed.get_mut(&key) else { continue };
                    container.is_open = false;
                    match ended {
                        Err(error) if !error.is_transient() && error.refusal().is_none() => {
                            return Err(failed("read a log")(error));
                        }
                        Err(error) if error.refusal().is_some_and(|it| it.is_forbidden()) => {
                            return Err(failed("read a log")(error));
                        }
                        // What broke is opened again, and so is what ended too early.
                        Err(_) if options.follow && !container.is_gone => container.opened = None,
                        Ok(()) if options.follow && container.is_running => container.opened = None,
                        Ok(()) | Err(_) => {}
                    }
                    if container.is_due() {
                        let queries = container.open(options.follow, None);
                        readers.push(read(&self.client, key, container, queries, PAUSE, &sender));
                    }
                }
                Next::Pods(update) => {
                    unlisted = unlisted.saturating_sub(1);
                    note(update, workloads, options, &mut followed);
                    for (key, container) in &mut followed {
                        if container.is_due() {
                            let queries = container.open(options.follow, tail);
                            let pause = Duration::ZERO;
                            let key = key.clone();
                            readers.push(read(
                                &self.client,
                                key,
                                container,
                                queries,
                                pause,
                                &sender,
                            ));
                        }
                    }
                    if unlisted == 0 {
                        tail = None;
                    }
                }
            }
        }
    }
}

impl Cluster {
    /// Whether no Job is going to create more pods.
    async fn are_complete(&self, workloads: &[Workload]) -> Result<bool, Error> {
        for workload in workloads.iter().filter(|workload| workload.id.kind.is("batch", "Job")) {
            let live = self.read(&workload.id).await?;
            let is_true = |job, name| condition(job, name).is_some_and(|it| it.is_true());
            let is_complete = |job| is_true(job, "Complete") || is_true(job, "Failed");
            if live.object().is_some_and(|job| !is_complete(job)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn failed(doing: &str) -> impl Fn(RequestError) -> Error {
    let doing = doing.to_owned();
    move |source| Error::Request { doing: doing.clone(), source }
}

/// Whether there is nothing left to follow: Jobs and pods that are complete.
fn is_over(workloads: &[Workload], followed: &BTreeMap<Key, Followed>) -> bool {
    workloads.iter().all(Workload::is_finite)
        && !followed.is_empty()
        && followed.values().all(|container| container.is_gone)
}

/// Takes in what became of the pods.
fn note(
    update: Update,
    workloads: &[Workload],
    options: &LogOptions,
    followed: &mut BTreeMap<Key, Followed>,
) {
    let mut note = |pod: &Value, is_deleted: bool| {
        if !workloads.iter().any(|workload| workload.has(pod)) {
            return;
        }
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let phase = text(pod, "/status/phase");
        for status in statuses(pod) {
            let container = text(status, "/name");
            if options.container.as_ref().is_some_and(|only| *only != container) {
                continue;
            }
            let Some(uid) = uid(pod) else { continue };
            let it = followed.entry((uid.to_owned(), container)).or_default();
            it.pod = name(pod).to_owned();
            it.namespace = text(pod, "/metadata/namespace");
            it.instance = text(status, "/containerID");
            let previous = text(status, "/lastState/terminated/containerID");
            it.previous = (!previous.is_empty() && previous != it.instance).then_some(previous);
            it.is_running = status.pointer("/state/running").is_some() && !is_deleted;
            it.is_gone = is_deleted || matches!(phase.as_str(), "Succeeded" | "Failed");
        }
    };
    match update {
        Update::Listed(pods) => pods.iter().for_each(|pod| note(pod, false)),
        Update::Changed(pod) => note(&pod, false),
        Update::Deleted(pod) => note(&pod, true),
    }
}

/// The states of all containers of a pod, in the order in which they start.
fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let kinds = ["init", "", "ephemeral"].map(|kind| match kind {
        "" => "/status/containerStatuses".to_owned(),
        kind => format!("/status/{kind}ContainerStatuses"),
    });
    kinds.into_iter().flat_map(|kind| pod.pointer(&kind).and_then(Value::as_array)).flatten()
}

impl Followed {
    /// Whether there is an instance whose log has not been opened.
    fn is_due(&self) -> bool {
        let is_new = self.opened.as_deref() != Some(self.instance.as_str());
        !self.is_open && !self.instance.is_empty() && is_new
    }

    /// What must be read: the instance before the current one, unless its log was read to the end,
    /// and the current one.
    fn open(&mut self, follow: bool, tail: Option<u64>) -> Vec<LogQuery> {
        let since = self.last.as_ref().map(|(time, _)| time.clone());
        let is_missing = tail.is_none() && self.previous.is_some();
        let previous = LogQuery { previous: true, since: since.clone(), ..LogQuery::default() };
        let current = LogQuery { follow, since, tail, ..LogQuery::default() };
        self.opened = Some(self.instance.clone());
        self.is_open = true;
        self.repeated = 0;
        is_missing.then_some(previous).into_iter().chain([current]).collect()
    }

    /// A line with its time, unless it was shown before.
    fn accept(&mut self, container: &str, line: &str) -> Option<LogLine> {
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        // The kubelet's own messages, as about an instance that no longer exists, have no time.
        if time.parse::<jiff::Timestamp>().is_err() {
            return None;
        }
        match &mut self.last {
            Some((last, _)) if time < last.as_str() => return None,
            Some((last, count)) if time == last => {
                self.repeated += 1;
                if self.repeated <= *count {
                    return None;
                }
                *count = self.repeated;
            }
            last => {
                *last = Some((time.to_owned(), 1));
                self.repeated = 1;
            }
        }
        Some(LogLine {
            pod: self.pod.clone(),
            container: container.to_owned(),
            time: time.to_owned(),
            line: text.to_owned(),
        })
    }
}

/// Reads logs of a container one after another, line by line.
fn read<'a>(
    client: &'a Client,
    key: Key,
    container: &Followed,
    queries: Vec<LogQuery>,
    pause: Duration,
    lines: &mpsc::Sender<(Key, String)>,
) -> impl Future<Output = (Key, Result<(), RequestError>)> + use<'a> {
    let (namespace, pod, lines) =
        (container.namespace.clone(), container.pod.clone(), lines.clone());
    async move {
        tokio::time::sleep(pause).await;
        for query in queries {
            let request = request::log_lines(&namespace, &pod, &key.1, &query);
            let read = read_one(client, &request, &key, &lines).await;
            match read {
                // The kubelet may have removed the instance before the current one.
                Err(error) if query.previous && error.refusal().is_some() => {}
                Err(error) => return (key, Err(error)),
                Ok(()) => {}
            }
        }
        (key, Ok(()))
    }
}

async fn read_one(
    client: &Client,
    request: &request::Request,
    key: &Key,
    lines: &mpsc::Sender<(Key, String)>,
) -> Result<(), RequestError> {
    let mut log = pin!(client.stream(request).await?);
    let mut buffer = BytesMut::new();
    loop {
        let bytes = log.next().await?;
        let is_end = bytes.is_none();
        buffer.extend_from_slice(&bytes.unwrap_or_default());
        loop {
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let is_rest = end.is_none() && !buffer.is_empty() && (is_end || buffer.len() > LINE);
            let Some(end) = end.or(is_rest.then_some(buffer.len())) else { break };
            let line = buffer.split_to((end + 1).min(buffer.len()));
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']).to_owned();
            // The receiver is gone if nobody wants more lines.
            if lines.send((key.clone(), line)).await.is_err() {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_that_were_shown_before_are_skipped_when_a_log_is_opened_again() {
        let mut container = Followed::default();
        let accept =
            |container: &mut Followed, line| container.accept("main", line).map(|line| line.line);
        for line in [
            "2026-01-01T00:00:01.000000000Z a",
            "2026-01-01T00:00:02.000000000Z b",
            "2026-01-01T00:00:02.000000000Z c",
        ] {
            assert!(accept(&mut container, line).is_some());
        }
        let queries = container.open(true, None);
        assert_eq!(queries[0].since.as_deref(), Some("2026-01-01T00:00:02.000000000Z"));
        let again: Vec<_> = [
            "2026-01-01T00:00:01.000000000Z a",
            "2026-01-01T00:00:02.000000000Z b",
            "2026-01-01T00:00:02.000000000Z c",
            "2026-01-01T00:00:02.000000000Z d",
            "2026-01-01T00:00:03.000000000Z e",
        ]
        .into_iter()
        .filter_map(|line| accept(&mut container, line))
        .collect();
        assert_eq!(again, ["d", "e"]);
        let message = "unable to retrieve container logs for containerd://1";
        assert_eq!(accept(&mut container, message), None);
    }

    #[test]
    fn a_restarted_container_is_read_with_the_instance_before() {
        let mut container =
            Followed { instance: "2".into(), previous: Some("1".into()), ..Followed::default() };
        assert!(container.is_due());
        let queries = container.open(true, None);
        assert_eq!(queries.iter().map(|query| query.previous).collect::<Vec<_>>(), [true, false]);
        container.is_open = false;
        assert!(!container.is_due());
        container.instance = "3".into();
        assert!(container.is_due());
    }

    #[test]
    fn all_containers_of_a_pod_have_logs() {
        let pod = json!({"status": {"initContainerStatuses": [{"name": "a"}],
            "containerStatuses": [{"name": "b"}, {"name": "c"}]}});
        let names: Vec<_> = statuses(&pod).map(|status| status["name"].clone()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
