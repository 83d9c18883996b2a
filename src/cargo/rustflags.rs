//! The flags for rustc: those of the user, from wherever Cargo reads them, followed by ours.
//!
//! Cargo reads rustflags from the first of four sources that has any, so flags in one source
//! silently replace those in others. The effective flags are therefore determined here, extended,
//! and passed in the source with the highest precedence, `CARGO_ENCODED_RUSTFLAGS`.

use cargo_metadata::cargo_platform::{Cfg, CfgExpr};

use super::config::{CargoConfig, Placed};
use super::{Error, TargetTriple};
use crate::process::{Environment, variable};

/// The user's flags and linker for one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserFlags {
    flags: Vec<Placed>,
    linker: Option<Placed>,
}

impl UserFlags {
    /// Finds the flags that Cargo would pass, from the first source that has any, and those of the
    /// settings.
    pub(crate) fn find(
        environment: &Environment,
        config: &CargoConfig,
        target: &TargetTriple,
        cfg: &[Cfg],
        added: &[String],
    ) -> Self {
        let mut flags = encoded(environment)
            .or_else(|| plain(environment))
            .or_else(|| of_target(environment, config, target, cfg))
            .unwrap_or_else(|| {
                let mut flags = config.flags(&["build", "rustflags"]);
                flags.extend(words(environment, "CARGO_BUILD_RUSTFLAGS"));
                flags
            });
        let place = "`rustflags` in the settings";
        let placed = |flag: &String| Placed { value: flag.clone(), place: place.to_owned() };
        flags.extend(added.iter().map(placed));
        let linker = codegen(&flags, "linker")
            .or_else(|| configured_linker(environment, config, target, cfg));
        Self { flags, linker }
    }

    /// Rejects flags that must not affect an image: code for the processor of this machine.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match codegen(&self.flags, "target-cpu") {
            Some(cpu) if cpu.value == "native" => Err(Error::NativeCpu { place: cpu.place }),
            _ => Ok(()),
        }
    }

    /// The reason why the user's linker is used, if it is: a linker is configured, or there are
    /// arguments for a C compiler that links.
    pub(crate) fn own_linker(&self) -> Option<&Placed> {
        let first = || self.flags.iter().find(|flag| wants_a_driver(&flag.value));
        self.linker.as_ref().or_else(first)
    }

    /// All flags, ours after those of the user.
    pub(crate) fn extended(&self, ours: Vec<String>) -> Vec<String> {
        self.flags.iter().map(|flag| flag.value.clone()).chain(ours).collect()
    }
}

/// Whether a flag selects the linker, or has arguments that only a C compiler supports.
fn wants_a_driver(flag: &str) -> bool {
    const STARTS: [&str; 7] =
        ["-fuse-ld", "-Wl,", "-Xlinker", "-nostartfiles", "-static-lib", "--ld-path=", "-march"];
    let understood = |argument: &str| !STARTS.iter().any(|start| argument.starts_with(start));
    match flag.split_once("link-arg").and_then(|(_, rest)| rest.split_once('=')) {
        Some((_, arguments)) => !arguments.split(' ').all(understood),
        None => flag.contains("linker-flavor="),
    }
}

/// Joins flags for `CARGO_ENCODED_RUSTFLAGS`.
pub(crate) fn encode(flags: &[String]) -> String {
    flags.join("\u{1f}")
}

/// The last `-C NAME=VALUE` in either spelling.
fn codegen(flags: &[Placed], name: &str) -> Option<Placed> {
    let mut found = None;
    let mut opened = false;
    for flag in flags {
        let option = match flag.value.as_str() {
            value if opened => Some(value),
            value => value.strip_prefix("-C").or_else(|| value.strip_prefix("--codegen=")),
        };
        opened = matches!(flag.value.as_str(), "-C" | "--codegen");
        let value =
            option.and_then(|option| option.trim_start().strip_prefix(name)?.strip_prefix('='));
        if let Some(value) = value {
            found = Some(Placed { value: value.to_owned(), place: flag.place.clone() });
        }
    }
    found
}

fn encoded(environment: &Environment) -> Option<Vec<Placed>> {
    let name = "CARGO_ENCODED_RUSTFLAGS";
    let text = variable(environment, name)?;
    let flags = if text.is_empty() { Vec::new() } else { text.split('\u{1f}').collect() };
    Some(placed(flags, name))
}

fn plain(environment: &Environment) -> Option<Vec<Placed>> {
    let text = variable(environment, "RUSTFLAGS")?;
    let flags = text.split(' ').map(str::trim).filter(|flag| !flag.is_empty());
    Some(placed(flags.collect(), "RUSTFLAGS"))
}

fn of_target(
    environment: &Environment,
    config: &CargoConfig,
    target: &TargetTriple,
    cfg: &[Cfg],
) -> Option<Vec<Placed>> {
    let mut flags = config.flags(&["target", target.as_str(), "rustflags"]);
    flags.extend(words(environment, &format!("CARGO_TARGET_{}_RUSTFLAGS", target.upper())));
    for condition in config.conditions() {
        if CfgExpr::matches_key(condition, cfg) {
            flags.extend(config.flags(&["target", condition, "rustflags"]));
        }
    }
    (!flags.is_empty()).then_some(flags)
}

