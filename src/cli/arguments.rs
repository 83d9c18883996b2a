//! The command line: the commands, each with the struct of its options.

use clap::builder::styling::Styles;
use clap::{Parser, Subcommand};

use super::exit::Failing;
use super::flags::{Everywhere, FlagsOf};
use super::resolve;
use super::{
    apply, base, build, cache, check, completion, create, delete, deps, dev, diff, down, login,
    logout, logs, port_forward,
};

/// Builds Rust crates into container images, publishes them and applies manifests
#[derive(Debug, Parser)]
#[command(name = "ko-rs", version, styles = Styles::plain(), disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) general: FlagsOf<Everywhere>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Build images of crates, publish them and print their names
    #[command(visible_alias = "publish")]
    Build(build::Options),
    /// Build the images that manifests refer to, and print the manifests with their names
    Resolve(resolve::Options),
    /// Check manifests and their references with every lint; builds nothing
    Check(check::Options),
    /// Resolve manifests and apply them to a cluster
    Apply(apply::Options),
    /// Resolve manifests and create their objects in a cluster
    Create(create::Options),
    /// Show what `apply` would change; exits with 1 if there are differences
    Diff(diff::Options),
    /// Delete the objects of manifests from a cluster; builds nothing
    Delete(delete::Options),
    /// Deploy manifests, and bring each change of their sources into the cluster
    Dev(dev::Options),
    /// Delete what `ko-rs dev` created
    Down(down::Options),
    /// Print the logs of all pods of objects
    Logs(logs::Options),
    /// Forward local ports to an object, also after its pods were replaced
    PortForward(port_forward::Options),
    /// Print the SBOM that was published with an image
    Deps(deps::Options),
    /// Log in to a registry; verifies the password and stores it like Docker
    Login(login::Options),
    /// Remove the stored login to a registry
    Logout(logout::Options),
    /// Publish the embedded base image
    #[command(subcommand, arg_required_else_help = true)]
    Base(base::Command),
    /// Show or clean the cache of this machine
    #[command(subcommand, arg_required_else_help = true)]
    Cache(cache::Command),
    /// Print the version; with -v also that of the base image
    Version,
    /// Print completions for a shell
    Completion(completion::Options),
}

impl Command {
    /// How failures of the command end it.
    pub(super) fn failing(&self) -> Failing {
        match self {
            Self::Diff(_) => Failing::WithTwo,
            _ => Failing::AsUsual,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::settings::{Flags, Key};

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn lists_are_split_at_commas_and_maps_and_paths_are_not() {
        let typed =
            "ko-rs apply -f a,b.yaml -f - -t v1,v2 --image-label a=b,c --push=false --wait -C x";
        let parsed = Arguments::try_parse_from(typed.split(' ')).unwrap();
        let Command::Apply(apply::Options { flags, .. }) = parsed.command else { panic!() };
        let Flags(flags) = flags.flags;
        assert_eq!(flags[&Key::Filename], ["a,b.yaml", "-"]);
        assert_eq!(flags[&Key::Tags], ["v1", "v2"]);
        assert_eq!(flags[&Key::ImageLabels], ["a=b,c"]);
        assert_eq!(flags[&Key::Push], ["false"]);
        assert_eq!(flags[&Key::Wait], ["true"]);
        assert!(!flags.contains_key(&Key::Bare));
        assert_eq!(parsed.general.flags.0[&Key::Directory], ["x"]);
    }

    #[test]
    fn a_flag_for_go_names_what_to_use_instead() {
        let foreign = |typed: &str| {
            let parsed = Arguments::try_parse_from(typed.split(' ')).unwrap();
            let Command::Build(options) = parsed.command else { panic!() };
            options.flags.foreign.map(|foreign| foreign.flag)
        };
        assert_eq!(foreign("ko-rs build --ldflags=-s ."), Some("ldflags"));
        assert_eq!(foreign("ko-rs build ."), None);
    }

    #[test]
    fn help_of_every_command_is_as_reviewed() {
        let mut command = Arguments::command().term_width(80);
        command.build();
        let mut all = vec![(String::from("ko-rs"), command)];
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        let _bound = settings.bind_to_scope();
        while let Some((name, mut command)) = all.pop() {
            insta::assert_snapshot!(format!("{name}-h"), command.render_help());
            insta::assert_snapshot!(format!("{name}-help"), command.render_long_help());
            let inner = command.get_subcommands();
            all.extend(inner.map(|inner| (format!("{name}-{}", inner.get_name()), inner.clone())));
        }
    }
}
