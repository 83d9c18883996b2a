//! Every setting, defined once: its key, flag, variable, default and one line of help.
//!
//! Help texts, `docs/settings.md`, the reader of `.ko-rs.yaml` and the lookup of variables are all
//! made from this table. Code names a setting by its [`Key`], so a misspelt key does not compile.

/// The kind of value that a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// One string.
    Text,
    /// Strings; the flag may be repeated or hold several, separated by commas.
    List,
    /// Strings; the flag may be repeated, and a comma is part of the string.
    Texts,
    /// `key=value` pairs; the flag may be repeated.
    Map,
    /// A whole number.
    Number,
    /// A structure that only the file can hold.
    Nested,
}

/// The commands that take a setting's flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All commands.
    Everywhere,
    /// Commands that build images: `build`, `resolve`, `apply`, `create`, `dev`; `check` accepts them too.
    Images,
    /// Commands that read manifests: `resolve`, `check`, `apply`, `create`, `diff`, `delete`, `dev`, `logs`.
    Manifests,
    /// Commands that use a registry: those that build images, `deps`, `login` and `base push`.
    Registries,
    /// `resolve`.
    Resolve,
    /// Commands that use a cluster.
    Cluster,
    /// Commands that change a cluster: `apply`, `create`, `delete`.
    Writes,
    /// `apply`, `create` and `diff`.
    Changes,
    /// `delete`.
    Delete,
    /// `dev`.
    Dev,
}

/// The heading in `--help` that lists a setting's flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// Reading and writing manifests.
    Manifests,
    /// Where images are pushed and how they are named.
    Destination,
    /// The contents of images.
    Image,
    /// Compiling.
    Cargo,
    /// Access to registries.
    Registry,
    /// Access to the cluster and changes to it.
    Cluster,
    /// Everything else.
    General,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What code asks for.
    pub key: Key,
    /// The key in `.ko-rs.yaml` if `Setting::in_file`.
    pub name: &'static str,
    /// Where help lists the flag.
    pub heading: Heading,
    /// Whether `.ko-rs.yaml` may hold it.
    pub in_file: bool,
    /// Whether its value in `.ko-rs.yaml` may hold templates.
    pub template: bool,
    /// Whether `-h` lists the flag; `--help` lists all of them.
    pub common: bool,
    /// The long flag.
    pub flag: Option<&'static str>,
    /// The short flag.
    pub short: Option<char>,
    /// The environment variable.
    pub variable: Option<&'static str>,
    /// The default value, as help shows it.
    pub default: &'static str,
    /// The kind of the value.
    pub kind: Kind,
    /// The commands that take the flag.
    pub scope: Scope,
    /// The name of the value in help.
    pub value: &'static str,
    /// One line of help.
    pub help: &'static str,
}

impl Setting {
    const fn new(kind: Kind, value: &'static str, help: &'static str) -> Self {
        Self {
            key: Key::Filename,
            name: "",
            heading: Heading::General,
            in_file: false,
            template: false,
            common: false,
            flag: None,
            short: None,
            variable: None,
            default: "",
            kind,
            scope: Scope::Images,
            value,
            help,
        }
    }

    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    const fn variable(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    const fn in_file(mut self) -> Self {
        self.in_file = true;
        self
    }

    const fn template(mut self) -> Self {
        self.template = true;
        self
    }

    const fn common(mut self) -> Self {
        self.common = true;
        self
    }
}

const fn switch(help: &'static str) -> Setting {
    Setting::new(Kind::Switch, "BOOL", help).default("false")
}

const fn text(value: &'static str, help: &'static str) -> Setting {
    Setting::new(Kind::Text, value, help)
}

const fn list(value: &'static str, help: &'static str) -> Setting {
    Setting::new(Kind::List, value, help)
}

const fn texts(value: &'static str, help: &'static str) -> Setting {
    Setting::new(Kind::Texts, value, help)
}

const fn map(value: &'static str, help: &'static str) -> Setting {
    Setting::new(Kind::Map, value, help)
}

const fn number(value: &'static str, help: &'static str) -> Setting {
    Setting::new(Kind::Number, value, help)
}

const fn nested(help: &'static str) -> Setting {
    Setting::new(Kind::Nested, "", help).in_file()
}

/// The keys of a mapping in `.ko-rs.yaml`.
pub trait Keys: Copy + Ord + 'static {
    /// Every key with its name, the kind of its value and whether that may hold templates.
    fn all() -> impl Iterator<Item = (Self, &'static str, Kind, bool)>;

    /// The key as it is written.
    #[must_use]
    fn name(self) -> &'static str {
        Self::all().find(|(key, ..)| *key == self).map_or("", |(_, name, ..)| name)
    }
}

