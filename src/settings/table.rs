//! Every setting, once: its key in `.ko-rs.yaml`, its flag, its variable, its default and one line
//! of help. Help, documentation, the reader of the file and the look-up of variables come from here.

/// What a setting's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// One text.
    Text,
    /// Texts; a flag may be repeated or hold them with commas between.
    List,
    /// Texts; a flag may be repeated, a comma is part of the text.
    Texts,
    /// `key=value`; a flag may be repeated.
    Map,
    /// A whole number.
    Number,
    /// Only in the file: what `builds[]` and `files:` are made of.
    Nested,
}

/// Which subcommands have a setting's flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Everywhere,
    /// Those that make images: `build`, `resolve`, `apply`, `create`; `check` takes them too.
    Images,
    /// Those that read manifests: `resolve`, `check`, `apply`, `create`, `delete`.
    Manifests,
    /// Those that speak to a registry: the same, and `login`.
    Registries,
    /// `resolve`.
    Resolve,
    /// Those that speak to a cluster: `apply`, `create`, `delete`.
    Cluster,
    /// `apply` and `create`.
    Changes,
    /// `delete`.
    Delete,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name under which code asks for it; the key in `.ko-rs.yaml` where [`Setting::in_file`].
    pub key: &'static str,
    /// Whether `.ko-rs.yaml` may hold it.
    pub in_file: bool,
    /// The long flag.
    pub flag: Option<&'static str>,
    /// The short flag.
    pub short: Option<char>,
    /// The environment variable.
    pub variable: Option<&'static str>,
    /// The value where none is given, as help shows it.
    pub default: &'static str,
    /// What the value is.
    pub kind: Kind,
    /// Where the flag is taken.
    pub scope: Scope,
    /// The name of the value in help.
    pub value: &'static str,
    /// One line of help.
    pub help: &'static str,
}

const BLANK: Setting = Setting {
    key: "",
    in_file: false,
    flag: None,
    short: None,
    variable: None,
    default: "",
    kind: Kind::Text,
    scope: Scope::Images,
    value: "VALUE",
    help: "",
};

