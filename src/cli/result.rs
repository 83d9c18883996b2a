//! The results of commands as values, and where they are printed: as text, or as one JSON document
//! that a schema in `docs/schema` describes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::draw::Look;
use super::exit::Failure;
use super::{print, unified};
use crate::cache::{ByteSize, Count, Usage};
use crate::cluster::{Forwarded, LogLine, ObjectDiff, Outcome};
use crate::manifests::{Replacement, Text};
use crate::pipeline::Plan;
use crate::publish::Published;
use crate::report::{API_VERSION, Diagnostic};
use crate::settings::Format;

/// What a command found, made or changed.
pub(super) trait CommandResult: Serialize {
    /// The `kind` of the JSON document.
    const KIND: &'static str;

    /// Writes the result as text.
    fn write(&self, to: &mut dyn Write) -> io::Result<()>;
}

/// A result with what every JSON document has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'a, R> {
    /// The version of this format: `ko-rs/v1`.
    api_version: &'static str,
    /// The kind of result.
    kind: &'static str,
    /// Whether the command did everything that it was asked for.
    complete: bool,
    #[serde(flatten)]
    result: &'a R,
}

/// Where results go.
#[derive(Debug, Default)]
pub(super) struct Results {
    format: Format,
    /// The document that is printed at the end of the run.
    document: Mutex<Option<Value>>,
}

impl Results {
    pub(super) fn new(format: Format) -> Self {
        Self { format, document: Mutex::default() }
    }

    /// Prints a result as text now, or as JSON at the end of the run, when it is known whether the
    /// rest of it succeeded. Of several results the last is printed as JSON.
    pub(super) fn show<R: CommandResult>(&self, result: &R) -> Result<(), Failure> {
        let shown = match self.format {
            Format::Text => print::result(|to| result.write(to)),
            Format::Json => self.keep(result),
        };
        shown.map_err(Failure::Stdout)
    }

    /// Prints one of many results at once: as text, or as a JSON document on one line.
    pub(super) fn print<R: CommandResult>(&self, result: &R) -> Result<(), Failure> {
        let printed = match self.format {
            Format::Text => print::result(|to| result.write(to)),
            Format::Json => {
                let document =
                    Document { api_version: API_VERSION, kind: R::KIND, complete: true, result };
                print::result(|to| {
                    serde_json::to_writer(&mut *to, &document)?;
                    writeln!(to)
                })
            }
        };
        printed.map_err(Failure::Stdout)
    }

    fn keep<R: CommandResult>(&self, result: &R) -> io::Result<()> {
        let document =
            Document { api_version: API_VERSION, kind: R::KIND, complete: false, result };
        let document = serde_json::to_value(document)?;
        *self.document.lock().unwrap_or_else(PoisonError::into_inner) = Some(document);
        Ok(())
    }

    /// Prints the JSON document, if a result was shown.
    pub(super) fn finish(&self, complete: bool) -> Result<(), Failure> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut document) = document else { return Ok(()) };
        document["complete"] = complete.into();
        let printed = print::result(|to| writeln!(to, "{document:#}"));
        printed.map_err(Failure::Stdout)
    }
}

macro_rules! results {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            #[cfg_attr(test, derive(schemars::JsonSchema))]
            pub(super) struct $name {
                $($(#[$field_doc])* pub(super) $field: $type,)*
            }
        )+
    };
}

