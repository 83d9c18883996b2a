//! The command line: subcommands, and the flags that the table of settings gives each of them.

use std::collections::BTreeMap;

use clap::builder::styling::Styles;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::login::Login;
use crate::image::SbomFormat;
use crate::oci::{ImageReference, Platform};
use crate::publish::SbomQuery;
use crate::registry::Secret;
use crate::settings::Flags;
use crate::settings::table::{Kind, SETTINGS, Scope, Setting};

/// A subcommand with what only it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subcommand {
    Build { crates: Vec<String>, workspace: bool, verify: bool, dry_run: bool },
    Resolve,
    Check,
    Apply,
    Create,
    Delete,
    Deps(SbomQuery),
    PushBase(ImageReference),
    Login(Login),
    Logout { registry: String },
    Cache(CacheCommand),
    Version,
    Completion(clap_complete::Shell),
}

/// What is done with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CacheCommand {
    Show,
    Clean,
}

/// A subcommand's name, one line about it, and the scopes of settings that it has.
struct Described {
    name: &'static str,
    about: &'static str,
    scopes: &'static [Scope],
}

const IMAGES_IN_A_CLUSTER: &[Scope] =
    &[Scope::Manifests, Scope::Images, Scope::Registries, Scope::Cluster, Scope::Changes];

const COMMANDS: &[Described] = &[
    Described {
        name: "build",
        about: "Build images of crates, publish them and print their names",
        scopes: &[Scope::Images, Scope::Registries],
    },
    Described {
        name: "resolve",
        about: "Print manifests with the images of their references built, published and put in",
        scopes: &[Scope::Manifests, Scope::Resolve, Scope::Images, Scope::Registries],
    },
    Described {
        name: "check",
        about: "Check manifests and their references with every lint; builds nothing",
        scopes: &[Scope::Manifests, Scope::Images, Scope::Registries],
    },
    Described {
        name: "apply",
        about: "Resolve manifests and apply them to a cluster",
        scopes: IMAGES_IN_A_CLUSTER,
    },
    Described {
        name: "create",
        about: "Resolve manifests and create their objects in a cluster",
        scopes: IMAGES_IN_A_CLUSTER,
    },
    Described {
        name: "delete",
        about: "Delete the objects of manifests from a cluster; builds nothing",
        scopes: &[Scope::Manifests, Scope::Cluster, Scope::Delete],
    },
    Described {
        name: "deps",
        about: "Print the bill of materials that was published with an image",
        scopes: &[Scope::Registries],
    },
    Described {
        name: "login",
        about: "Log in to a registry; the password is verified, then kept as Docker keeps it",
        scopes: &[Scope::Registries],
    },
    Described { name: "logout", about: "Forget the login to a registry", scopes: &[] },
];

/// Flags of ko that have no meaning for Rust, and what to do instead.
const FOREIGN: &[(&str, &str)] = &[
    ("ldflags", "set `rustflags` of a build in .ko-rs.yaml, or RUSTFLAGS"),
    ("disable-optimizations", "use `--profile=dev`"),
];