/// The settings, in the order in which help lists them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "filename",
        flag: Some("filename"),
        short: Some('f'),
        kind: Kind::Texts,
        scope: Scope::Manifests,
        value: "PATH",
        help: "Manifest file, folder, pattern, URL, or `-` for standard input; may be repeated",
        ..BLANK
    },
    Setting {
        key: "kustomize",
        flag: Some("kustomize"),
        short: Some('k'),
        scope: Scope::Manifests,
        value: "FOLDER",
        help: "Kustomization to build, by `kustomize` or `kubectl`; instead of `-f`",
        ..BLANK
    },
    Setting {
        key: "recursive",
        flag: Some("recursive"),
        short: Some('R'),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Manifests,
        help: "Also read the folders below a folder",
        ..BLANK
    },
    Setting {
        key: "selector",
        flag: Some("selector"),
        short: Some('l'),
        scope: Scope::Manifests,
        value: "SELECTOR",
        help: "Only objects with these labels: `app=link,tier!=db`, `env in (a,b)`, `!draft`",
        ..BLANK
    },
    Setting {
        key: "outputFile",
        flag: Some("output-file"),
        short: Some('o'),
        scope: Scope::Resolve,
        default: "-",
        value: "FILE",
        help: "Write the manifests into this file",
        ..BLANK
    },
    Setting {
        key: "outputFolder",
        flag: Some("output-dir"),
        scope: Scope::Resolve,
        value: "FOLDER",
        help: "Write each manifest into a file of its own below this folder",
        ..BLANK
    },
    Setting {
        key: "inPlace",
        flag: Some("in-place"),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Resolve,
        help: "Write each manifest into the file that it was read from",
        ..BLANK
    },
    Setting {
        key: "repo",
        flag: Some("repo"),
        variable: Some("KO_DOCKER_REPO"),
        value: "REPO",
        help: "Where images go: a registry's repository, or `ko.local` for the Docker Engine",
        ..BLANK
    },
    Setting {
        key: "local",
        flag: Some("local"),
        short: Some('L'),
        kind: Kind::Switch,
        default: "false",
        help: "Load images into the Docker Engine, as `--repo=ko.local` does",
        ..BLANK
    },
    Setting {
        key: "push",
        flag: Some("push"),
        kind: Kind::Switch,
        default: "true",
        help: "Push images; `--push=false` only builds them and computes their names",
        ..BLANK
    },
    Setting {
        key: "ociLayoutPath",
        flag: Some("oci-layout-path"),
        value: "FOLDER",
        help: "Also write images into this OCI image layout",
        ..BLANK
    },
    Setting {
        key: "tarball",
        flag: Some("tarball"),
        value: "FILE",
        help: "Also write images into this archive for `docker load`; for several platforms an oci-archive",
        ..BLANK
    },
    Setting {
        key: "imageRefs",
        flag: Some("image-refs"),
        value: "FILE",
        help: "Also write the names of the images into this file, a line each",
        ..BLANK
    },
    Setting {
        key: "imagesFile",
        flag: Some("images-file"),
        kind: Kind::Texts,
        value: "TOOL=FILE",
        help: "Also tell `kustomize`, `helm`, `kbld`, `imgpkg` or `skaffold` of the images by this file, in Helm as `index .Values.images \"EXECUTABLE\" \"image\"`; may be repeated",
        ..BLANK
    },
    Setting {
        key: "tags",
        flag: Some("tags"),
        short: Some('t'),
        variable: Some("KO_RS_TAGS"),
        kind: Kind::List,
        default: "latest",
        value: "TAG",
        help: "Tags that images get; none, with `--tags=`, pushes by digest alone",
        ..BLANK
    },
    Setting {
        key: "tagOnly",
        flag: Some("tag-only"),
        kind: Kind::Switch,
        default: "false",
        help: "Print the tag instead of the digest; needs one tag that is not `latest`",
        ..BLANK
    },
    Setting {
        key: "keepTag",
        in_file: true,
        help: "Another tag for images in registries, a template, which is set once and never moved",
        ..BLANK
    },
    Setting {
        key: "preserveImportPaths",
        flag: Some("preserve-import-paths"),
        short: Some('P'),
        kind: Kind::Switch,
        default: "false",
        help: "Name repositories `REPO/whole/import/path`",
        ..BLANK
    },
    Setting {
        key: "baseImportPaths",
        flag: Some("base-import-paths"),
        short: Some('B'),
        kind: Kind::Switch,
        default: "false",
        help: "Name repositories `REPO/last-element`, without the hash",
        ..BLANK
    },
    Setting {
        key: "bare",
        flag: Some("bare"),
        kind: Kind::Switch,
        default: "false",
        help: "Name the repository `REPO` itself",
        ..BLANK
    },
    Setting {
        key: "insecureRegistry",
        flag: Some("insecure-registry"),
        scope: Scope::Registries,
        kind: Kind::Switch,
        default: "false",
        help: "Allow plain http, and TLS certificates that cannot be verified",
        ..BLANK
    },
    Setting {
        key: "registryTimeout",
        flag: Some("registry-timeout"),
        scope: Scope::Registries,
        variable: Some("KO_RS_REGISTRY_TIMEOUT"),
        default: "1m",
        value: "TIME",
        help: "For how long in all a registry that fails or is silent is asked again",
        ..BLANK
    },
    Setting {
        key: "platform",
        in_file: false,
        flag: Some("platform"),
        variable: Some("KO_RS_DEFAULTPLATFORMS"),
        kind: Kind::List,
        value: "PLATFORM",
        help: "Platforms to build for: `linux/amd64,linux/arm64`, or `all` that the base has; the host's architecture if not set",
        ..BLANK
    },
    Setting {
        key: "defaultPlatforms",
        in_file: true,
        kind: Kind::List,
        help: "Platforms of builds that name none",
        ..BLANK
    },
    Setting {
        key: "baseImage",
        flag: Some("base-image"),
        variable: Some("KO_RS_DEFAULTBASEIMAGE"),
        value: "IMAGE",
        help: "Base image of everything: `static`, `scratch`, a registry's image, `oci:FOLDER`",
        ..BLANK
    },
    Setting {
        key: "defaultBaseImage",
        in_file: true,
        default: "static",
        help: "Base image of builds that name none",
        ..BLANK
    },
    Setting {
        key: "baseImageOverrides",
        in_file: true,
        kind: Kind::Map,
        help: "Base images by crate: a package, a folder or an import path",
        ..BLANK
    },
    Setting {
        key: "imageLabels",
        flag: Some("image-label"),
        kind: Kind::Map,
        value: "KEY=VALUE",
        help: "Label of every image; may be repeated",
        ..BLANK
    },
    Setting {
        key: "imageAnnotations",
        flag: Some("image-annotation"),
        kind: Kind::Map,
        value: "KEY=VALUE",
        help: "Annotation of every image's manifest; may be repeated",
        ..BLANK
    },
    Setting {
        key: "imageUser",
        flag: Some("image-user"),
        value: "USER",
        help: "User (and group) that images run as",
        ..BLANK
    },
    Setting {
        key: "created",
        flag: Some("created"),
        variable: Some("SOURCE_DATE_EPOCH"),
        kind: Kind::Number,
        default: "0",
        value: "SECONDS",
        help: "Creation time of images, in seconds since 1970",
        ..BLANK
    },
    Setting {
        key: "dataModified",
        variable: Some("KO_DATA_DATE_EPOCH"),
        kind: Kind::Number,
        default: "0",
        help: "Modification time of files in `kodata/`, in seconds since 1970",
        ..BLANK
    },
    Setting {
        key: "layerCompression",
        in_file: true,
        flag: Some("layer-compression"),
        variable: Some("KO_RS_LAYERCOMPRESSION"),
        default: "auto",
        value: "HOW",
        help: "`auto` (none on loopback registries, in daemons and for `docker load`, else gzip), `gzip`, `zstd` or `none`",
        ..BLANK
    },
    Setting {
        key: "layerCompressionLevel",
        in_file: true,
        flag: Some("layer-compression-level"),
        variable: Some("KO_RS_LAYERCOMPRESSIONLEVEL"),
        kind: Kind::Number,
        default: "2 for gzip, 3 for zstd",
        value: "LEVEL",
        help: "Level of `gzip` (1 to 9) or `zstd` (1 to 19)",
        ..BLANK
    },
    Setting {
        key: "profile",
        flag: Some("profile"),
        variable: Some("KO_RS_DEFAULTPROFILE"),
        value: "PROFILE",
        help: "Cargo profile of everything",
        ..BLANK
    },
    Setting {
        key: "defaultProfile",
        in_file: true,
        default: "release",
        help: "Cargo profile of builds that name none",
        ..BLANK
    },
    Setting {
        key: "defaultFlags",
        in_file: true,
        variable: Some("KO_RS_DEFAULTFLAGS"),
        kind: Kind::List,
        help: "Flags for `cargo build`, of builds that have none",
        ..BLANK
    },
    Setting {
        key: "defaultEnv",
        in_file: true,
        variable: Some("KO_RS_DEFAULTENV"),
        kind: Kind::List,
        help: "`KEY=VALUE` for Cargo's environment, of builds that have none",
        ..BLANK
    },
    Setting {
        key: "features",
        flag: Some("features"),
        short: Some('F'),
        kind: Kind::List,
        value: "FEATURE",
        help: "Cargo features to activate",
        ..BLANK
    },
    Setting {
        key: "allFeatures",
        flag: Some("all-features"),
        kind: Kind::Switch,
        default: "false",
        help: "Activate all Cargo features",
        ..BLANK
    },
    Setting {
        key: "noDefaultFeatures",
        flag: Some("no-default-features"),
        kind: Kind::Switch,
        default: "false",
        help: "Do not activate the `default` feature",
        ..BLANK
    },
    Setting {
        key: "featureUnification",
        in_file: true,
        flag: Some("feature-unification"),
        variable: Some("KO_RS_FEATUREUNIFICATION"),
        default: "package",
        value: "HOW",
        help: "Features of shared dependencies: `package` as if a crate were built alone, `workspace` as `cargo build --workspace` does",
        ..BLANK
    },
    Setting {
        key: "debug",
        flag: Some("debug"),
        kind: Kind::Switch,
        default: "false",
        help: "Keep in the executable what a debugger needs; see docs/compiling.md",
        ..BLANK
    },
    Setting {
        key: "manifestPath",
        flag: Some("manifest-path"),
        variable: Some("KO_RS_MANIFEST_PATH"),
        value: "PATH",
        help: "The workspace's Cargo.toml",
        ..BLANK
    },
    Setting {
        key: "workspaces",
        in_file: true,
        kind: Kind::List,
        help: "Folders of the Cargo workspaces that references are looked for in",
        ..BLANK
    },
    Setting {
        key: "importPath",
        in_file: true,
        help: "Start of import paths, in place of the package's `repository`",
        ..BLANK
    },
    Setting {
        key: "referencePrefixes",
        in_file: true,
        kind: Kind::List,
        default: "ko-rs://, ko://",
        help: "Prefixes that make a string a reference",
        ..BLANK
    },
    Setting {
        key: "ignoreReferenceTags",
        in_file: true,
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Manifests,
        help: "Take away a tag or digest behind a reference (`ko://link:0.3`), which else is an error",
        ..BLANK
    },
    Setting {
        key: "images",
        in_file: true,
        kind: Kind::Map,
        scope: Scope::Manifests,
        help: "Repositories of images that are made of crates: `g1g1/delinkcious-link: link-service`",
        ..BLANK
    },
    Setting {
        key: "imageFields",
        in_file: true,
        kind: Kind::List,
        scope: Scope::Manifests,
        help: "Fields besides `image` that hold images: `runtimeImage`, `engine.image`",
        ..BLANK
    },
    Setting {
        key: "lints",
        in_file: true,
        kind: Kind::Map,
        default: "all `warn`",
        help: "What is done about each lint's findings: `off`, `warn` or `deny`; see lints.md",
        ..BLANK
    },
    Setting {
        key: "locked",
        flag: Some("locked"),
        kind: Kind::Switch,
        default: "where `CI` is set",
        help: "Assert that Cargo.lock is up to date",
        ..BLANK
    },
    Setting {
        key: "offline",
        flag: Some("offline"),
        kind: Kind::Switch,
        default: "false",
        help: "Run Cargo without the network, and add no rustup target",
        ..BLANK
    },
    Setting {
        key: "frozen",
        flag: Some("frozen"),
        kind: Kind::Switch,
        default: "false",
        help: "As `--locked` and `--offline`",
        ..BLANK
    },
    Setting {
        key: "builds",
        in_file: true,
        kind: Kind::Nested,
        help: "Settings by crate: see the keys of a build",
        ..BLANK
    },
    Setting {
        key: "defaultImage",
        in_file: true,
        kind: Kind::Nested,
        help: "How containers of every image run: the keys of a build's `image`, which go before these",
        ..BLANK
    },
    Setting {
        key: "files",
        in_file: true,
        kind: Kind::Nested,
        help: "Files that go into every image: `{from, to, mode}`",
        ..BLANK
    },
    Setting {
        key: "linkCheck",
        in_file: true,
        flag: Some("link-check"),
        kind: Kind::Switch,
        default: "true",
        help: "Refuse executables whose loader or libraries the base lacks or has in an older version",
        ..BLANK
    },
    Setting {
        key: "noLinkCheck",
        flag: Some("no-link-check"),
        kind: Kind::Switch,
        default: "false",
        help: "Take executables as they are: the same as `--link-check=false`",
        ..BLANK
    },
    Setting {
        key: "jobs",
        flag: Some("jobs"),
        short: Some('j'),
        variable: Some("KO_RS_JOBS"),
        kind: Kind::Number,
        default: "the number of cores",
        value: "N",
        help: "How many images are published at once, and Cargo's jobs",
        ..BLANK
    },
    Setting {
        key: "cachePath",
        variable: Some("KOCACHE"),
        default: "the user's cache folder",
        help: "Folder that holds ko-rs's cache in its folder `ko-rs`",
        ..BLANK
    },
    Setting {
        key: "cacheSize",
        in_file: true,
        variable: Some("KO_RS_CACHE_SIZE"),
        default: "10GiB",
        value: "SIZE",
        help: "How much the cache may hold; what was used least lately goes first",
        ..BLANK
    },
    Setting {
        key: "noCache",
        flag: Some("no-cache"),
        kind: Kind::Switch,
        default: "false",
        help: "Ignore what earlier runs left in the cache, and leave nothing in it",
        ..BLANK
    },
    Setting {
        key: "sbom",
        in_file: true,
        flag: Some("sbom"),
        variable: Some("KO_RS_SBOM"),
        kind: Kind::List,
        default: "spdx",
        value: "FORMAT",
        help: "Bill of materials: `spdx`, `cyclonedx` or `none`; with `required`, no image without it",
        ..BLANK
    },
    Setting {
        key: "sbomDir",
        flag: Some("sbom-dir"),
        value: "FOLDER",
        help: "Also write bills of materials into this folder: `BIN-linux-amd64.spdx.json`",
        ..BLANK
    },
    Setting {
        key: "context",
        flag: Some("context"),
        variable: Some("KO_RS_CONTEXT"),
        scope: Scope::Cluster,
        value: "NAME",
        help: "Context of the kubeconfig",
        ..BLANK
    },
    Setting {
        key: "kubeconfig",
        flag: Some("kubeconfig"),
        variable: Some("KUBECONFIG"),
        scope: Scope::Cluster,
        default: "~/.kube/config",
        value: "FILE",
        help: "The kubeconfig",
        ..BLANK
    },
    Setting {
        key: "namespace",
        flag: Some("namespace"),
        short: Some('n'),
        scope: Scope::Cluster,
        value: "NAME",
        help: "Namespace of objects that name none",
        ..BLANK
    },
    Setting {
        key: "allowContexts",
        in_file: true,
        kind: Kind::List,
        help: "The only contexts that may be changed",
        ..BLANK
    },
    Setting {
        key: "wait",
        flag: Some("wait"),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Cluster,
        help: "Wait until what was applied is ready, or what was deleted is gone",
        ..BLANK
    },
    Setting {
        key: "timeout",
        flag: Some("timeout"),
        scope: Scope::Cluster,
        default: "5m",
        value: "TIME",
        help: "How long `--wait` waits: `90s`, `5m`, `1h`",
        ..BLANK
    },
    Setting {
        key: "dryRun",
        flag: Some("dry-run"),
        scope: Scope::Cluster,
        default: "none",
        value: "HOW",
        help: "`server`: ask the API server what would happen; `client`: only read and print",
        ..BLANK
    },
    Setting {
        key: "forceConflicts",
        flag: Some("force-conflicts"),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Changes,
        help: "Take over fields that another manager owns",
        ..BLANK
    },
    Setting {
        key: "ignoreNotFound",
        flag: Some("ignore-not-found"),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Delete,
        help: "An object that is not there is no error",
        ..BLANK
    },
    Setting {
        key: "requiredVersion",
        in_file: true,
        help: "Version of ko-rs that must run: `0.1`, `>=0.1.2`",
        ..BLANK
    },
    Setting {
        key: "config",
        flag: Some("config"),
        variable: Some("KO_RS_CONFIG_PATH"),
        scope: Scope::Everywhere,
        default: "the nearest `.ko-rs.yaml` up to the Git root",
        value: "FILE",
        help: "The settings file",
        ..BLANK
    },
    Setting {
        key: "directory",
        flag: Some("directory"),
        short: Some('C'),
        scope: Scope::Everywhere,
        value: "FOLDER",
        help: "Run as if started in this folder",
        ..BLANK
    },
    Setting {
        key: "verbose",
        flag: Some("verbose"),
        short: Some('v'),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Everywhere,
        help: "Say more",
        ..BLANK
    },
    Setting {
        key: "quiet",
        flag: Some("quiet"),
        short: Some('q'),
        kind: Kind::Switch,
        default: "false",
        scope: Scope::Everywhere,
        help: "Say only warnings and errors",
        ..BLANK
    },
];