results! {
    /// The result of `build`.
    BuildResult {
        /// The published images, in the order of the requests.
        images: Vec<Published>,
    }

    /// The result of `build --dry-run`.
    PlanResult {
        /// What would be built, how and where it would go.
        plan: Plan,
    }

    /// The result of `resolve`.
    ResolveResult {
        /// The published images.
        images: Vec<Published>,
        /// What was substituted for the references and images in the manifests.
        replacements: Vec<ReplacementResult>,
        /// The manifests, unless they were written to files.
        #[serde(serialize_with = "text")]
        #[cfg_attr(test, schemars(with = "String"))]
        manifests: Text,
        /// The files of the result.
        files: Vec<PathBuf>,
    }

    /// A name in manifests and its image.
    ReplacementResult {
        /// The reference or image as it is written.
        written: String,
        /// What replaces it.
        image: String,
    }

    /// The result of `check`.
    CheckResult {
        /// The number of references.
        references: usize,
        /// The number of binaries that they refer to.
        binaries: usize,
        /// What was found.
        diagnostics: Vec<Diagnostic>,
    }

    /// The result of `apply`.
    ApplyResult {
        /// What happened to each object.
        #[cfg_attr(test, schemars(with = "Vec<tests::Object>"))]
        objects: Vec<Outcome>,
        /// The published images.
        images: Vec<Published>,
    }

    /// The result of `create`.
    CreateResult {
        /// What happened to each object.
        #[cfg_attr(test, schemars(with = "Vec<tests::Object>"))]
        objects: Vec<Outcome>,
        /// The published images.
        images: Vec<Published>,
    }

    /// The result of `diff`.
    DiffResult {
        /// The objects that an apply would create or change.
        objects: Vec<ObjectDiff>,
        /// How the text is drawn.
        #[serde(skip)]
        look: Look,
    }

    /// The result of `delete`.
    DeleteResult {
        /// What happened to each object.
        #[cfg_attr(test, schemars(with = "Vec<tests::Object>"))]
        objects: Vec<Outcome>,
    }

    /// The result of `down`.
    DownResult {
        /// What was deleted.
        #[cfg_attr(test, schemars(with = "Vec<tests::Object>"))]
        objects: Vec<Outcome>,
    }

    /// A line that `logs` prints; with `--output json` each is a document on a line of its own.
    LogLineResult {
        /// The line and where it is from.
        #[serde(flatten)]
        line: LogLine,
        /// The pod and the container, as they are printed before the line.
        #[serde(skip)]
        prefix: String,
        /// Whether the time is printed.
        #[serde(skip)]
        timestamps: bool,
    }

    /// What `port-forward` prints once ports are forwarded; JSON is on one line.
    PortForwardResult {
        /// The ports.
        forwarded: Vec<Forwarded>,
    }

    /// The result of `deps`.
    DepsResult {
        /// The image that was asked for.
        image: String,
        /// Its SBOM as it was published: SPDX or CycloneDX.
        #[serde(serialize_with = "json")]
        #[cfg_attr(test, schemars(with = "Value"))]
        document: Bytes,
    }

    /// The result of `login`.
    LoginResult {
        /// The registry, or a path of it.
        registry: String,
        /// Whether the registry asked for the password and accepted it.
        verified: bool,
        /// The file, or the credential helper, that stores the password.
        stored_in: String,
    }

    /// The result of `logout`.
    LogoutResult {
        /// The registry, or a path of it.
        registry: String,
        /// Whether a login was stored.
        removed: bool,
        /// Files that still hold credentials for the registry.
        remaining: Vec<PathBuf>,
    }

    /// The result of `base push`.
    BasePushResult {
        /// The name of the base image by digest.
        reference: String,
    }

    /// The result of `cache show`.
    CacheShowResult {
        /// The folder.
        folder: PathBuf,
        /// The maximum size in bytes.
        limit: Option<u64>,
        /// Layers, image manifests and image configurations.
        blobs: CountResult,
        /// What is known about blobs and workspaces.
        records: CountResult,
        /// Files that are being written, or whose writer was killed.
        unfinished: CountResult,
    }

    /// The result of `cache clean`.
    CacheCleanResult {
        /// What was removed.
        removed: CountResult,
        /// What running builds use.
        kept: CountResult,
    }

    /// The result of `version`.
    VersionResult {
        /// The version of ko-rs.
        version: &'static str,
        /// The embedded base image, with `--verbose`.
        #[serde(skip_serializing_if = "Option::is_none")]
        base: Option<BaseResult>,
    }

    /// The embedded base image.
    BaseResult {
        /// The digest of its index.
        digest: String,
        /// When it was built.
        date: String,
    }
}

/// A number of files.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CountResult {
    /// How many there are.
    files: u64,
    /// Their size.
    bytes: u64,
}

impl From<Count> for CountResult {
    fn from(Count { files, bytes }: Count) -> Self {
        Self { files, bytes }
    }
}

impl std::fmt::Display for CountResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} {files}, {}", self.files, ByteSize(self.bytes))
    }
}

impl From<&Replacement> for ReplacementResult {
    fn from(replacement: &Replacement) -> Self {
        Self { written: replacement.written.clone(), image: replacement.image.clone() }
    }
}

impl ApplyResult {
    pub(super) fn new(objects: Vec<Outcome>, images: Vec<Published>) -> Self {
        Self { objects, images }
    }
}

impl CreateResult {
    pub(super) fn new(objects: Vec<Outcome>, images: Vec<Published>) -> Self {
        Self { objects, images }
    }
}

impl DeleteResult {
    pub(super) fn new(objects: Vec<Outcome>, _: Vec<Published>) -> Self {
        Self { objects }
    }
}

impl CacheShowResult {
    pub(super) fn new(folder: PathBuf, limit: Option<u64>, usage: Usage) -> Self {
        let Usage { blobs, records, unfinished } = usage;
        let (blobs, records, unfinished) = (blobs.into(), records.into(), unfinished.into());
        Self { folder, limit, blobs, records, unfinished }
    }
}

/// Implements [`CommandResult`]; the text is what the block writes.
macro_rules! texts {
    ($($name:ident: |$result:ident, $to:ident| $write:expr;)+) => {
        $(
            impl CommandResult for $name {
                const KIND: &'static str = stringify!($name);

                fn write(&self, $to: &mut dyn Write) -> io::Result<()> {
                    let $result = self;
                    $write
                }
            }
        )+
    };
}