/// The whole command line.
pub(super) fn command() -> Command {
    let mut command = Command::new("ko-rs")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Builds Rust crates into container images, publishes them and applies manifests")
        .styles(Styles::plain())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .infer_long_args(false)
        .args(flags(&[Scope::Everywhere]).map(|arg| arg.global(true)));
    for described in COMMANDS {
        let mut subcommand = Command::new(described.name).about(described.about);
        subcommand = subcommand.args(flags(described.scopes)).args(foreign(described.scopes));
        command = command.subcommand(match described.name {
            "build" => subcommand
                .visible_alias("publish")
                .arg(
                    Arg::new("crates")
                        .value_name("CRATE")
                        .num_args(0..)
                        .help("Package, folder (`.`, `./svc/link`) or import path, with `#BIN` or not; `.` if none is given"),
                )
                .arg(
                    Arg::new("package")
                        .short('p')
                        .long("package")
                        .value_name("PACKAGE")
                        .action(ArgAction::Append)
                        .help("Package to build; may be repeated"),
                )
                .arg(
                    Arg::new("workspace")
                        .long("workspace")
                        .action(ArgAction::SetTrue)
                        .conflicts_with_all(["crates", "package"])
                        .help("Build every package of the workspace that has a binary"),
                )
                .arg(Arg::new("verify").long("verify").action(ArgAction::SetTrue).help(
                    "Build a second time in another folder, and publish only if that is the same",
                ))
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Print what would be built how and where it would go, and build nothing"),
                ),
            "deps" => subcommand
                .arg(
                    Arg::new("image")
                        .required(true)
                        .value_name("IMAGE")
                        .value_parser(clap::value_parser!(ImageReference))
                        .help("Image in a registry, by tag or digest"),
                )
                .arg(
                    Arg::new("platform")
                        .long("platform")
                        .value_name("PLATFORM")
                        .value_parser(clap::value_parser!(Platform))
                        .help("Which image of an index; the one for the host's architecture if not set"),
                )
                .arg(
                    Arg::new("sbom")
                        .long("sbom")
                        .value_name("FORMAT")
                        .value_parser(clap::value_parser!(SbomFormat))
                        .help("`spdx` or `cyclonedx`; whichever there is if not set"),
                ),
            "login" => subcommand
                .arg(registry())
                .arg(
                    Arg::new("username")
                        .short('u')
                        .long("username")
                        .value_name("USER")
                        .help("User name; asked for on a terminal if it is not given"),
                )
                .arg(
                    Arg::new("password")
                        .short('p')
                        .long("password")
                        .value_name("PASSWORD")
                        .hide(true)
                        .conflicts_with("password-stdin")
                        .help("Password, for scripts made for ko; others see it in lists of processes"),
                )
                .arg(
                    Arg::new("password-stdin")
                        .long("password-stdin")
                        .action(ArgAction::SetTrue)
                        .help("Read the password from standard input"),
                ),
            "logout" => subcommand.arg(registry()),
            _ => subcommand,
        });
    }
    command
        .subcommand(
            Command::new("base")
                .about("Publish the embedded base image")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .disable_help_subcommand(true)
                .subcommand(
                    Command::new("push")
                        .about("Push `static` to a registry, for all its platforms, and print its name by digest")
                        .args(flags(&[Scope::Registries]))
                        .arg(
                            Arg::new("image")
                                .required(true)
                                .value_name("REF")
                                .value_parser(clap::value_parser!(ImageReference))
                                .help("Repository with or without a tag, `latest` if it has none"),
                        ),
                ),
        )
        .subcommand(
            Command::new("cache")
                .about("Show or clean what ko-rs keeps on this machine")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .disable_help_subcommand(true)
                .subcommand(
                    Command::new("show").about("Print where the cache is and what it holds"),
                )
                .subcommand(
                    Command::new("clean").about(
                        "Remove all of it but what running builds use; costs them time only",
                    ),
                ),
        )
        .subcommand(
            Command::new("version").about("Print the version; with -v the base image's too"),
        )
        .subcommand(
            Command::new("completion").about("Print completions for a shell").arg(
                Arg::new("shell")
                    .required(true)
                    .value_parser(clap::value_parser!(clap_complete::Shell)),
            ),
        )
}

fn registry() -> Arg {
    Arg::new("registry")
        .value_name("REGISTRY")
        .required(true)
        .help("`ghcr.io`, `localhost:5000`, `docker.io`; or a path of one, as `quay.io/team`")
}

fn flags(scopes: &'static [Scope]) -> impl Iterator<Item = Arg> {
    SETTINGS
        .iter()
        .filter(|setting| setting.flag.is_some() && scopes.contains(&setting.scope))
        .map(flag)
}

fn flag(setting: &'static Setting) -> Arg {
    let mut help = setting.help.to_owned();
    if let Some(variable) = setting.variable {
        help.push_str(&format!(" [env: {variable}]"));
    }
    if !setting.default.is_empty() && setting.kind != Kind::Switch {
        help.push_str(&format!(" [default: {}]", setting.default));
    }
    let arg = Arg::new(setting.name).long(setting.flag.unwrap_or(setting.name)).help(help);
    let arg = match setting.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    match setting.kind {
        Kind::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(["true", "false"])
            .hide_possible_values(true)
            .action(ArgAction::Set),
        Kind::List => arg.value_name(setting.value).value_delimiter(',').action(ArgAction::Append),
        Kind::Texts | Kind::Map => arg.value_name(setting.value).action(ArgAction::Append),
        Kind::Text | Kind::Number | Kind::Nested => {
            arg.value_name(setting.value).action(ArgAction::Set)
        }
    }
}