/// Defines [`Key`] and [`SETTINGS`].
macro_rules! settings {
    ($($heading:ident { $($key:ident $name:literal = $setting:expr;)+ })+) => {
        /// The key of a setting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Key {
            $($(#[doc = concat!("`", $name, "`.")] $key,)+)+
        }

        /// The settings, in the order in which help lists them.
        pub const SETTINGS: &[Setting] = &[$($(
            Setting { key: Key::$key, name: $name, heading: Heading::$heading, ..$setting },
        )+)+];
    };
}

/// Defines the keys of a nested mapping.
macro_rules! keys {
    ($(#[$doc:meta])* $type:ident { $($key:ident $name:literal = $kind:ident $($template:ident)?, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $(#[doc = concat!("`", $name, "`.")] $key,)+
        }

        impl $type {
            /// Name, kind and help of every key.
            pub const TABLE: &[(&'static str, Kind, &'static str)] =
                &[$(($name, Kind::$kind, $help),)+];
        }

        impl Keys for $type {
            fn all() -> impl Iterator<Item = (Self, &'static str, Kind, bool)> {
                [$((Self::$key, $name, Kind::$kind, !concat!("" $(, stringify!($template))?).is_empty()),)+].into_iter()
            }
        }
    };
}

settings! {
    Manifests {
        Filename "filename" = texts("PATH", "Manifest file, folder, glob pattern or URL, or `-` for standard input; may be repeated")
            .flag("filename").short('f').scope(Scope::Manifests).common();
        Kustomize "kustomize" = text("FOLDER", "Kustomization to build with `kustomize` or `kubectl`, instead of `-f`")
            .flag("kustomize").short('k').scope(Scope::Manifests).common();
        Recursive "recursive" = switch("Also read subfolders")
            .flag("recursive").short('R').scope(Scope::Manifests).common();
        Selector "selector" = text("SELECTOR", "Use only objects with matching labels: `app=link,tier!=db`, `env in (a,b)`, `!draft`")
            .flag("selector").short('l').scope(Scope::Manifests).common();
        OutputFile "outputFile" = text("FILE", "Write the manifests to this file")
            .flag("output-file").short('o').scope(Scope::Resolve).default("-").common();
        OutputFolder "outputFolder" = text("FOLDER", "Write each manifest to a file of its own in this folder")
            .flag("output-dir").scope(Scope::Resolve).common();
        InPlace "inPlace" = switch("Write each manifest back to the file that it was read from")
            .flag("in-place").scope(Scope::Resolve).common();
        ReferencePrefixes "referencePrefixes" = list("PREFIX", "Prefixes that make a string a reference")
            .in_file().default("ko-rs://, ko://");
        IgnoreReferenceTags "ignoreReferenceTags" = switch("Remove a tag or digest after a reference (`ko://link:0.3`) instead of failing")
            .in_file().scope(Scope::Manifests);
        Images "images" = map("", "Image repositories that are built from crates: `g1g1/delinkcious-link: link-service`")
            .in_file().scope(Scope::Manifests);
        ImageFields "imageFields" = list("FIELD", "Fields other than `image` that hold images: `runtimeImage`, `engine.image`")
            .in_file().scope(Scope::Manifests);
        Lints "lints" = map("", "Level of each lint: `off`, `warn` or `deny`; see lints.md")
            .in_file().default("all `warn`");
    }
    Destination {
        Repo "repo" = text("REPO", "Registry repository to push images to, or `ko.local`, `kind.local`, `k3d.local`, `minikube.local` or `auto`")
            .flag("repo").variable("KO_DOCKER_REPO").common();
        KindCluster "kindCluster" = text("NAME", "Cluster of kind that `kind.local` stands for; by default that of the current context, or `kind`")
            .in_file().variable("KIND_CLUSTER_NAME");
        K3dCluster "k3dCluster" = text("NAME", "Cluster of k3d that `k3d.local` stands for; by default that of the current context, or `k3s-default`")
            .in_file();
        MinikubeProfile "minikubeProfile" = text("NAME", "Profile of minikube that `minikube.local` stands for; by default that of the current context, or `minikube`")
            .in_file().variable("MINIKUBE_PROFILE");
        Local "local" = switch("Load images into the Docker Engine, like `--repo=ko.local`")
            .flag("local").short('L').common();
        Push "push" = switch("Push images; `--push=false` only builds them and computes their names")
            .flag("push").default("true").common();
        OciLayoutPath "ociLayoutPath" = text("FOLDER", "Also write images to this OCI image layout")
            .flag("oci-layout-path");
        Tarball "tarball" = text("FILE", "Also write images to this archive for `docker load`; an oci-archive if there are several platforms")
            .flag("tarball");
        ImageRefs "imageRefs" = text("FILE", "Also write the image references to this file, one a line")
            .flag("image-refs");
        ImagesFile "imagesFile" = texts("TOOL=FILE", "Also write the images to a file that `kustomize`, `helm`, `kbld`, `imgpkg` or `skaffold` reads (Helm: `index .Values.images \"EXECUTABLE\" \"image\"`); may be repeated")
            .flag("images-file");
        Tags "tags" = list("TAG", "Tags of the images; `--tags=` pushes by digest only")
            .flag("tags").short('t').variable("KO_RS_TAGS").default("latest").common();
        TagOnly "tagOnly" = switch("Print the tag instead of the digest; requires exactly one tag other than `latest`")
            .flag("tag-only");
        KeepTag "keepTag" = text("TEMPLATE", "Template of an additional tag in registries that is set once and never moved")
            .in_file().template();
        PreserveImportPaths "preserveImportPaths" = switch("Name repositories `REPO/whole/import/path`")
            .flag("preserve-import-paths").short('P');
        BaseImportPaths "baseImportPaths" = switch("Name repositories `REPO/last-element`, without the hash")
            .flag("base-import-paths").short('B');
        Bare "bare" = switch("Name the repository `REPO` itself")
            .flag("bare");
        ImportPath "importPath" = text("PATH", "Start of import paths, instead of the package's `repository`")
            .in_file();
    }
    Image {
        Platform "platform" = list("PLATFORM", "Platforms to build for: `linux/amd64,linux/arm64`, or `all` platforms of the base image; by default the host's architecture")
            .flag("platform").variable("KO_RS_DEFAULTPLATFORMS").common();
        DefaultPlatforms "defaultPlatforms" = list("PLATFORM", "Platforms of builds that do not set `platforms`")
            .in_file();
        BaseImage "baseImage" = text("IMAGE", "Base image of every build: `static`, `scratch`, an image in a registry, `oci:FOLDER`")
            .flag("base-image").variable("KO_RS_DEFAULTBASEIMAGE").common();
        DefaultBaseImage "defaultBaseImage" = text("IMAGE", "Base image of builds that do not set `base`")
            .in_file().default("static");
        BaseImageOverrides "baseImageOverrides" = map("", "Base images by crate: a package, a folder or an import path")
            .in_file();
        ImageLabels "imageLabels" = map("KEY=VALUE", "Label to add to every image; may be repeated")
            .flag("image-label");
        ImageAnnotations "imageAnnotations" = map("KEY=VALUE", "Annotation to add to every image manifest; may be repeated")
            .flag("image-annotation");
        ImageUser "imageUser" = text("USER", "User (and group) that containers run as")
            .flag("image-user");
        Created "created" = number("SECONDS", "Creation time of images, in seconds since 1970")
            .flag("created").variable("SOURCE_DATE_EPOCH").default("0");
        DataModified "dataModified" = number("SECONDS", "Modification time of files in `kodata/`, in seconds since 1970")
            .variable("KO_DATA_DATE_EPOCH").default("0");
        LayerCompression "layerCompression" = text("METHOD", "`gzip`, `zstd`, `none`, or `auto`: none for registries on loopback, the Docker Engine and `docker load`, otherwise gzip")
            .in_file().flag("layer-compression").variable("KO_RS_LAYERCOMPRESSION").default("auto");
        LayerCompressionLevel "layerCompressionLevel" = number("LEVEL", "Level of `gzip` (1 to 9) or `zstd` (1 to 19)")
            .in_file().flag("layer-compression-level").variable("KO_RS_LAYERCOMPRESSIONLEVEL").default("2 for gzip, 3 for zstd");
        DefaultImage "defaultImage" = nested("Container settings of every image: the keys of a build's `image`, which override these");
        Files "files" = nested("Files to add to every image: `{from, to, mode}`");
        LinkCheck "linkCheck" = switch("Reject executables whose loader or libraries the base image lacks or has in an older version")
            .in_file().flag("link-check").default("true");
        NoLinkCheck "noLinkCheck" = switch("Do not check executables, like `--link-check=false`")
            .flag("no-link-check");
        Sbom "sbom" = list("FORMAT", "SBOM format: `spdx`, `cyclonedx` or `none`; with `required`, fail if the SBOM cannot be published")
            .in_file().flag("sbom").variable("KO_RS_SBOM").default("spdx");
        SbomDir "sbomDir" = text("FOLDER", "Also write SBOMs to this folder: `BIN-linux-amd64.spdx.json`")
            .flag("sbom-dir");
    }
    Cargo {
        ManifestPath "manifestPath" = text("PATH", "Path of the workspace's Cargo.toml")
            .flag("manifest-path").variable("KO_RS_MANIFEST_PATH").common();
        Workspaces "workspaces" = list("FOLDER", "Folders of the Cargo workspaces in which references are looked up")
            .in_file();
        Builds "builds" = nested("Settings by crate: see the keys of a build");
        Profile "profile" = text("PROFILE", "Cargo profile of every build")
            .flag("profile").variable("KO_RS_DEFAULTPROFILE").common();
        DefaultProfile "defaultProfile" = text("PROFILE", "Cargo profile of builds that do not set `profile`")
            .in_file().default("release");
        DefaultFlags "defaultFlags" = list("FLAG", "Flags for `cargo build`, for builds that do not set `flags`")
            .in_file().variable("KO_RS_DEFAULTFLAGS").template();
        DefaultEnv "defaultEnv" = list("KEY=VALUE", "`KEY=VALUE` for Cargo's environment, for builds that do not set `env`")
            .in_file().variable("KO_RS_DEFAULTENV").template();
        Features "features" = list("FEATURE", "Cargo features to activate")
            .flag("features").short('F').common();
        AllFeatures "allFeatures" = switch("Activate all Cargo features")
            .flag("all-features");
        NoDefaultFeatures "noDefaultFeatures" = switch("Do not activate the `default` feature")
            .flag("no-default-features");
        FeatureUnification "featureUnification" = text("METHOD", "Features of shared dependencies: `package` as if each crate were built alone, `workspace` like `cargo build --workspace`")
            .in_file().flag("feature-unification").variable("KO_RS_FEATUREUNIFICATION").default("package");
        Debug "debug" = switch("Keep debug information in the executable; see docs/compiling.md")
            .flag("debug");
        Locked "locked" = switch("Require Cargo.lock to be up to date")
            .flag("locked").default("true if `CI` is set");
        Offline "offline" = switch("Run Cargo without network access, and do not install rustup targets")
            .flag("offline");
        Frozen "frozen" = switch("Like `--locked` and `--offline` together")
            .flag("frozen");
        Jobs "jobs" = number("N", "Number of parallel jobs, for Cargo and for publishing images")
            .flag("jobs").short('j').variable("KO_RS_JOBS").default("number of cores");
    }
    Registry {
        InsecureRegistry "insecureRegistry" = switch("Allow plain HTTP, and TLS certificates that cannot be verified")
            .flag("insecure-registry").scope(Scope::Registries);
        RegistryTimeout "registryTimeout" = text("TIME", "How long to keep retrying a registry that fails or does not answer")
            .flag("registry-timeout").variable("KO_RS_REGISTRY_TIMEOUT").default("1m").scope(Scope::Registries);
    }
    Cluster {
        Context "context" = text("NAME", "Context of the kubeconfig")
            .flag("context").variable("KO_RS_CONTEXT").scope(Scope::Cluster).common();
        Kubeconfig "kubeconfig" = text("FILE", "Path of the kubeconfig")
            .flag("kubeconfig").variable("KUBECONFIG").default("~/.kube/config").scope(Scope::Cluster);
        Namespace "namespace" = text("NAME", "Namespace of objects that do not name one")
            .flag("namespace").short('n').scope(Scope::Cluster).common();
        AllowContexts "allowContexts" = list("NAME", "Contexts in which objects may be changed, with `*` for any text; any other one must be named with `--context`")
            .in_file();
        Wait "wait" = switch("Wait until applied objects are ready or deleted objects no longer exist")
            .flag("wait").scope(Scope::Writes).common();
        Timeout "timeout" = text("TIME", "How long `--wait` waits: `90s`, `5m`, `1h`")
            .flag("timeout").default("5m").scope(Scope::Writes);
        DryRun "dryRun" = text("MODE", "`server`: ask the API server what would change; `client`: only read and print")
            .flag("dry-run").default("none").scope(Scope::Writes).common();
        ForceConflicts "forceConflicts" = switch("Take ownership of fields that another manager owns")
            .flag("force-conflicts").scope(Scope::Changes);
        Dev "dev" = nested("Settings of `ko-rs dev`: see the keys of `dev`");
        Events "events" = text("FILE", "Write every event to this file, one JSON document a line; see docs/schema")
            .flag("events").scope(Scope::Dev).common();
        IgnoreNotFound "ignoreNotFound" = switch("Ignore objects that do not exist")
            .flag("ignore-not-found").scope(Scope::Delete).common();
    }
    General {
        CachePath "cachePath" = text("FOLDER", "Folder in which the cache is kept, in the subfolder `ko-rs`")
            .variable("KOCACHE").default("the user's cache folder");
        CacheSize "cacheSize" = text("SIZE", "Maximum size of the cache; least recently used entries are removed first")
            .in_file().variable("KO_RS_CACHE_SIZE").default("10GiB");
        NoCache "noCache" = switch("Neither read nor write the cache")
            .flag("no-cache");
        RequiredVersion "requiredVersion" = text("VERSION", "Version of ko-rs that is required: `0.1`, `>=0.1.2`")
            .in_file();
        Config "config" = text("FILE", "Settings file")
            .flag("config").variable("KO_RS_CONFIG_PATH").default("the nearest `.ko-rs.yaml` up to the Git root").scope(Scope::Everywhere);
        Directory "directory" = text("FOLDER", "Change to this folder first")
            .flag("directory").short('C').scope(Scope::Everywhere);
        Color "color" = text("WHEN", "Use colors: `auto`, `always` or `never`; NO_COLOR and CLICOLOR_FORCE are read too")
            .flag("color").variable("CARGO_TERM_COLOR").default("auto").scope(Scope::Everywhere);
        Output "output" = text("FORMAT", "Print the result as `text` or as one `json` document; see docs/schema")
            .flag("output").default("text").scope(Scope::Everywhere).common();
        Progress "progress" = text("FORMAT", "Print progress and errors as `text`, or as `json` with one event a line; see docs/schema")
            .flag("progress").default("text").scope(Scope::Everywhere);
        Verbose "verbose" = switch("Print more details")
            .flag("verbose").short('v').scope(Scope::Everywhere).common();
        Quiet "quiet" = switch("Print only warnings and errors")
            .flag("quiet").short('q').scope(Scope::Everywhere).common();
    }
}

keys! {
    /// The keys of an entry of `builds`.
    BuildKey {
        Id "id" = Text, "Name of the build in messages";
        Package "package" = Text, "Package to build";
        Bin "bin" = Text, "Binary, if the package has several";
        Dir "dir" = Text, "Folder of the package, instead of `package`";
        Env "env" = List template, "`KEY=VALUE` for Cargo's environment";
        Flags "flags" = List template, "Flags for `cargo build`";
        Features "features" = List, "Cargo features to activate";
        Profile "profile" = Text, "Cargo profile";
        Target "target" = List, "Target triples to use instead of the musl target of each platform";
        Rustflags "rustflags" = List template, "Flags for rustc, after the workspace's own";
        Platforms "platforms" = List, "Platforms to build for, or `all`";
        Base "base" = Text, "Base image";
        Files "files" = Nested, "Files to add to the image: `{from, to, mode}`";
        Image "image" = Nested, "How containers of the image run, and its metadata";
    }
}

keys! {
    /// The keys of `defaultImage`, and of `image` of an entry of `builds`.
    ImageKey {
        Env "env" = Map template, "Environment of the container";
        Args "args" = List template, "Arguments of the executable";
        WorkingDir "workingDir" = Text, "Working directory";
        User "user" = Text, "User (and group)";
        Labels "labels" = Map template, "Labels";
        Annotations "annotations" = Map template, "Annotations of the image manifest";
        Ports "ports" = List, "Exposed ports: `8080/tcp`";
        Capabilities "capabilities" = List, "Linux capabilities of the executable: `net_bind_service`, `net_raw=ep`";
    }
}

keys! {
    /// The keys of an entry of `files`.
    FileKey {
        From "from" = Text, "File or folder, relative to `.ko-rs.yaml`";
        To "to" = Text, "Absolute path in the image";
        Mode "mode" = Text, "Permissions in octal; by default 0644, or 0755 for executable files";
    }
}

keys! {
    /// The keys of `dev`.
    DevKey {
        Manifests "manifests" = List, "Manifests to deploy without `-f`, relative to `.ko-rs.yaml`";
        Namespace "namespace" = Text template, "Namespace of objects that do not name one; created if it does not exist";
        Profile "profile" = Text, "Cargo profile of every build; `ko-rs-dev` is `dev` without debug information";
        AtEnd "atEnd" = Text, "What becomes of the objects at the end: `leave` or `down`";
    }
}

impl Key {
    /// The setting of this key.
    #[must_use]
    pub fn setting(self) -> &'static Setting {
        &SETTINGS[self as usize]
    }
}

