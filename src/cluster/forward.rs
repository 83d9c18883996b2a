//! Forwards local ports to the newest ready pod of an object, also after that pod was replaced.
//!
//! A pod is chosen for each connection, so that a listener outlives pods.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use serde::Serialize;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::connection::Cluster;
use super::error::Error;
use super::readiness::condition;
use super::workload::{Workload, name};

/// A local port and the port that it is forwarded to: `8080:80`, `:80`, `80`, `8080:http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// The local port; 0 for any, none for the number of the remote one.
    local: Option<u16>,
    remote: RemotePort,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RemotePort {
    Number(u16),
    Name(String),
}

/// Why a text is no port mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected LOCAL:REMOTE, :REMOTE or REMOTE, as in `8080:80`, found `{0}`")]
pub struct InvalidPortMapping(String);

impl FromStr for PortMapping {
    type Err = InvalidPortMapping;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPortMapping(text.to_owned());
        let (local, remote) = match text.split_once(':') {
            Some(("", remote)) => (Some(0), remote),
            Some((local, remote)) => (Some(local.parse().map_err(|_| invalid())?), remote),
            None => (None, text),
        };
        let is_name = remote.len() <= 15
            && remote.contains(|c: char| c.is_ascii_lowercase())
            && remote.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let remote = match remote.parse() {
            Ok(0) => return Err(invalid()),
            Ok(number) => RemotePort::Number(number),
            Err(_) if is_name => RemotePort::Name(remote.to_owned()),
            Err(_) => return Err(invalid()),
        };
        Ok(Self { local, remote })
    }
}

/// A local port that is forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Forwarded {
    /// The local addresses: `127.0.0.1:8080`.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub addresses: Vec<SocketAddr>,
    /// The port of the pod.
    pub port: u16,
}

/// Ports that listen and are not forwarded yet.
#[derive(Debug)]
pub struct Forwarding<'a> {
    cluster: &'a Cluster,
    workload: Workload,
    /// The live object, whose ports a Service maps.
    object: Value,
    listeners: Vec<(TcpListener, RemotePort)>,
    /// What is forwarded, in the order of the mappings.
    pub forwarded: Vec<Forwarded>,
}

/// How long a ready pod is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks for one.
const PAUSE: Duration = Duration::from_millis(500);