fn foreign(scopes: &'static [Scope]) -> impl Iterator<Item = Arg> {
    let images = scopes.contains(&Scope::Images);
    FOREIGN.iter().filter(move |_| images).map(|(name, _)| {
        Arg::new(*name)
            .long(*name)
            .hide(true)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
    })
}

/// The flag of ko's on this command line that has no meaning here, and what to do instead.
pub(super) fn foreign_flag(matches: &ArgMatches) -> Option<(&'static str, &'static str)> {
    let (_, matches) = matches.subcommand()?;
    FOREIGN
        .iter()
        .find(|(name, _)| matches.try_get_one::<String>(name).is_ok_and(|value| value.is_some()))
        .copied()
}

/// What was typed: the subcommand, and the values of flags by the key of their setting.
pub(super) fn read(matches: &ArgMatches) -> (Subcommand, Flags) {
    let (name, matches) = match matches.subcommand() {
        Some(("base", matches)) => matches.subcommand().unwrap_or(("version", matches)),
        found => found.unwrap_or(("version", matches)),
    };
    let texts = |id: &str| -> Vec<String> {
        let values = matches.try_get_many::<String>(id).ok().flatten();
        values.map(|values| values.cloned().collect()).unwrap_or_default()
    };
    let subcommand = match name {
        "build" => Subcommand::Build {
            crates: texts("package").into_iter().chain(texts("crates")).collect(),
            workspace: matches.get_flag("workspace"),
            verify: matches.get_flag("verify"),
            dry_run: matches.get_flag("dry-run"),
        },
        "resolve" => Subcommand::Resolve,
        "check" => Subcommand::Check,
        "apply" => Subcommand::Apply,
        "create" => Subcommand::Create,
        "delete" => Subcommand::Delete,
        "deps" => match matches.get_one::<ImageReference>("image") {
            Some(image) => Subcommand::Deps(SbomQuery {
                image: image.clone(),
                platform: matches.get_one("platform").cloned(),
                format: matches.get_one("sbom").copied(),
            }),
            None => Subcommand::Version,
        },
        "push" => match matches.get_one("image").cloned() {
            Some(image) => Subcommand::PushBase(image),
            None => Subcommand::Version,
        },
        "login" => Subcommand::Login(Login {
            registry: texts("registry").concat(),
            user: texts("username").pop(),
            password: texts("password").pop().map(Secret::new),
            password_stdin: matches.get_flag("password-stdin"),
        }),
        "logout" => Subcommand::Logout { registry: texts("registry").concat() },
        "cache" => Subcommand::Cache(match matches.subcommand_name() {
            Some("clean") => CacheCommand::Clean,
            _ => CacheCommand::Show,
        }),
        "completion" => Subcommand::Completion(
            matches.get_one("shell").copied().unwrap_or(clap_complete::Shell::Bash),
        ),
        _ => Subcommand::Version,
    };
    let mut flags = BTreeMap::new();
    for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
        let values = texts(setting.name);
        if !values.is_empty() {
            flags.insert(setting.key, values);
        }
    }
    (subcommand, Flags(flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::Key;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn lists_are_split_at_commas_and_maps_and_paths_are_not() {
        let matches = command()
            .try_get_matches_from([
                "ko-rs",
                "apply",
                "-f",
                "a,b.yaml",
                "-f",
                "-",
                "-t",
                "v1,v2",
                "--image-label",
                "a=b,c",
                "--push=false",
                "--wait",
                "-C",
                "x",
            ])
            .unwrap();
        let (subcommand, Flags(flags)) = read(&matches);
        assert_eq!(subcommand, Subcommand::Apply);
        assert_eq!(flags[&Key::Filename], ["a,b.yaml", "-"]);
        assert_eq!(flags[&Key::Tags], ["v1", "v2"]);
        assert_eq!(flags[&Key::ImageLabels], ["a=b,c"]);
        assert_eq!(flags[&Key::Push], ["false"]);
        assert_eq!(flags[&Key::Wait], ["true"]);
        assert_eq!(flags[&Key::Directory], ["x"]);
        assert!(!flags.contains_key(&Key::Bare));
    }

    #[test]
    fn a_flag_of_ko_s_without_meaning_names_what_to_use() {
        let matches =
            command().try_get_matches_from(["ko-rs", "build", "--ldflags=-s", "."]).unwrap();
        assert_eq!(foreign_flag(&matches).unwrap().0, "ldflags");
        let matches = command().try_get_matches_from(["ko-rs", "build", "."]).unwrap();
        assert_eq!(foreign_flag(&matches), None);
    }
}