fn configured_linker(
    environment: &Environment,
    config: &CargoConfig,
    target: &TargetTriple,
    cfg: &[Cfg],
) -> Option<Placed> {
    let name = format!("CARGO_TARGET_{}_LINKER", target.upper());
    words(environment, &name)
        .into_iter()
        .next()
        .or_else(|| config.text(&["target", target.as_str(), "linker"]))
        .or_else(|| {
            let mut conditions = config.conditions().into_iter();
            conditions.find_map(|condition| {
                CfgExpr::matches_key(condition, cfg)
                    .then(|| config.text(&["target", condition, "linker"]))?
            })
        })
}

fn words(environment: &Environment, name: &str) -> Vec<Placed> {
    placed(variable(environment, name).unwrap_or_default().split_whitespace().collect(), name)
}

fn placed(flags: Vec<&str>, name: &str) -> Vec<Placed> {
    let place = format!("`{name}` in the environment");
    flags.into_iter().map(|flag| Placed { value: flag.to_owned(), place: place.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUSL: &str = "x86_64-unknown-linux-musl";

    fn find(environment: &[(&str, &str)], config: &str) -> UserFlags {
        let environment: Environment =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let config =
            if config.is_empty() { vec![] } else { vec!["--config".to_owned(), config.to_owned()] };
        let nowhere = tempfile::tempdir().unwrap();
        let config = CargoConfig::read(nowhere.path(), &environment, &config).unwrap();
        let cfg: Vec<Cfg> = vec!["unix".parse().unwrap(), "target_os=\"linux\"".parse().unwrap()];
        UserFlags::find(
            &environment,
            &config,
            &MUSL.parse().unwrap(),
            &cfg,
            &["-Cadded".to_owned()],
        )
    }

    fn flags(environment: &[(&str, &str)], config: &str) -> Vec<String> {
        find(environment, config).extended(vec![])
    }

    #[test]
    fn the_first_source_that_has_any_is_extended_and_the_weaker_ones_dropped() {
        let encoded = ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}a b");
        let plain = ("RUSTFLAGS", " --cfg  plain ");
        let target = ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", "--cfg target");
        let build = ("CARGO_BUILD_RUSTFLAGS", "--cfg build");
        let own = |rest: &[&str]| {
            let mut all: Vec<String> = rest.iter().map(|&flag| flag.to_owned()).collect();
            all.push("-Cadded".to_owned());
            all
        };
        assert_eq!(flags(&[encoded, plain, target, build], ""), own(&["--cfg", "a b"]));
        assert_eq!(flags(&[plain, target, build], ""), own(&["--cfg", "plain"]));
        assert_eq!(flags(&[target, build], ""), own(&["--cfg", "target"]));
        assert_eq!(flags(&[build], ""), own(&["--cfg", "build"]));
        assert_eq!(flags(&[], ""), own(&[]));
        assert_eq!(flags(&[("CARGO_ENCODED_RUSTFLAGS", ""), plain], ""), own(&[]));
    }

    #[test]
    fn a_target_s_own_flags_and_those_of_every_matching_condition_go_together() {
        let config = format!(
            "target = {{'cfg(unix)'.rustflags = ['u'], 'cfg(windows)'.rustflags = ['w'], \
             'cfg(target_os = \"linux\")'.rustflags = 'l', {MUSL}.rustflags = ['t']}}"
        );
        assert_eq!(flags(&[], &config), ["t", "l", "u", "-Cadded"]);
        let variable = ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", "v");
        assert_eq!(flags(&[variable], &config), ["t", "v", "l", "u", "-Cadded"]);
    }

    #[test]
    fn a_native_cpu_is_refused_with_its_place_and_only_that() {
        for spelling in
            ["-Ctarget-cpu=native", "-C target-cpu=native", "--codegen=target-cpu=native"]
        {
            let text = find(&[("RUSTFLAGS", spelling)], "").check().unwrap_err().to_string();
            assert!(text.contains("`RUSTFLAGS` in the environment"), "{text}");
        }
        let file = find(&[], "build.rustflags = ['-C', 'target-cpu=native']").check().unwrap_err();
        assert!(file.to_string().contains("build.rustflags in `--config"), "{file}");
        find(&[("RUSTFLAGS", "-C target-cpu=x86-64-v3")], "").check().unwrap();
    }

    #[test]
    fn a_linker_or_arguments_for_a_c_compiler_keep_the_user_s_linker() {
        for flags in [
            "-Clink-arg=-fuse-ld=mold",
            "-C link-args=-Wl,-z,now",
            "-Clinker=clang",
            "-Clinker-flavor=gcc",
        ] {
            assert!(find(&[("RUSTFLAGS", flags)], "").own_linker().is_some(), "{flags}");
        }
        for flags in [
            "",
            "--cfg tokio_unstable",
            "-Clink-arg=-znow",
            "-Clink-arg=-Bsymbolic",
            "-Clink-self-contained=yes",
        ] {
            assert!(find(&[("RUSTFLAGS", flags)], "").own_linker().is_none(), "{flags}");
        }
        assert!(find(&[], "target.'cfg(unix)'.linker = 'clang'").own_linker().is_some());
        assert!(find(&[], &format!("target.{MUSL}.linker = 'clang'")).own_linker().is_some());
        assert!(
            find(&[("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER", "cc")], "")
                .own_linker()
                .is_some()
        );
    }
}
