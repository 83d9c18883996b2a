//! Images that are similar to those of the image map, in every field where these are replaced.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, KEPT, Lint};
use crate::manifests::Location;
use crate::manifests::image_map::{ImageMap, Like};
use crate::manifests::yaml::outline::{Node, Outline};
use crate::source::Source;

/// An image that is not replaced, and what it is similar to.
#[derive(Clone, Debug)]
pub(super) struct Unmapped {
    span: Range<usize>,
    like: Like,
}

impl Unmapped {
    pub(super) fn start(&self) -> usize {
        self.span.start
    }

    pub(super) fn finding(&self, source: &Arc<Source>) -> Finding {
        let Like { written, is_image } = &self.like;
        Finding {
            lint: Lint::UnmappedRepository,
            message: format!(
                "this image is not replaced: it is similar to `{written}` of `images` but does not match"
            ),
            location: Location::new(source, self.span.clone()),
            label: if *is_image { "a different repository" } else { "not an image name" },
            other: None,
        }
    }
}

/// A collection that a node is in.
struct Frame<'o> {
    /// The number of the node behind it.
    behind: usize,
    is_mapping: bool,
    /// The last key of a mapping, if it is a text.
    key: Option<&'o str>,
    /// Whether its value comes next.
    has_key: bool,
}

/// Finds them in a document. Places are moved by `offset`.
pub(super) fn read(
    outline: &Outline<'_>,
    offset: usize,
    images: &ImageMap,
    found: &mut Vec<Unmapped>,
) {
    if images.mappings().next().is_none() {
        return;
    }
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for node in outline.nodes() {
        while frames.last().is_some_and(|frame| frame.behind <= node.number()) {
            frames.pop();
        }
        let mut is_key = false;
        if let Some(frame) = frames.last_mut().filter(|frame| frame.is_mapping) {
            is_key = !frame.has_key;
            frame.has_key = is_key;
            frame.key = if is_key { node.text() } else { frame.key };
        }
        if node.is_collection() {
            let (behind, is_mapping) = (node.behind(), node.is_mapping());
            frames.push(Frame { behind, is_mapping, key: None, has_key: false });
        } else if !is_key && found.len() < KEPT && is_field(images, &frames) {
            found.extend(unmapped(node, offset, images));
        }
    }
}

/// Whether what comes next is the value of a field for images.
fn is_field(images: &ImageMap, frames: &[Frame<'_>]) -> bool {
    // What is merged in stands where the `<<` does.
    let keys = frames.iter().rev().filter(|frame| frame.is_mapping).map(|frame| frame.key);
    let keys = keys.filter(|key| *key != Some("<<"));
    images.has_field(keys)
}

fn unmapped(node: Node<'_, '_>, offset: usize, images: &ImageMap) -> Option<Unmapped> {
    let node = node.target();
    let like = images.like(&node.meaning()?)?;
    Some(Unmapped { span: offset + node.span().start..offset + node.span().end, like })
}
