//! `builds[]`, `defaultImage:`, `files:` and `image:` of the settings file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use super::codes;
use super::error::Error;
use super::file::{self, Entry, File};
use super::rules::{BuildRule, Partial, Platforms};
use super::table::{BuildKey, FileKey, ImageKey, Key, Keys};
use super::tree::Node;
use crate::image::{BaseName, FileRule};
use crate::manifests::{ImageMap, Level, Levels, Lint, Mapping};
use crate::oci::Repository;
use crate::reference::{CrateReference, did_you_mean};
use crate::registry::LocationFiles;

/// Reads the parts of the settings file that have no flag, and collects errors.
pub(super) struct Reader<'a> {
    pub(super) file: &'a File,
    /// Where short names of base images are looked up.
    pub(super) locations: LocationFiles,
    pub(super) errors: Vec<Error>,
}

/// The values of keys that have no flag.
#[derive(Default)]
pub(super) struct Nested {
    pub(super) builds: Vec<BuildRule>,
    /// Settings of every image: its `files` and how its containers run.
    pub(super) defaults: Partial,
    pub(super) base_overrides: BTreeMap<String, BaseName>,
    pub(super) images: ImageMap,
}

impl Reader<'_> {
    /// Reads all of these keys.
    pub(super) fn nested(&mut self) -> Nested {
        let mut nested = Nested::default();
        if let Some(builds) = self.file.values.get(&Key::Builds) {
            nested.builds = self.builds(builds);
        }
        if let Some(files) = self.file.values.get(&Key::Files) {
            nested.defaults.files = self.files(files);
        }
        if let Some(image) = self.file.values.get(&Key::DefaultImage) {
            self.image(image, &mut nested.defaults);
        }
        if let Some(overrides) = self.file.values.get(&Key::BaseImageOverrides) {
            for (key, value) in overrides.pairs() {
                let Some(name) = file::text(key) else { continue };
                if let Some(base) = self.base(value, &name) {
                    nested.base_overrides.insert(name, base);
                }
            }
        }
        nested.images = self.images();
        self.lints();
        nested
    }

    /// `images:` and `imageFields:`.
    fn images(&mut self) -> ImageMap {
        let mut crates: BTreeMap<Repository, Mapping> = BTreeMap::new();
        let images = self.file.values.get(&Key::Images);
        for (key, value) in images.into_iter().flat_map(Node::pairs) {
            let (Some(name), Some(meant)) = (file::text(key), file::text(value)) else { continue };
            let repository = match name.parse::<Repository>() {
                Ok(repository) => repository,
                Err(reason) => {
                    self.wrong(
                        key,
                        "the keys of `images` must be repositories without a tag",
                        reason,
                    );
                    continue;
                }
            };
            match CrateReference::bare(&meant) {
                Err(reason) => self.wrong(value, "the values of `images` must be crates", reason),
                Ok(reference) => {
                    let shown = repository.to_string();
                    if crates.insert(repository, Mapping { written: name, reference }).is_some() {
                        self.wrong(
                            key,
                            "`images` maps the same repository twice",
                            format!("this is `{shown}`"),
                        );
                    }
                }
            }
        }
        let fields = self.parse_all(&self.file.values, Key::ImageFields).unwrap_or_default();
        ImageMap::new(crates, fields)
    }

    /// The levels of lints.
    pub(super) fn lints(&mut self) -> Levels {
        let mut levels = Levels::default();
        let lints = self.file.values.get(&Key::Lints);
        for (key, value) in lints.into_iter().flat_map(Node::pairs) {
            let (Some(name), Some(level)) = (file::text(key), file::text(value)) else { continue };
            let Some(lint) = Lint::ALL.into_iter().find(|lint| lint.name() == name) else {
                let message = format!("unknown lint `{name}`");
                let names = Lint::ALL.map(Lint::name);
                let hint = did_you_mean(&name, names)
                    .unwrap_or_else(|| format!("the lints are: {}", names.join(", ")));
                let code = &codes::UNKNOWN_LINT;
                let span = key.span.clone();
                self.errors.push(self.file.error(code, span, &message, "unknown lint", Some(hint)));
                continue;
            };
            match level.as_str() {
                "off" => drop(levels.0.insert(lint, Level::Off)),
                "warn" => drop(levels.0.insert(lint, Level::Warn)),
                "deny" => drop(levels.0.insert(lint, Level::Deny)),
                _ => {
                    let message = format!("`{name}` must be `off`, `warn` or `deny`");
                    self.wrong(value, &message, format!("this is `{level}`"));
                }
            }
        }
        levels
    }

    pub(super) fn wrong(&mut self, node: &Node, message: &str, reason: impl Display) {
        self.wrong_at(node.span.clone(), message, reason, None);
    }

    /// One item of a list is wrong.
    fn wrong_text(&mut self, node: &Node, text: &str, message: &str, reason: impl Display) {
        let span = self.file.span_of(node, text);
        self.wrong_at(span, message, reason, None);
    }

    fn wrong_at(
        &mut self,
        span: Range<usize>,
        message: &str,
        reason: impl Display,
        hint: Option<String>,
    ) {
        let code = &codes::INVALID_SETTING;
        self.errors.push(self.file.error(code, span, message, &reason.to_string(), hint));
    }

    fn parse_all<T: FromStr<Err: Display>, K: Keys>(
        &mut self,
        entry: &Entry<K>,
        key: K,
    ) -> Option<Vec<T>> {
        let node = entry.get(&key)?;
        let mut values = Vec::new();
        for text in file::texts(node) {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(reason) => {
                    self.wrong_text(
                        node,
                        &text,
                        &format!("`{}` cannot be read", key.name()),
                        reason,
                    );
                    return None;
                }
            }
        }
        Some(values)
    }

    /// `platforms`: a list, or `all`.
    fn platforms(&mut self, entry: &Entry<BuildKey>) -> Option<Platforms> {
        let node = entry.get(&BuildKey::Platforms)?;
        match Platforms::parse(&file::texts(node)) {
            Ok(platforms) => Some(platforms),
            Err(reason) => {
                self.wrong(node, "`platforms` cannot be read", reason);
                None
            }
        }
    }

    /// `KEY=VALUE` texts.
    fn environment<K: Keys>(
        &mut self,
        entry: &Entry<K>,
        key: K,
    ) -> Option<BTreeMap<String, String>> {
        let node = entry.get(&key)?;
        let mut pairs = BTreeMap::new();
        for text in file::texts(node) {
            match text.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    pairs.insert(name.to_owned(), value.to_owned());
                }
                _ => {
                    let message = format!("`{}` must be a list of KEY=VALUE", key.name());
                    self.wrong_text(node, &text, &message, format!("`{text}`"));
                }
            }
        }
        Some(pairs)
    }

    /// A base; the folder of a layout is relative to the settings file.
    fn base(&mut self, node: &Node, name: &str) -> Option<BaseName> {
        let written = file::text(node)?;
        let base = match written.parse() {
            Ok(base) => base,
            Err(reason) => {
                self.wrong(node, &format!("`{name}` cannot be read"), reason);
                return None;
            }
        };
        Some(match base {
            BaseName::Layout(folder) => BaseName::Layout(self.file.folder.join(folder)),
            other => match super::short_names::resolve(&self.locations, other, &written) {
                Ok(meant) => meant,
                Err(error) => {
                    let message = format!("`{name}` cannot be used");
                    self.wrong_at(
                        node.span.clone(),
                        &message,
                        &error,
                        crate::report::Diagnostic::of(&error).hints.pop(),
                    );
                    return None;
                }
            },
        })
    }

    /// The entries of `files:`.
    fn files(&mut self, node: &Node) -> Vec<FileRule> {
        let entries = self.file.entries::<FileKey>(node, "a file's settings", &mut self.errors);
        let mut rules = Vec::new();
        for (node, entry) in entries {
            let (from, to) = (
                entry.get(&FileKey::From).and_then(file::text),
                entry.get(&FileKey::To).and_then(file::text),
            );
            let (Some(from), Some(to)) = (from, to) else {
                self.wrong(node, "a file must have `from` and `to`", "one of them is missing");
                continue;
            };
            let mode = entry.get(&FileKey::Mode).and_then(|mode| {
                let text = file::text(mode)?;
                let octal = u32::from_str_radix(text.trim_start_matches("0o"), 8);
                match octal {
                    Ok(bits) if bits <= 0o7777 => Some(bits),
                    _ => {
                        self.wrong(
                            mode,
                            "`mode` must be an octal number",
                            "expected a value like `0644`",
                        );
                        None
                    }
                }
            });
            rules.push(FileRule { from: self.file.folder.join(from), to, mode });
        }
        rules
    }

    fn image(&mut self, node: &Node, partial: &mut Partial) {
        let entry = self.file.entry::<ImageKey>(node, "an image's settings", &mut self.errors);
        let text = |key: ImageKey| entry.get(&key).and_then(file::text);
        partial.user = text(ImageKey::User);
        partial.working_directory = text(ImageKey::WorkingDir);
        partial.args = entry.get(&ImageKey::Args).map(file::texts);
        partial.ports = entry.get(&ImageKey::Ports).map(file::texts).unwrap_or_default();
        let pairs = |key: ImageKey| entry.get(&key).map(file::pairs).unwrap_or_default();
        partial.image_environment = pairs(ImageKey::Env);
        partial.labels = pairs(ImageKey::Labels);
        partial.annotations = pairs(ImageKey::Annotations);
        partial.capabilities = self.parse_all(&entry, ImageKey::Capabilities);
    }

    /// The entries of `builds`.
    fn builds(&mut self, node: &Node) -> Vec<BuildRule> {
        let entries = self.file.entries::<BuildKey>(node, "a build's settings", &mut self.errors);
        let mut rules = Vec::new();
        for (number, (node, entry)) in entries.iter().enumerate() {
            let text = |key: BuildKey| entry.get(&key).and_then(file::text);
            let spot = |key| Some(self.file.spot(entry.get(&key)?.span.clone(), "no such crate"));
            let (spot, bin_spot) =
                (spot(BuildKey::Package).or_else(|| spot(BuildKey::Dir)), spot(BuildKey::Bin));
            let folder = text(BuildKey::Dir).map(|dir| self.file.folder.join(dir));
            if text(BuildKey::Package).is_none() && folder.is_none() && !entry.is_empty() {
                self.wrong(node, "a build must have `package` or `dir`", "neither is set");
            }
            let mut partial = Partial {
                profile: text(BuildKey::Profile),
                platforms: self.platforms(entry),
                base: entry.get(&BuildKey::Base).and_then(|node| self.base(node, "base")),
                targets: self.parse_all(entry, BuildKey::Target),
                features: entry.get(&BuildKey::Features).map(file::texts),
                flags: entry.get(&BuildKey::Flags).map(file::texts),
                rustflags: entry.get(&BuildKey::Rustflags).map(file::texts),
                environment: self.environment(entry, BuildKey::Env),
                ..Partial::default()
            };
            if let Some(files) = entry.get(&BuildKey::Files) {
                partial.files = self.files(files);
            }
            if let Some(image) = entry.get(&BuildKey::Image) {
                self.image(image, &mut partial);
            }
            rules.push(BuildRule {
                id: text(BuildKey::Id).unwrap_or_else(|| format!("#{number}")),
                spot,
                bin_spot,
                package: text(BuildKey::Package),
                bin: text(BuildKey::Bin),
                // What Cargo reports has no `.` and no link in it.
                folder: folder.map(|folder| folder.canonicalize().unwrap_or(folder)),
                partial,
            });
        }
        rules
    }
}
