//! What is looked at in a cluster without changing it. Nothing is built.

use std::ops::ControlFlow;

use super::error::Error;
use super::session::Session;
use crate::cluster::{Forwarding, LogLine, LogOptions, PortMapping, Workload, WorkloadName};
use crate::manifests::Manifests;

impl Session {
    /// The objects with pods of these names.
    pub(crate) async fn named_workloads(
        &self,
        names: &[WorkloadName],
    ) -> Result<Vec<Workload>, Error> {
        let cluster = self.cluster().await?;
        let mut found = Vec::new();
        for name in names {
            found.push(cluster.workload(name).await.map_err(Error::Cluster)?);
        }
        Ok(found)
    }

    /// The objects with pods of manifests.
    pub(crate) async fn workloads(&self, manifests: &Manifests) -> Result<Vec<Workload>, Error> {
        let cluster = self.cluster().await?;
        let objects = manifests.objects_as_written().map_err(Error::Manifests)?;
        cluster.workloads(objects).await.map_err(Error::Cluster)
    }

    /// Passes on the logs of objects until `show` breaks, or until there are no more lines.
    pub(crate) async fn logs(
        &self,
        workloads: &[Workload],
        options: &LogOptions,
        show: impl FnMut(LogLine) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let logs = self.cluster().await?.logs_of(workloads, options, show);
        logs.await.map_err(Error::Cluster)
    }

    /// Listens on local ports for an object.
    pub(crate) async fn listen(
        &self,
        name: &WorkloadName,
        mappings: &[PortMapping],
    ) -> Result<Forwarding<'_>, Error> {
        let cluster = self.cluster().await?;
        let workload = cluster.workload(name).await.map_err(Error::Cluster)?;
        cluster.listen(workload, mappings).await.map_err(Error::Cluster)
    }
}
