//! The flags of the settings table as clap arguments, which commands flatten into their options.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use crate::settings::Flags;
use crate::settings::table::{Heading, Kind, SETTINGS, Scope, Setting};

/// Which settings' flags a command takes.
pub(super) trait Scopes {
    /// The scopes of these settings.
    const SCOPES: &'static [Scope];
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident: $($scope:ident),*;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default)]
            pub(super) struct $name;

            impl Scopes for $name {
                const SCOPES: &'static [Scope] = &[$(Scope::$scope),*];
            }
        )+
    };
}

scopes! {
    /// Every command.
    Everywhere: Everywhere;
    /// Commands that only use a registry.
    Registries: Registries;
    /// `build`.
    Building: Images, Registries;
    /// `resolve`.
    Resolving: Manifests, Resolve, Images, Registries;
    /// `check`.
    Checking: Manifests, Images, Registries;
    /// `apply` and `create`.
    Applying: Manifests, Images, Registries, Cluster, Writes, Changes;
    /// `diff`.
    Diffing: Manifests, Images, Registries, Cluster, Changes;
    /// `logs`.
    Viewing: Manifests, Cluster;
    /// `port-forward`.
    Clusters: Cluster;
    /// `delete`.
    Deleting: Manifests, Cluster, Writes, Delete;
    /// `dev`.
    Developing: Manifests, Images, Registries, Cluster, Dev;
    /// `down`.
    Reaching: Cluster;
}

/// The flags of the settings in some scopes, as they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct FlagsOf<S> {
    pub(super) flags: Flags,
    /// A flag of ko that only makes sense for Go.
    pub(super) foreign: Option<Foreign>,
    scopes: PhantomData<S>,
}

/// A flag of ko that only makes sense for Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) flag: &'static str,
    /// What to do instead.
    pub(super) instead: &'static str,
}

const FOREIGN: [Foreign; 2] = [
    Foreign { flag: "ldflags", instead: "set `rustflags` of a build in .ko-rs.yaml, or RUSTFLAGS" },
    Foreign { flag: "disable-optimizations", instead: "use `--profile=dev`" },
];

impl<S: Scopes> FlagsOf<S> {
    fn settings() -> impl Iterator<Item = &'static Setting> {
        let all = SETTINGS.iter();
        all.filter(|setting| setting.flag.is_some() && S::SCOPES.contains(&setting.scope))
    }

    fn foreign() -> impl Iterator<Item = Foreign> {
        FOREIGN.into_iter().filter(|_| S::SCOPES.contains(&Scope::Images))
    }
}

impl<S: Scopes> Args for FlagsOf<S> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let hidden = Self::foreign().map(|foreign| {
            let arg = Arg::new(foreign.flag).long(foreign.flag).hide(true);
            arg.num_args(0..=1).require_equals(true).default_missing_value("")
        });
        command.args(Self::settings().map(flag)).args(hidden)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<S: Scopes> FromArgMatches for FlagsOf<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |name: &str| -> Option<Vec<String>> {
            Some(matches.try_get_many::<String>(name).ok()??.cloned().collect())
        };
        let flags: BTreeMap<_, _> = Self::settings()
            .filter_map(|setting| Some((setting.key, typed(setting.name)?)))
            .collect();
        let foreign = Self::foreign().find(|foreign| typed(foreign.flag).is_some());
        Ok(Self { flags: Flags(flags), foreign, scopes: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of a setting.
fn flag(setting: &'static Setting) -> Arg {
    let mut help = setting.help.to_owned();
    if let Some(variable) = setting.variable {
        help.push_str(&format!(" [env: {variable}]"));
    }
    if !setting.default.is_empty() && setting.kind != Kind::Switch {
        help.push_str(&format!(" [default: {}]", setting.default));
    }
    let arg = Arg::new(setting.name)
        .long(setting.flag.unwrap_or(setting.name))
        .short(setting.short)
        .help(help)
        .help_heading(heading(setting.heading))
        .hide_short_help(!setting.common)
        .global(setting.scope == Scope::Everywhere)
        .value_name(setting.value);
    match setting.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(["true", "false"])
            .hide_possible_values(true)
            .action(ArgAction::Set),
        Kind::List => arg.value_delimiter(',').action(ArgAction::Append),
        Kind::Texts | Kind::Map => arg.action(ArgAction::Append),
        Kind::Text | Kind::Number | Kind::Nested => arg.action(ArgAction::Set),
    }
}

fn heading(heading: Heading) -> &'static str {
    match heading {
        Heading::Manifests => "Manifests",
        Heading::Destination => "Destination",
        Heading::Image => "Image",
        Heading::Cargo => "Cargo",
        Heading::Registry => "Registry",
        Heading::Cluster => "Cluster",
        Heading::General => "General",
    }
}
