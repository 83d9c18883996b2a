//! What became of an object, in kubectl's words.

use std::fmt;

use super::kind::Kind;

/// How far an apply goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It is done.
    #[default]
    No,
    /// Nothing is sent but reads.
    Client,
    /// The server says what it would do.
    Server,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It was not there.
    Created,
    /// It is another one now.
    Configured,
    /// It was as asked for.
    Unchanged,
    /// It is gone, or about to.
    Deleted,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// An object that was applied, created or deleted. Its `Display` is kubectl's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(super) kind: Kind,
    /// `metadata.name`.
    pub name: String,
    /// The namespace it is in, if its kind has one.
    pub namespace: Option<String>,
    /// What became of it.
    pub verb: Verb,
    /// Whether it was only tried.
    pub dry_run: DryRun,
    /// Where it was written: `name:line:column`.
    pub place: String,
    /// What tells it from a later object of the same name, where the server said so.
    pub(super) uid: Option<String>,
}

impl Outcome {
    /// The object as kubectl writes it: `deployment.apps/link-manager`, `service/link-manager`.
    #[must_use]
    pub fn object(&self) -> String {
        format!("{}/{}", self.kind.singular(), self.name)
    }

    /// Its `kind`: `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind.kind
    }

    /// Its `apiVersion`: `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        self.kind.group_version().to_string()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verb, &self.namespace) {
            (Verb::Deleted, Some(namespace)) => {
                let kind = self.kind.singular();
                write!(f, "{kind} \"{}\" deleted from {namespace} namespace", self.name)?;
            }
            (Verb::Deleted, None) => {
                write!(f, "{} \"{}\" deleted", self.kind.singular(), self.name)?
            }
            (verb, _) => write!(f, "{} {verb}", self.object())?,
        }
        f.write_str(match self.dry_run {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_kubectl_writes_it() {
        let mut outcome = Outcome {
            kind: Kind::namespaced("apps", "v1", "Deployment", "deployments"),
            name: "link-manager".to_owned(),
            namespace: Some("default".to_owned()),
            verb: Verb::Configured,
            dry_run: DryRun::No,
            place: "a.yaml:1:1".to_owned(),
            uid: None,
        };
        assert_eq!(outcome.to_string(), "deployment.apps/link-manager configured");
        assert_eq!((outcome.kind(), outcome.api_version().as_str()), ("Deployment", "apps/v1"));
        outcome.dry_run = DryRun::Server;
        assert_eq!(outcome.to_string(), "deployment.apps/link-manager configured (server dry run)");
        outcome.verb = Verb::Deleted;
        assert_eq!(
            outcome.to_string(),
            "deployment.apps \"link-manager\" deleted from default namespace (server dry run)"
        );
        let namespace = Outcome {
            kind: Kind::cluster("", "v1", "Namespace", "namespaces"),
            name: "shop".to_owned(),
            namespace: None,
            dry_run: DryRun::Client,
            ..outcome
        };
        assert_eq!(namespace.to_string(), "namespace \"shop\" deleted (dry run)");
        let created = Outcome { verb: Verb::Created, ..namespace };
        assert_eq!(created.to_string(), "namespace/shop created (dry run)");
    }
}
