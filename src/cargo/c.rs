//! The C compiler for build scripts, set with the variables that the `cc` crate reads.
//!
//! Only a compiler for musl is used for musl: one for glibc would not fail, but its headers call
//! functions that musl does not have.

use std::collections::BTreeMap;

use super::config::CargoConfig;
use super::tools::Tools;
use super::{Error, TargetTriple};
use crate::process::{self, Environment, variable};

/// What compiles C and C++ for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// What the user or Cargo's configuration sets, or what `cc` uses for the glibc of the host.
    Users,
    /// Ours: installed compilers by name, and zig for the language without one.
    Ours {
        /// For C.
        c: Option<String>,
        /// For C++.
        cxx: Option<String>,
    },
}

impl Compiler {
    /// Chooses the compiler for a target.
    pub(crate) fn choose(
        environment: &Environment,
        config: &CargoConfig,
        target: &TargetTriple,
        host: &str,
    ) -> Self {
        let named = [
            format!("CC_{}", target.as_str()),
            format!("CC_{}", target.lower()),
            "TARGET_CC".to_owned(),
        ];
        let set = config.environment();
        let is_named = named
            .iter()
            .any(|name| variable(environment, name).is_some() || set.contains_key(name.as_str()));
        // On a system with musl, its own compiler is one for musl.
        if is_named || !is_foreign(target, host) {
            return Self::Users;
        }
        if target.is_gnu() {
            return match cross_compiler(target, environment) {
                Some(_) => Self::Users,
                None => Self::Ours { c: None, cxx: None },
            };
        }
        if !target.is_musl() {
            return Self::Users;
        }
        let installed = |compiler: &str| {
            let mut names = candidates(target, host, compiler).into_iter();
            names.find(|name| process::find(name, environment).is_some())
        };
        Self::Ours { c: installed("gcc"), cxx: installed("g++") }
    }

    /// The variables that select it in build scripts. They also name a missing compiler, so that no
    /// other one is used.
    pub(crate) fn variables(
        &self,
        target: &TargetTriple,
        tools: &Tools,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut variables = BTreeMap::new();
        let Self::Ours { c, cxx } = self else { return Ok(variables) };
        let mut set = |name: &str, value: String| {
            variables.insert(format!("{name}_{}", target.lower()), value);
        };
        let zig = |tool: &str, compiler: &str| {
            if Tools::can_be_used() {
                Ok::<_, Error>(tools.zig(tool, target)?.to_string_lossy().into_owned())
            } else {
                Ok(format!("{}{compiler}", target.compiler_prefix()))
            }
        };
        match c {
            Some(name) => set("CC", name.clone()),
            None => {
                set("CC", zig("cc", "gcc")?);
                set("AR", zig("ar", "ar")?);
                set("RANLIB", zig("ranlib", "ranlib")?);
            }
        }
        match cxx {
            Some(name) => set("CXX", name.clone()),
            None => {
                set("CXX", zig("c++", "g++")?);
                set("CXXSTDLIB", "c++".to_owned());
            }
        }
        Ok(variables)
    }

    /// The names of the scripts for compilers that may be missing, for C and for C++.
    pub(crate) fn of_zig(&self, tools: &Tools) -> [Option<String>; 2] {
        let path = |name: &str| tools.path(name).to_string_lossy().into_owned();
        match self {
            Self::Users => [None, None],
            Self::Ours { c, cxx } => {
                [c.is_none().then(|| path("cc")), cxx.is_none().then(|| path("c++"))]
            }
        }
    }
}

/// Whether the C compiler of the host does not compile for a target.
pub(crate) fn is_foreign(target: &TargetTriple, host: &str) -> bool {
    host != target.as_str() || target.glibc().is_some()
}

/// The compiler that Debian and others install for glibc of another machine, if it is installed.
pub(crate) fn cross_compiler(target: &TargetTriple, environment: &Environment) -> Option<String> {
    if target.glibc().is_some() {
        return None;
    }
    let name = format!("{}gcc", target.compiler_prefix());
    process::find(&name, environment).map(|_| name)
}