texts! {
    BuildResult: |result, to| {
        result.images.iter().try_for_each(|image| writeln!(to, "{}", image.reference))
    };
    PlanResult: |result, to| write!(to, "{}", result.plan);
    ResolveResult: |result, to| result.manifests.write_to(to);
    CheckResult: |_result, _to| Ok(());
    ApplyResult: |result, to| objects(&result.objects, to);
    CreateResult: |result, to| objects(&result.objects, to);
    DiffResult: |result, to| {
        result.objects.iter().try_for_each(|object| unified::write(object, result.look, to))
    };
    DeleteResult: |result, to| objects(&result.objects, to);
    DownResult: |result, to| objects(&result.objects, to);
    LogLineResult: |result, to| {
        let LogLineResult { line: LogLine { time, line, .. }, prefix, timestamps } = result;
        match timestamps {
            true => writeln!(to, "{prefix} {time} {line}"),
            false => writeln!(to, "{prefix} {line}"),
        }
    };
    PortForwardResult: |result, to| {
        result.forwarded.iter().try_for_each(|Forwarded { addresses, port }| {
            let mut lines = addresses.iter();
            lines.try_for_each(|it| writeln!(to, "Forwarding from {it} -> {port}"))
        })
    };
    DepsResult: |result, to| to.write_all(&result.document);
    LoginResult: |_result, to| writeln!(to, "Login Succeeded");
    LogoutResult: |result, to| match result.removed {
        true => writeln!(to, "Removed login credentials for {}", result.registry),
        false => writeln!(to, "Not logged in to {}", result.registry),
    };
    BasePushResult: |result, to| writeln!(to, "{}", result.reference);
    CacheShowResult: |result, to| {
        let CacheShowResult { folder, limit, blobs, records, unfinished } = result;
        let size = ByteSize(blobs.bytes + records.bytes + unfinished.bytes);
        let limit = limit.map(|limit| format!(" of {}", ByteSize(limit))).unwrap_or_default();
        writeln!(to, "folder      {}", folder.display())?;
        writeln!(to, "size        {size}{limit}")?;
        writeln!(to, "blobs       {blobs}")?;
        writeln!(to, "records     {records}")?;
        writeln!(to, "unfinished  {unfinished}")
    };
    CacheCleanResult: |result, to| {
        writeln!(to, "removed {}", result.removed)?;
        if result.kept.files > 0 {
            writeln!(to, "kept {}: running builds use them", result.kept)?;
        }
        Ok(())
    };
    VersionResult: |result, to| {
        writeln!(to, "ko-rs {}", result.version)?;
        match &result.base {
            Some(BaseResult { digest, date }) => {
                writeln!(to, "base image static: {digest} of {date}")
            }
            None => Ok(()),
        }
    };
}

fn objects(outcomes: &[Outcome], to: &mut dyn Write) -> io::Result<()> {
    outcomes.iter().try_for_each(|outcome| writeln!(to, "{outcome}"))
}

fn text<S: Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text.pieces().collect::<String>())
}

/// A JSON document inside another one.
fn json<S: Serializer>(document: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Value = serde_json::from_slice(document).map_err(serde::ser::Error::custom)?;
    value.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use schemars::JsonSchema;

    use super::*;
    use crate::cli::print::EventLine;

    /// What happened to an object.
    #[derive(JsonSchema)]
    #[schemars(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its schema is used")]
    pub(super) struct Object {
        /// The object, as `deployment.apps/link-manager`.
        object: String,
        /// The namespace, for objects that have one.
        namespace: Option<String>,
        /// `created`, `configured`, `unchanged` or `deleted`.
        outcome: String,
        /// Whether the change was only simulated.
        dry_run: crate::cluster::DryRun,
    }

    /// Compares a schema with its file, or writes it.
    #[expect(clippy::disallowed_methods, reason = "asks whether to write the file")]
    fn check<T: JsonSchema>(kind: &str) {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        schema["title"] = kind.into();
        schema["properties"]["apiVersion"]["const"] = API_VERSION.into();
        if kind != "Event" {
            schema["properties"]["kind"]["const"] = kind.into();
        }
        let words = kind.char_indices().map(|(at, c)| match c.is_uppercase() && at > 0 {
            true => format!("-{}", c.to_lowercase()),
            false => c.to_lowercase().to_string(),
        });
        let name = words.collect::<String>();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
        let generated = format!("{schema:#}\n");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &generated).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == generated, "{kind}: run UPDATE_DOCS=1 cargo test --lib schema");
    }

    fn result<R: CommandResult + JsonSchema + 'static>() {
        check::<Document<'static, R>>(R::KIND);
    }

    #[test]
    fn schemas_are_those_of_the_types() {
        check::<EventLine<'static>>("Event");
        result::<BuildResult>();
        result::<PlanResult>();
        result::<ResolveResult>();
        result::<CheckResult>();
        result::<ApplyResult>();
        result::<CreateResult>();
        result::<DiffResult>();
        result::<DeleteResult>();
        result::<DownResult>();
        result::<LogLineResult>();
        result::<PortForwardResult>();
        result::<DepsResult>();
        result::<LoginResult>();
        result::<LogoutResult>();
        result::<BasePushResult>();
        result::<CacheShowResult>();
        result::<CacheCleanResult>();
        result::<VersionResult>();
    }
}
