//! What lints keep of a source while it is parsed: places, no trees.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::containers::{self, Container};
use super::embedded::{self, Embedded};
use super::entries::{self, Clash};
use super::unmapped::{self, Unmapped};
use super::{Finding, KEPT};
use crate::manifests::yaml::outline::{Node, Outline};
use crate::manifests::{Occurrence, Rules};
use crate::source::Source;

/// What lints keep of a source.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    containers: Vec<Container>,
    clashes: Vec<Clash>,
    embedded: Vec<Embedded>,
    unmapped: Vec<Unmapped>,
    has_references: bool,
    /// How many containers aliases led to.
    aliased: usize,
}

/// The most containers that are looked at because aliases lead to them: a few lines lead to more
/// than there is room for.
const ALIASED: usize = 10_000;

impl Notes {
    /// Takes note of a document.
    pub(crate) fn take(
        &mut self,
        source: &Arc<Source>,
        range: Range<usize>,
        outline: &Outline<'_>,
        references: &[Occurrence],
        rules: &Rules,
    ) {
        self.has_references |= !references.is_empty();
        let offset = range.start;
        let is_reference = |start: usize| {
            references.binary_search_by_key(&start, |found| found.location.span().start).is_ok()
        };
        // Containers that are written in the list of their pod.
        let mut listed: BTreeSet<usize> = BTreeSet::new();
        for node in outline.nodes().filter(|node| node.is_mapping()) {
            let is_listed = listed.remove(&node.number());
            if !node.pairs().any(|(key, _)| key.text().is_some_and(is_asked_for)) {
                continue;
            }
            let lists = containers::LISTS.iter().filter_map(|name| node.get(name));
            let items = lists.flat_map(Node::items).map(|item| (item.target(), Some(node)));
            let alone = (!is_listed).then_some((node, None));
            for (container, pod) in items.chain(alone) {
                if container.is_behind_alias() {
                    self.aliased += 1;
                } else if pod.is_some() {
                    listed.insert(container.number());
                }
                if self.aliased < ALIASED {
                    let read = containers::read(container, pod, offset, is_reference);
                    self.containers.extend(read);
                }
            }
            if self.clashes.len() < KEPT {
                entries::read(node, offset, &mut self.clashes);
            }
        }
        unmapped::read(outline, offset, &rules.images, &mut self.unmapped);
        if self.embedded.len() < KEPT {
            let text = &source.text()[range];
            // What an image is a reference by has no prefix.
            let own = references.iter().filter(|found| found.image.is_none()).count();
            embedded::read(text, offset, outline, own, rules, &mut self.embedded);
        }
    }

    /// Takes the notes of what stands behind it.
    pub(crate) fn extend(&mut self, behind: Self) {
        let Self { containers, clashes, embedded, unmapped, has_references, aliased } = behind;
        self.aliased += aliased;
        self.containers.extend(containers);
        self.clashes.extend(clashes);
        self.embedded.extend(embedded);
        self.unmapped.extend(unmapped);
        self.clashes.truncate(KEPT);
        self.embedded.truncate(KEPT);
        self.unmapped.truncate(KEPT);
        self.has_references |= has_references;
    }

    /// Keeps what starts where something stays.
    pub(crate) fn retain(&mut self, stays: impl Fn(usize) -> bool) {
        self.containers.retain(|container| stays(container.image.start));
        self.clashes.retain(|clash| stays(clash.start()));
        self.embedded.retain(|embedded| stays(embedded.start()));
        self.unmapped.retain(|unmapped| stays(unmapped.start()));
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
        let unmapped = self.unmapped.iter().map(|unmapped| unmapped.finding(source));
        clashes.chain(embedded).chain(unmapped).collect()
    }
}

/// Whether a key makes a mapping worth a look: one that something is looked for behind, or one that
/// may bring it in.
fn is_asked_for(key: &str) -> bool {
    matches!(key, "image" | "<<") || containers::LISTS.contains(&key) || entries::is_asked_for(key)
}