impl Keys for Key {
    fn all() -> impl Iterator<Item = (Self, &'static str, Kind, bool)> {
        let in_file = SETTINGS.iter().filter(|setting| setting.in_file);
        in_file.map(|setting| (setting.key, setting.name, setting.kind, setting.template))
    }

    fn name(self) -> &'static str {
        self.setting().name
    }
}

/// Whether the values of a key may hold templates.
pub(super) fn takes_templates(name: &str) -> bool {
    fn is<K: Keys>(name: &str) -> bool {
        K::all().any(|(_, key, _, template)| template && key == name)
    }
    is::<Key>(name) || is::<BuildKey>(name) || is::<ImageKey>(name) || is::<DevKey>(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_flags_and_variables_are_unique() {
        let unique = |names: Vec<String>| {
            let set: BTreeSet<_> = names.iter().collect();
            assert_eq!(set.len(), names.len(), "{names:?}");
        };
        unique(SETTINGS.iter().map(|s| s.name.to_owned()).collect());
        unique(SETTINGS.iter().filter_map(|s| s.flag.map(str::to_owned)).collect());
        unique(SETTINGS.iter().filter_map(|s| s.short.map(String::from)).collect());
        unique(SETTINGS.iter().filter_map(|s| s.variable.map(str::to_owned)).collect());
    }

    #[test]
    fn variables_of_go_s_ko_are_not_read() {
        for setting in SETTINGS {
            let variable = setting.variable.unwrap_or_default();
            assert!(
                !variable.starts_with("KO_DEFAULT") && variable != "KO_CONFIG_PATH",
                "{variable}"
            );
        }
    }
}
