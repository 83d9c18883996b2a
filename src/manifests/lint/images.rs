//! Compares containers in manifests with the images that they run.

use std::ops::Range;
use std::sync::Arc;

use super::containers::{Command, Container, Run};
use super::{Finding, Lint};
use crate::manifests::Location;
use crate::oci::ImageFacts;
use crate::source::Source;

/// The fields of a container that do not match its image.
pub(super) fn findings(
    container: &Container,
    facts: &ImageFacts,
    source: &Arc<Source>,
) -> Vec<Finding> {
    let Some(run) = container.run.as_deref() else { return Vec::new() };
    let finding = |lint, message, span: &Range<usize>, label| Finding {
        lint,
        message,
        location: Location::new(source, span.clone()),
        label,
        other: None,
    };
    let mut findings = Vec::new();
    if let Some(Command { word, span, folder, mounts }) = run.command.as_deref()
        && facts.has_command(word, folder.as_deref(), mounts) == Some(false)
    {
        let message = format!("`{word}` does not exist in the image");
        findings.push(finding(Lint::MissingCommand, message, span, "does not exist"));
    }
    for (port, span) in unexposed(run, facts) {
        let served: Vec<&str> = facts.exposed_ports.iter().map(String::as_str).collect();
        let message = format!("the image does not expose {port}; it exposes {}", served.join(", "));
        findings.push(finding(Lint::UnexposedPort, message, span, "not exposed"));
    }
    // `runAsUser` overrides the user of the image.
    if run.user.is_some() {
        return findings;
    }
    let user = facts.user.split(':').next().unwrap_or_default();
    let is_number = user.parse::<u32>().is_ok();
    if facts.inside.is_some() && facts.uid().is_none() {
        let message = format!("the image runs as user `{user}`, which does not exist in it");
        findings.push(finding(Lint::ImageUser, message, &container.image, "cannot start"));
    } else if let Some(span) = &run.non_root {
        let reason = match (facts.uid(), is_number) {
            (Some(0), _) => Some("as root"),
            (_, false) => Some("as a user given by name, which nodes do not look up"),
            (_, true) => None,
        };
        if let Some(reason) = reason {
            let message =
                format!("the container must not run as root, but its image runs {reason}");
            findings.push(finding(Lint::ImageUser, message, span, "refused by the node"));
        }
    }
    findings
}

/// The ports that an image does not expose; none if it exposes no ports at all.
fn unexposed<'a>(
    run: &'a Run,
    facts: &ImageFacts,
) -> impl Iterator<Item = &'a (Box<str>, Range<usize>)> {
    let served = |exposed: &String, port: &str| {
        let (number, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
        // Ranges are not compared.
        number.contains('-') || port == format!("{number}/{protocol}")
    };
    run.ports.iter().filter(move |(port, _)| {
        !facts.exposed_ports.is_empty()
            && !facts.exposed_ports.iter().any(|exposed| served(exposed, port))
    })
}
