//! The C compiler that build scripts are given, by the variables that the `cc` crate reads.
//!
//! Only a compiler for musl compiles for musl: one for glibc would be taken without complaint, and
//! its headers make calls that musl does not have.

use std::collections::BTreeMap;

use super::TargetTriple;
use super::config::CargoConfig;
use super::program::{self, Environment, variable};

/// What compiles C for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// What the user or Cargo's configuration names, or what `cc` takes for a glibc target.
    Users,
    /// A compiler for musl that is installed.
    Musl(String),
    /// None for musl is installed; this is what it would be called.
    Missing(String),
}

impl Compiler {
    /// Chooses the compiler for a target.
    pub(crate) fn choose(
        environment: &Environment,
        config: &CargoConfig,
        target: &TargetTriple,
        host: &str,
    ) -> Self {
        let named =
            [format!("CC_{target}"), format!("CC_{}", target.lower()), "TARGET_CC".to_owned()];
        let set = config.environment();
        // On a system that is musl itself, its own compiler is one for musl.
        if !target.is_musl()
            || host == target.as_str()
            || named.iter().any(|name| {
                variable(environment, name).is_some() || set.contains_key(name.as_str())
            })
        {
            return Self::Users;
        }
        let candidates = candidates(target, host);
        match candidates.iter().find(|name| program::on_path(name, environment).is_some()) {
            Some(name) => Self::Musl(name.clone()),
            None => Self::Missing(candidates.into_iter().next().unwrap_or_default()),
        }
    }

    /// The variables that make build scripts take it. One that is missing is named as well, so that
    /// nothing else is taken in its place.
    pub(crate) fn variables(&self, target: &TargetTriple) -> BTreeMap<String, String> {
        match self {
            Self::Users => BTreeMap::new(),
            Self::Musl(name) | Self::Missing(name) => {
                let cxx = format!("{}g++", name.strip_suffix("gcc").unwrap_or(name));
                let target = target.lower();
                [(format!("CC_{target}"), name.clone()), (format!("CXX_{target}"), cxx)].into()
            }
        }
    }
}

/// The usual name of a compiler for a musl target, without `gcc`: `x86_64-linux-musl-`.
pub(crate) fn prefix(target: &TargetTriple) -> String {
    let architecture = match target.architecture() {
        "riscv64gc" => "riscv64",
        architecture => architecture,
    };
    let library = target.as_str().rsplit('-').next().unwrap_or("musl");
    format!("{architecture}-linux-{library}-")
}

/// The names under which a compiler for a musl target is installed.
fn candidates(target: &TargetTriple, host: &str) -> Vec<String> {
    let prefix = prefix(target);
    let mut names = vec![
        format!("{prefix}gcc"),
        format!("{}gcc", prefix.replace("-linux-", "-unknown-linux-")),
    ];
    if host.split('-').next() == Some(target.architecture()) {
        names.push("musl-gcc".to_owned());
    }
    names
}

/// The variables that add flags for C and C++: the one that `cc` reads first, extended, so that no
/// flag of the user is lost.
pub(crate) fn flags(
    environment: &Environment,
    config: &CargoConfig,
    target: &TargetTriple,
    added: &[String],
) -> BTreeMap<String, String> {
    let set = config.environment();
    let mut variables = BTreeMap::new();
    let blank = added.iter().any(|flag| flag.contains(char::is_whitespace));
    for kind in ["CFLAGS", "CXXFLAGS"] {
        let own = format!("{kind}_{}", target.lower());
        let names =
            [format!("{kind}_{target}"), own.clone(), format!("TARGET_{kind}"), kind.to_owned()];
        let found = names.into_iter().find_map(|name| {
            let value = variable(environment, &name).or_else(|| set.get(name.as_str()).copied())?;
            Some((name.clone(), value.to_owned()))
        });
        let (name, value) = found.unwrap_or((own, String::new()));
        let added = if blank { shell_words::join(added) } else { added.join(" ") };
        variables.insert(name, format!("{value} {added}").trim().to_owned());
    }
    if blank {
        // Otherwise `cc` splits at every blank, also at one in a folder's name.
        variables.insert("CC_SHELL_ESCAPED_FLAGS".to_owned(), "1".to_owned());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[cfg(unix)]
    #[test]
    fn only_a_compiler_for_musl_is_taken_for_musl() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let config = CargoConfig::default();
        let musl = "x86_64-unknown-linux-musl".parse().unwrap();
        let choose = |host: &str, variables: &[(&str, &str)]| {
            let mut environment = environment(variables);
            environment.insert("PATH".into(), path.into());
            Compiler::choose(&environment, &config, &musl, host)
        };
        let install = |name: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        };
        install("gcc");
        install("x86_64-linux-gnu-gcc");
        let missing = Compiler::Missing("x86_64-linux-musl-gcc".to_owned());
        assert_eq!(choose("x86_64-unknown-linux-gnu", &[("CC", "gcc")]), missing);
        assert_eq!(
            missing.variables(&musl)["CC_x86_64_unknown_linux_musl"],
            "x86_64-linux-musl-gcc"
        );
        assert_eq!(choose("x86_64-unknown-linux-musl", &[]), Compiler::Users);
        install("musl-gcc");
        assert_eq!(choose("aarch64-apple-darwin", &[]), missing);
        let found = choose("x86_64-unknown-linux-gnu", &[]);
        assert_eq!(found, Compiler::Musl("musl-gcc".to_owned()));
        assert_eq!(found.variables(&musl)["CXX_x86_64_unknown_linux_musl"], "musl-g++");
        let own = [("CC_x86_64_unknown_linux_musl", "clang")];
        assert_eq!(choose("x86_64-unknown-linux-gnu", &own), Compiler::Users);
    }

    #[test]
    fn the_flags_that_count_are_extended() {
        let target = "x86_64-unknown-linux-musl".parse().unwrap();
        let config = CargoConfig::default();
        let flags = |variables: &[(&str, &str)], added: &str| {
            super::flags(&environment(variables), &config, &target, &[added.to_owned()])
        };
        assert_eq!(flags(&[], "-f")["CFLAGS_x86_64_unknown_linux_musl"], "-f");
        assert_eq!(flags(&[("CFLAGS", "-O3")], "-f")["CFLAGS"], "-O3 -f");
        let both = flags(&[("CFLAGS", "-O3"), ("TARGET_CFLAGS", "-g")], "-f");
        assert_eq!(both["TARGET_CFLAGS"], "-g -f");
        assert!(!both.contains_key("CFLAGS") && !both.contains_key("CC_SHELL_ESCAPED_FLAGS"));
        let quoted = flags(&[], "-f=a b");
        assert_eq!(quoted["CFLAGS_x86_64_unknown_linux_musl"], "'-f=a b'");
        assert_eq!(quoted["CC_SHELL_ESCAPED_FLAGS"], "1");
    }
}