/// The usual names of a compiler for a musl target.
fn candidates(target: &TargetTriple, host: &str, compiler: &str) -> Vec<String> {
    let prefix = target.compiler_prefix();
    let mut names = vec![
        format!("{prefix}{compiler}"),
        format!("{}{compiler}", prefix.replace("-linux-", "-unknown-linux-")),
    ];
    if target.architecture() == "armv7" {
        names.push(format!("{}{compiler}", prefix.replace("armv7-", "arm-")));
    }
    if host.split('-').next() == Some(target.architecture()) {
        names.push(format!("musl-{compiler}"));
    }
    names
}

/// The variables with flags for C and C++: the first one that `cc` reads, extended, so that no flag
/// of the user is lost.
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
        let names = [
            format!("{kind}_{}", target.as_str()),
            own.clone(),
            format!("TARGET_{kind}"),
            kind.to_owned(),
        ];
        let found = names.into_iter().find_map(|name| {
            let value = variable(environment, &name).or_else(|| set.get(name.as_str()).copied())?;
            Some((name.clone(), value.to_owned()))
        });
        let (name, value) = found.unwrap_or((own, String::new()));
        let added = if blank { shell_words::join(added) } else { added.join(" ") };
        variables.insert(name, format!("{value} {added}").trim().to_owned());
    }
    if blank {
        // Otherwise `cc` splits at every blank, including those in paths.
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
        let variables = |compiler: &Compiler| {
            let tools = Tools::of(folder.path(), &musl);
            let mut variables = compiler.variables(&musl, &tools).unwrap();
            let mut take =
                |name: &str| variables.remove(&format!("{name}_x86_64_unknown_linux_musl"));
            ["CC", "CXX", "CXXSTDLIB", "AR"].map(|name| take(name).unwrap_or_default())
        };
        install("gcc");
        install("x86_64-linux-gnu-gcc");
        let zig = Compiler::Ours { c: None, cxx: None };
        assert_eq!(choose("x86_64-unknown-linux-gnu", &[("CC", "gcc")]), zig);
        let tools = folder.path().join("tools/x86_64-unknown-linux-musl");
        let tool = |name: &str| tools.join(name).to_str().unwrap().to_owned();
        assert_eq!(variables(&zig), [tool("cc"), tool("c++"), "c++".into(), tool("ar")]);
        assert_eq!(choose("x86_64-unknown-linux-musl", &[]), Compiler::Users);
        install("musl-gcc");
        assert_eq!(choose("aarch64-apple-darwin", &[]), zig);
        let found = choose("x86_64-unknown-linux-gnu", &[]);
        assert_eq!(found, Compiler::Ours { c: Some("musl-gcc".to_owned()), cxx: None });
        let beside = ["musl-gcc".to_owned(), tool("c++"), "c++".into(), String::new()];
        assert_eq!(variables(&found), beside);
        install("x86_64-linux-musl-g++");
        let found = variables(&choose("x86_64-unknown-linux-gnu", &[]));
        assert_eq!(found, ["musl-gcc", "x86_64-linux-musl-g++", "", ""]);
        let own = [("CC_x86_64_unknown_linux_musl", "clang")];
        assert_eq!(choose("x86_64-unknown-linux-gnu", &own), Compiler::Users);
    }

    #[test]
    fn glibc_of_the_host_is_the_host_s_affair_and_any_other_is_not() {
        let choose = |target: &str| {
            let (environment, config) = (Environment::new(), CargoConfig::default());
            let target = target.parse().unwrap();
            Compiler::choose(&environment, &config, &target, "x86_64-unknown-linux-gnu")
        };
        assert_eq!(choose("x86_64-unknown-linux-gnu"), Compiler::Users);
        let zig = Compiler::Ours { c: None, cxx: None };
        assert_eq!(choose("x86_64-unknown-linux-gnu.2.17"), zig);
        assert_eq!(choose("s390x-unknown-linux-gnu"), zig);
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
