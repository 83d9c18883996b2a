//! What `ko-rs dev` does beside its loop: prints the logs of all pods, and forwards the ports of
//! Services.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::watch::Receiver;

use super::context::Context;
use super::exit::Failure;
use super::logs;
use crate::cluster::{Forwarding, LogOptions, PortMapping, WorkloadName};
use crate::dev::Shown;
use crate::manifests::Object;
use crate::pipeline::{self, Session};
use crate::report::{Event, Reporter};

/// The pause before logs or forwards that ended are begun again.
const AGAIN: Duration = Duration::from_secs(2);

/// Prints the new lines of all pods, and all lines of new pods, as long as the loop runs.
pub(super) async fn follow(mut shown: Receiver<Option<Shown>>, context: &Context) {
    loop {
        let now = shown.borrow_and_update().clone();
        tokio::select! {
            () = print(now, context) => {}
            changed = shown.changed() => if changed.is_err() { return },
        }
    }
}

async fn print(shown: Option<Shown>, context: &Context) {
    let Some(Shown { session, objects }) = shown else { return std::future::pending().await };
    loop {
        if let Err(failure) = print_once(&session, objects.clone(), context).await {
            let (diagnostics, _) = failure.end();
            let messages = diagnostics.into_iter().map(|found| found.message);
            messages.for_each(|message| context.report.detail(message));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn print_once(
    session: &Session,
    objects: Vec<Object>,
    context: &Context,
) -> Result<(), Failure> {
    let workloads = session.cluster().await?.workloads(objects).await;
    let workloads = workloads.map_err(pipeline::Error::Cluster)?;
    if workloads.is_empty() {
        return std::future::pending().await;
    }
    let options = LogOptions { follow: true, tail: Some(0), container: None };
    logs::print(session, &workloads, &options, false, context).await
}

/// The local ports of Services, which are kept when the set changes.
#[derive(Debug, Default)]
pub(super) struct LocalPorts(Mutex<BTreeMap<(String, u16), u16>>);

impl LocalPorts {
    fn get(&self, service: &str, port: u16) -> u16 {
        let key = (service.to_owned(), port);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied().unwrap_or(0)
    }

    fn set(&self, service: &str, port: u16, local: u16) -> bool {
        let key = (service.to_owned(), port);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, local) != Some(local)
    }

    /// The variables by which a command finds the ports: `KO_RS_FORWARD_LINK_MANAGER_80`.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let variable = |((service, port), local): (&(String, u16), &u16)| {
            let name: String = service
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect();
            (format!("KO_RS_FORWARD_{name}_{port}"), format!("127.0.0.1:{local}"))
        };
        known.iter().map(variable).collect()
    }
}

/// Forwards a local port to each port of each Service, as long as the loop runs.
pub(super) async fn forward(
    mut shown: Receiver<Option<Shown>>,
    local: &LocalPorts,
    report: &Reporter,
) {
    loop {
        let now = shown.borrow_and_update().clone();
        let all = async {
            let Some(Shown { session, objects }) = &now else {
                return std::future::pending().await;
            };
            join_all(services(objects).map(|(name, ports)| async move {
                loop {
                    // It may have no ready pod yet.
                    if let Ok(forwarding) = listen(session, &name, &ports, local, report).await {
                        forwarding.forward().await;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }))
            .await;
            // There is no Service.
            std::future::pending().await
        };
        tokio::select! {
            () = all => {}
            changed = shown.changed() => if changed.is_err() { return },
        }
    }
}

/// Listens for all Services, which have ready pods.
pub(super) async fn listen_for_all<'a>(
    shown: &'a Shown,
    local: &LocalPorts,
    report: &Reporter,
) -> Result<Vec<Forwarding<'a>>, Failure> {
    let mut forwardings = Vec::new();
    for (name, ports) in services(&shown.objects) {
        forwardings.push(listen(&shown.session, &name, &ports, local, report).await?);
    }
    Ok(forwardings)
}

async fn listen<'a>(
    session: &'a Session,
    service: &str,
    ports: &[u16],
    local: &LocalPorts,
    report: &Reporter,
) -> Result<Forwarding<'a>, pipeline::Error> {
    let name = format!("svc/{service}").parse::<WorkloadName>();
    let mappings = ports.iter().map(|&port| format!("{}:{port}", local.get(service, port)).parse());
    let mappings: Vec<PortMapping> = mappings.filter_map(Result::ok).collect();
    let Ok(name) = name else { return std::future::pending().await };
    let forwarding = session.listen(&name, &mappings).await?;
    for (forwarded, &port) in forwarding.forwarded.iter().zip(ports) {
        let Some(address) = forwarded.addresses.first() else { continue };
        if local.set(service, port, address.port()) {
            let (address, target) = (format!("http://{address}"), format!("service/{service}"));
            report.send(Event::Forwarding { address, target, port });
        }
    }
    Ok(forwarding)
}

/// The Services that select pods, each with its ports. Those without a port of TCP have none.
fn services(objects: &[Object]) -> impl Iterator<Item = (String, Vec<u16>)> {
    objects.iter().filter(|object| object.kind() == Some("Service")).filter_map(|object| {
        object.value.pointer("/spec/selector")?;
        let ports = object.value.pointer("/spec/ports")?.as_array()?;
        let is_tcp = |port: &&Value| port["protocol"].as_str().is_none_or(|it| it == "TCP");
        let number = |port: &Value| u16::try_from(port["port"].as_u64()?).ok();
        let ports: Vec<u16> = ports.iter().filter(is_tcp).filter_map(number).collect();
        (!ports.is_empty()).then(|| (object.name().unwrap_or_default().to_owned(), ports))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_port_of_a_service_with_pods_has_a_variable() {
        let service = |name: &str, spec: Value| Object {
            value: json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}),
            place: String::new(),
        };
        let ports = json!([{"port": 80}, {"port": 53, "protocol": "UDP"}, {"port": 9090}]);
        let objects = [
            service("link-manager", json!({"selector": {"a": "b"}, "ports": ports})),
            service("external", json!({"ports": ports})),
        ];
        let found: Vec<_> = services(&objects).collect();
        assert_eq!(found, [("link-manager".to_owned(), vec![80, 9090])]);
        let local = LocalPorts::default();
        assert!(local.set("link-manager", 80, 40001) && !local.set("link-manager", 80, 40001));
        let variable = ("KO_RS_FORWARD_LINK_MANAGER_80".to_owned(), "127.0.0.1:40001".to_owned());
        assert_eq!(local.variables(), [variable]);
    }
}
