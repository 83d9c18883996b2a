//! What commands share: settings, the session that is opened from them, and where results go.

use super::draw::Look;
use super::exit::Failure;
use super::flags::FlagsOf;
use super::result::Results;
use crate::cache::Cache;
use crate::cluster::Stopping;
use crate::pipeline::Session;
use crate::registry::{self, Client};
use crate::report::Reporter;
use crate::settings::{self, Complete, Environment, Flags, Loudness};

/// What every command is given.
#[derive(Debug)]
pub(super) struct Context {
    /// The flags that every command takes.
    pub(super) general: Flags,
    pub(super) environment: Environment,
    pub(super) report: Reporter,
    pub(super) results: Results,
    pub(super) loudness: Loudness,
    /// How text on standard output is drawn.
    pub(super) stdout: Look,
    /// Stops changes to clusters between two writes.
    pub(super) stopping: Stopping,
}

impl Context {
    /// The flags of a command together with those that every command takes.
    pub(super) fn flags<S>(&self, own: FlagsOf<S>) -> Result<Flags, Failure> {
        if let Some(foreign) = own.foreign {
            return Err(Failure::ForeignFlag(foreign));
        }
        let mut flags = self.general.clone();
        flags.0.extend(own.flags.0);
        Ok(flags)
    }

    /// How registries are accessed.
    pub(super) fn registries<S>(&self, own: FlagsOf<S>) -> Result<registry::Settings, Failure> {
        Ok(settings::registries(self.flags(own)?, &self.environment, &self.report)?)
    }

    /// A client of registries.
    pub(super) fn client<S>(&self, own: FlagsOf<S>) -> Result<Client, Failure> {
        Ok(Client::new(self.registries(own)?, Cache::none(), self.report.clone()))
    }

    /// Opens a session, works in it and closes it.
    pub(super) async fn with_session<S, T>(
        &self,
        own: FlagsOf<S>,
        work: impl AsyncFnOnce(&Complete, &Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut complete = settings::complete(self.flags(own)?, &self.environment, &self.report)?;
        complete.settings.cluster.stopping = self.stopping.clone();
        let session = Session::new(complete.settings.clone(), self.report.clone());
        let done = work(&complete, &session).await;
        session.close();
        done
    }
}
