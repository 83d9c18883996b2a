//! Deleting objects, in the reverse of the order in which they came.

use serde_json::Value;

use crate::manifests::Object;

use super::request;
use super::target::{Stated, Target, uid};
use super::waves::{WAVES, wave};
use super::{Cluster, DryRun, Error, Outcome, Verb, side_by_side};

/// How a set is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Whether it is only tried.
    pub dry_run: DryRun,
    /// Passes over what is not there.
    pub ignore_not_found: bool,
}

impl Cluster {
    /// Deletes a set. What is not there does not keep the rest from being deleted. Outcomes are
    /// in the order of the objects, without those that were not there.
    ///
    /// # Errors
    /// The first object that is refused, or is not there; what was deleted all the same is in
    /// [`Error::Partial`].
    pub async fn delete(
        &self,
        objects: Vec<Object>,
        options: &DeleteOptions,
    ) -> Result<Vec<Outcome>, Error> {
        let stated: Vec<Stated> = objects
            .into_iter()
            .map(|object| Stated::new(object, false))
            .collect::<Result<_, _>>()?;
        self.discover(&stated.iter().collect::<Vec<_>>()).await?;
        let mut results: Vec<(usize, Result<Outcome, Error>)> = Vec::new();
        let mut targets: Vec<(usize, Target)> = Vec::new();
        for (index, stated) in stated.iter().enumerate() {
            match self.kind_of(stated) {
                Some(kind) => targets.push((index, stated.of_kind(kind, self.client.access())?)),
                // Of a kind that is not served there are no objects.
                None if options.ignore_not_found => {}
                None => results.push((index, Err(self.unknown(stated).await))),
            }
        }
        for wave in (0..WAVES).rev() {
            let mut of_wave: Vec<&(usize, Target)> = Vec::new();
            for known in &targets {
                if self::wave(&known.1.kind.group, &known.1.kind.kind) == wave {
                    of_wave.push(known);
                }
            }
            let deleted = of_wave.iter().map(|(_, target)| self.delete_one(target, options));
            let deleted = side_by_side(deleted).await;
            let deleted: Vec<_> = of_wave.iter().map(|known| known.0).zip(deleted).collect();
            let failed = deleted
                .iter()
                .any(|(_, result)| matches!(result, Err(error) if !is_missing(error)));
            results.extend(deleted.into_iter().filter_map(|(index, result)| match result {
                Err(error) if options.ignore_not_found && is_missing(&error) => None,
                result => Some((index, result)),
            }));
            if failed {
                break;
            }
        }
        results.sort_by_key(|(index, _)| *index);
        let (mut done, mut first) = (Vec::new(), None);
        for (_, result) in results {
            match result {
                Ok(outcome) => done.push(outcome),
                Err(error) => first = first.or(Some(error)),
            }
        }
        match first {
            None => Ok(done),
            Some(error) if done.is_empty() => Err(error),
            Some(error) => {
                Err(Error::Partial { done, total: stated.len(), source: Box::new(error) })
            }
        }
    }

    async fn delete_one(&self, target: &Target, options: &DeleteOptions) -> Result<Outcome, Error> {
        let outcome = target.outcome(Verb::Deleted, options.dry_run);
        let namespace = target.namespace.as_deref();
        let request = match options.dry_run {
            DryRun::Client => request::get(&target.kind, namespace, &target.name),
            dry_run => {
                request::delete(&target.kind, namespace, &target.name, dry_run == DryRun::Server)
            }
        };
        let answer =
            self.client.send(&request).await.map_err(|error| target.failed("delete", error))?;
        // The object on its way out, or a `Status` that only names it.
        let named = answer.pointer("/details/uid").and_then(Value::as_str).map(str::to_owned);
        Ok(Outcome { uid: uid(&answer).or(named), ..outcome })
    }
}

/// Whether an error says that the object is not there.
fn is_missing(error: &Error) -> bool {
    match error {
        Error::Object { source, .. } => {
            source.refusal().is_some_and(|refusal| refusal.is_not_found())
        }
        Error::UnknownKind { .. } => true,
        _ => false,
    }
}