/// The keys of an entry of `builds`.
pub const BUILD_KEYS: &[(&str, Kind, &str)] = &[
    ("id", Kind::Text, "A name for messages"),
    ("package", Kind::Text, "The package"),
    ("bin", Kind::Text, "The binary, where the package has several"),
    ("dir", Kind::Text, "The package's folder, instead of `package`"),
    ("env", Kind::List, "`KEY=VALUE` for Cargo's environment"),
    ("flags", Kind::List, "Flags for `cargo build`"),
    ("features", Kind::List, "Cargo features to activate"),
    ("profile", Kind::Text, "Cargo profile"),
    (
        "target",
        Kind::List,
        "Target triple in place of the platform's musl one; of several, each platform takes the one for it",
    ),
    ("rustflags", Kind::List, "Flags for rustc, after the workspace's own"),
    ("platforms", Kind::List, "Platforms to build for, or `all`"),
    ("base", Kind::Text, "Base image"),
    ("files", Kind::Nested, "Files that go into the image: `{from, to, mode}`"),
    ("image", Kind::Nested, "How a container of the image runs, and what is said about it"),
];

/// The keys of `image` of an entry of `builds`.
pub const IMAGE_KEYS: &[(&str, Kind, &str)] = &[
    ("env", Kind::Map, "Environment of the container"),
    ("args", Kind::List, "Arguments of the executable"),
    ("workingDir", Kind::Text, "Working directory"),
    ("user", Kind::Text, "User (and group)"),
    ("labels", Kind::Map, "Labels"),
    ("annotations", Kind::Map, "Annotations of the image manifest"),
    ("ports", Kind::List, "Exposed ports: `8080/tcp`"),
    (
        "capabilities",
        Kind::List,
        "Linux capabilities of the executable: `net_bind_service`, `net_raw=ep`",
    ),
];