impl Cluster {
    /// Listens on local ports for an object, once it has a ready pod.
    ///
    /// # Errors
    /// If no pod becomes ready, a port does not exist, or a local port is in use.
    pub async fn listen(
        &self,
        workload: Workload,
        mappings: &[PortMapping],
    ) -> Result<Forwarding<'_>, Error> {
        let (workload, object) = self.required(workload.id).await?;
        let pod = self.ready_pod(&workload, true).await?;
        let mut forwarding = Forwarding {
            cluster: self,
            workload,
            object,
            listeners: Vec::new(),
            forwarded: Vec::new(),
        };
        for mapping in mappings {
            let port = forwarding.port(&mapping.remote, &pod)?;
            let local = mapping.local.unwrap_or(port);
            let failed = |source| Error::Listen { port: local, source };
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, local)).await.map_err(failed)?;
            let address = first.local_addr().map_err(failed)?;
            let mut addresses = vec![address];
            forwarding.listeners.push((first, mapping.remote.clone()));
            // A machine without IPv6 has one address.
            if let Ok(second) = TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await {
                addresses.extend(second.local_addr());
                forwarding.listeners.push((second, mapping.remote.clone()));
            }
            forwarding.forwarded.push(Forwarded { addresses, port });
        }
        Ok(forwarding)
    }

    /// The newest ready pod of an object.
    async fn ready_pod(&self, workload: &Workload, is_first: bool) -> Result<Value, Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut is_noted = !is_first;
        loop {
            let mut pods = self.pods_of(workload).await?;
            pods.retain(is_ready);
            // Times are RFC 3339 in UTC, so that texts compare like times.
            let created = |pod: &Value| pod.pointer("/metadata/creationTimestamp").cloned();
            let newest = pods.into_iter().max_by_key(|pod| {
                created(pod).and_then(|time| time.as_str().map(str::to_owned)).unwrap_or_default()
            });
            if let Some(newest) = newest {
                return Ok(newest);
            }
            if Instant::now() > deadline {
                return Err(Error::NoReadyPod { object: workload.object() });
            }
            if !std::mem::replace(&mut is_noted, true) {
                let object = workload.object();
                self.client.reporter().note(format!("{object} has no ready pod yet"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.is_true())
        && pod.pointer("/metadata/deletionTimestamp").is_none()
}

impl Forwarding<'_> {
    /// Forwards connections; never returns. A connection that fails is reported, and does not end
    /// others.
    pub async fn forward(&self) {
        let accept = self.listeners.iter().map(|(listener, remote)| {
            stream::repeat(())
                .then(move |()| async move { (listener.accept().await, remote) })
                .boxed_local()
        });
        let mut accepted = stream::select_all(accept);
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some((accepted, remote)) = accepted.next() => match accepted {
                    Ok((connection, _)) => connections.push(self.connect(connection, remote)),
                    // Too many open files, or a connection that was reset before.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Some(done) = connections.next() => {
                    if let Err(error) = done {
                        self.cluster.client.reporter().note(chain(&error));
                    }
                }
            }
        }
    }

    /// Forwards one connection until either side ends it.
    async fn connect(&self, mut connection: TcpStream, remote: &RemotePort) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let (mut forwarder, port) = loop {
            let pod = self.cluster.ready_pod(&self.workload, false).await?;
            let port = self.port(remote, &pod)?;
            let namespace = self.workload.id.namespace.as_deref().unwrap_or_default();
            match self.cluster.port_forward(namespace, name(&pod), &[port]).await {
                Ok(forwarder) => break (forwarder, port),
                // The pod may have been replaced just now.
                Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        };
        let refused = forwarder.take_error(port);
        if let Some(mut remote) = forwarder.take_stream(port) {
            // Either side may break the connection; the program that uses it is told by that.
            let _ = copy_bidirectional(&mut connection, &mut remote).await;
        }
        forwarder.abort();
        let message = match refused {
            Some(refused) => refused.await,
            None => None,
        };
        if let Some(message) = message {
            let (object, message) = (self.workload.object(), message.trim());
            let reporter = self.cluster.client.reporter();
            reporter.note(format!("could not forward to port {port} of {object}: {message}"));
        }
        Ok(())
    }

    /// The port of a pod that a port of the object leads to.
    fn port(&self, remote: &RemotePort, pod: &Value) -> Result<u16, Error> {
        let found = match self.workload.id.kind.is("", "Service") {
            true => self.target(remote, pod),
            false => match remote {
                RemotePort::Number(number) => Some(*number),
                RemotePort::Name(name) => named(pod, name),
            },
        };
        found.ok_or_else(|| Error::NoPort {
            object: self.workload.object(),
            port: match remote {
                RemotePort::Number(number) => number.to_string(),
                RemotePort::Name(name) => name.clone(),
            },
        })
    }

    /// The port of a pod to which a Service sends connections to one of its ports.
    fn target(&self, remote: &RemotePort, pod: &Value) -> Option<u16> {
        let ports = self.object.pointer("/spec/ports")?.as_array()?;
        let port = ports.iter().find(|port| match remote {
            RemotePort::Number(number) => port["port"] == *number,
            RemotePort::Name(name) => port["name"] == *name.as_str(),
        })?;
        match port.get("targetPort") {
            Some(Value::String(name)) => named(pod, name),
            Some(target) => u16::try_from(target.as_u64()?).ok(),
            None => u16::try_from(port.get("port")?.as_u64()?).ok(),
        }
    }
}

/// The container port of a pod with a name.
fn named(pod: &Value, name: &str) -> Option<u16> {
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let ports = containers.iter().filter_map(|it| it.get("ports")?.as_array()).flatten();
    let port = ports.into_iter().find(|port| port["name"] == name)?;
    u16::try_from(port.get("containerPort")?.as_u64()?).ok()
}

/// An error and its causes on one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mappings_are_those_of_kubectl() {
        let mapping = |text: &str| text.parse::<PortMapping>();
        let number = |local, remote| PortMapping { local, remote: RemotePort::Number(remote) };
        assert_eq!(mapping("8080:80"), Ok(number(Some(8080), 80)));
        assert_eq!(mapping(":80"), Ok(number(Some(0), 80)));
        assert_eq!(mapping("80"), Ok(number(None, 80)));
        let named = PortMapping { local: Some(1), remote: RemotePort::Name("http".to_owned()) };
        assert_eq!(mapping("1:http"), Ok(named));
        for text in ["", ":", "8080:", "a:80", "0", "80:0", "70000", "80:70000", "1:HTTP", "1:2:3"]
        {
            assert!(mapping(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_named_port_is_the_one_of_a_container() {
        let pod = json!({"spec": {"containers": [{}, {"ports": [{"name": "http", "containerPort": 80}]}]}});
        assert_eq!(named(&pod, "http"), Some(80));
        assert_eq!(named(&pod, "other"), None);
    }
}
