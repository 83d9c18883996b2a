//! What lints keep of a source while it is parsed: places, no trees.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::containers::{self, Container};
use super::embedded::{self, Embedded};
use super::entries::{self, Clash};
use super::{Finding, KEPT};
use crate::manifests::outline::{Node, Outline};
use crate::manifests::{Occurrence, Rules};
use crate::source::Source;

/// What lints keep of a source.
#[derive(Debug, Default)]
pub(in crate::manifests) struct Notes {
    containers: Vec<Container>,
    clashes: Vec<Clash>,
    embedded: Vec<Embedded>,
    has_references: bool,
}

impl Notes {
    /// Takes note of a document.
    pub(in crate::manifests) fn take(
        &mut self,
        source: &Arc<Source>,
        range: Range<usize>,
        outline: &Outline<'_>,
        references: &[Occurrence],
        rules: &Rules,
    ) {
        self.has_references |= !references.is_empty();
        let offset = range.start;
        let is_reference = |value: Node<'_, '_>| {
            let start = offset + value.span().start;
            references.binary_search_by_key(&start, |found| found.spot.span().start).is_ok()
        };
        let mut listed: BTreeMap<usize, Node<'_, '_>> = BTreeMap::new();
        for node in outline.nodes().filter(|node| node.is_mapping()) {
            let pod = listed.remove(&node.number());
            let mut image = None;
            for (key, value) in node.pairs() {
                match key.text() {
                    Some("image") => image = Some(is_reference(value)),
                    Some(key) if containers::is_list(key) => {
                        listed.extend(value.items().map(|item| (item.number(), node)));
                    }
                    _ => {}
                }
            }
            if let Some(is_reference) = image.filter(|is_reference| *is_reference || pod.is_some())
            {
                self.containers.extend(containers::read(node, pod, offset, is_reference, rules));
            }
            if self.clashes.len() < KEPT {
                entries::read(node, offset, &mut self.clashes);
            }
        }
        if self.embedded.len() < KEPT {
            let text = &source.text()[range];
            embedded::read(text, offset, outline, references.len(), rules, &mut self.embedded);
        }
    }

    /// Takes the notes of what stands behind it.
    pub(in crate::manifests) fn extend(&mut self, behind: Self) {
        let Self { containers, clashes, embedded, has_references } = behind;
        self.containers.extend(containers);
        self.clashes.extend(clashes);
        self.embedded.extend(embedded);
        self.clashes.truncate(KEPT);
        self.embedded.truncate(KEPT);
        self.has_references |= has_references;
    }

    /// Keeps what starts where something stays.
    pub(in crate::manifests) fn retain(&mut self, stays: impl Fn(usize) -> bool) {
        self.containers.retain(|container| stays(container.image.start));
        self.clashes.retain(|clash| stays(clash.start()));
        self.embedded.retain(|embedded| stays(embedded.start()));
    }

    /// Whether an image is pinned by digest, or will be.
    pub(super) fn is_pinned(&self) -> bool {
        self.has_references || self.containers.iter().any(Container::is_pinned)
    }

    pub(super) fn containers(&self) -> &[Container] {
        &self.containers
    }

    /// What was found without a look at anything else.
    pub(super) fn findings(&self, source: &Arc<Source>) -> Vec<Finding> {
        let clashes = self.clashes.iter().map(|clash| clash.finding(source));
        let embedded = self.embedded.iter().map(|embedded| embedded.finding(source));
        clashes.chain(embedded).collect()
    }
}