/// The keys whose values may hold templates.
pub const TEMPLATES: &[&str] = &[
    "defaultEnv",
    "defaultFlags",
    "annotations",
    "args",
    "env",
    "flags",
    "keepTag",
    "labels",
    "rustflags",
];

/// The keys of an entry of `files`.
pub const FILE_KEYS: &[(&str, Kind, &str)] = &[
    ("from", Kind::Text, "File or folder, relative to `.ko-rs.yaml`"),
    ("to", Kind::Text, "Absolute path in the image"),
    ("mode", Kind::Text, "Permissions in octal; 0644, or 0755 for what is executable"),
];

/// The setting of a key.
#[must_use]
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_flag_or_variable_stands_twice() {
        let unique = |names: Vec<String>| {
            let set: BTreeSet<_> = names.iter().collect();
            assert_eq!(set.len(), names.len(), "{names:?}");
        };
        unique(SETTINGS.iter().map(|s| s.key.to_owned()).collect());
        unique(SETTINGS.iter().filter_map(|s| s.flag.map(str::to_owned)).collect());
        unique(SETTINGS.iter().filter_map(|s| s.short.map(String::from)).collect());
        unique(SETTINGS.iter().filter_map(|s| s.variable.map(str::to_owned)).collect());
    }

    #[test]
    fn variables_that_are_go_s_alone_are_not_read() {
        for setting in SETTINGS {
            let variable = setting.variable.unwrap_or_default();
            assert!(
                !variable.starts_with("KO_DEFAULT") && variable != "KO_CONFIG_PATH",
                "{variable}"
            );
        }
    }
}
