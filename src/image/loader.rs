//! Finds shared libraries like the dynamic loaders of [glibc][glibc] and [musl][musl].
//!
//! glibc searches the search path of the executable, `LD_LIBRARY_PATH`, `/etc/ld.so.cache` and
//! built-in folders. It does not read `/etc/ld.so.conf`, from which `ldconfig` writes the cache. A
//! library in one of those folders is only found after `ldconfig` ran in the base image.
//!
//! [glibc]: https://man7.org/linux/man-pages/man8/ld.so.8.html
//! [musl]: https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c

use super::contents::Contents;
use super::elf::ElfFacts;
use super::ld_cache;

/// The dynamic loader of an executable.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    contents: &'a Contents,
    program: &'a ElfFacts,
    is_musl: bool,
    /// `LD_LIBRARY_PATH` in the container.
    variable: Vec<String>,
    /// The output of `ldconfig`.
    cache: Vec<&'a str>,
    defaults: Vec<String>,
}

/// The executable or library that needs a library.
#[derive(Clone, Debug)]
pub(super) struct Asking<'a> {
    pub(super) facts: &'a ElfFacts,
    /// Its folder.
    pub(super) folder: String,
    /// The old search paths that it inherits.
    pub(super) inherited: Vec<String>,
}

/// Libraries that the loader of musl contains.
const MUSL: [&str; 7] =
    ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];

impl<'a> Loader<'a> {
    /// The loader that an executable names, at its path in a base image.
    pub(super) fn new(
        contents: &'a Contents,
        program: &'a ElfFacts,
        path: &str,
        library_path: Option<&str>,
    ) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_musl = name.starts_with("ld-musl-") || name == "libc.so";
        let split = |text: &str| {
            let folders =
                text.split([':', '\n']).map(str::trim).filter(|folder| !folder.is_empty());
            folders.map(str::to_owned).collect::<Vec<_>>()
        };
        let defaults = if is_musl {
            let named = contents
                .files()
                .below("etc")
                .find(|path| path.starts_with("etc/ld-musl-") && path.ends_with(".path"));
            let named = named.and_then(|path| contents.text(path));
            split(named.unwrap_or("/lib:/usr/local/lib:/usr/lib"))
        } else {
            glibc_folders(program)
        };
        let cache = if is_musl { None } else { contents.text(ld_cache::PATH) };
        Self {
            contents,
            program,
            is_musl,
            variable: split(library_path.unwrap_or_default()),
            cache: cache.unwrap_or_default().lines().collect(),
            defaults,
        }
    }

    /// Whether symbol versions matter: the loader of musl ignores them.
    pub(super) fn has_versions(&self) -> bool {
        !self.is_musl
    }

    /// Whether the loader itself is that library.
    pub(super) fn is_it(&self, library: &str) -> bool {
        let own = self.program.interpreter.as_deref().and_then(|path| path.rsplit('/').next());
        own == Some(library)
            || (self.is_musl && MUSL.iter().any(|start| library.starts_with(start)))
    }

    /// The path of a library, after following links.
    pub(super) fn find(&self, library: &str, asking: &Asking<'_>) -> Option<String> {
        if library.contains('/') {
            return self.fitting(&expand(library, &asking.folder));
        }
        let own = &asking.facts.runpath;
        let older = own.is_empty() || self.is_musl;
        let older = older.then(|| self.older(asking)).into_iter().flatten();
        let own = own.iter().map(|folder| expand(folder, &asking.folder));
        let variable = self.variable.iter().cloned();
        let mut first = older.chain(variable).chain(own);
        let in_folder = |folder: &String| self.fitting(&format!("{folder}/{library}"));
        first
            .find_map(|folder| in_folder(&folder))
            .or_else(|| {
                let named = |path: &&&str| path.rsplit('/').next() == Some(library);
                self.cache.iter().filter(named).find_map(|path| self.fitting(path))
            })
            .or_else(|| self.defaults.iter().find_map(in_folder))
    }

    /// The old search paths for libraries that `asking` needs.
    pub(super) fn older(&self, asking: &Asking<'_>) -> Vec<String> {
        let own = asking.facts.rpath.iter().map(|folder| expand(folder, &asking.folder));
        own.chain(asking.inherited.iter().cloned()).collect()
    }

    /// A library at a path, if it exists and has the same architecture.
    fn fitting(&self, path: &str) -> Option<String> {
        let files = self.contents.files();
        let found = files.resolve(path).filter(|_| !files.has_folder(path))?;
        let machine = |facts: &ElfFacts| (facts.machine, facts.is_64, facts.is_little_endian);
        let other = self.contents.library(&found);
        other.is_none_or(|other| machine(other) == machine(self.program)).then_some(found)
    }

    /// The path of a library with that name where the loader does not look.
    pub(super) fn elsewhere(&self, library: &str) -> Option<String> {
        let named = |path: &&str| path.rsplit('/').next() == Some(library);
        let found = self.contents.files().iter().map(|(path, _)| path).find(named)?;
        self.fitting(found).map(|_| found.to_owned())
    }
}

/// Replaces `$ORIGIN` in a search path.
fn expand(path: &str, folder: &str) -> String {
    let folder = format!("/{folder}");
    path.replace("${ORIGIN}", &folder).replace("$ORIGIN", &folder)
}

/// The built-in folders of the glibc of distributions: those of Debian for an architecture, then
/// those of others.
fn glibc_folders(program: &ElfFacts) -> Vec<String> {
    let triple = match program.architecture().as_str() {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "386" => "i386-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        "ppc64le" => "powerpc64le-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        "loong64" => "loongarch64-linux-gnu",
        _ => "unknown",
    };
    ["lib", "usr/lib"]
        .into_iter()
        .flat_map(|lib| {
            let arm =
                (triple == "arm-linux-gnueabihf").then(|| format!("/{lib}/arm-linux-gnueabi"));
            let bits = if program.is_64 { "64" } else { "32" };
            [format!("/{lib}/{triple}"), format!("/{lib}{bits}"), format!("/{lib}")]
                .into_iter()
                .chain(arm)
        })
        .collect()
}
