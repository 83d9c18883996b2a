//! Any text as `.ko-rs.yaml`, any value of a flag and of a variable: no panic, and every error says
//! where.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use ko_rs::report::Reporter;
use ko_rs::settings::table::{Key, SETTINGS};
use ko_rs::settings::{self, Environment, Flags};
use libfuzzer_sys::fuzz_target;

/// A folder in memory where there is one; a file is written into it for every input.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("ko-rs-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(folder.join(".git")).expect("a temporary folder can be written");
    folder
});

fuzz_target!(|input: (u8, &str, u8, &str, &str)| {
    let (flag, typed, variable, set, file) = input;
    std::fs::write(FOLDER.join(".ko-rs.yaml"), file).expect("a temporary file can be written");
    let mut flags = BTreeMap::new();
    if let Some(setting) = SETTINGS.get(usize::from(flag)).filter(|one| one.flag.is_some()) {
        // These name files that the fuzzer must not look for.
        if !matches!(setting.key, Key::Config | Key::Directory) {
            flags.insert(setting.key, vec![typed.to_owned()]);
        }
    }
    let cache = ("KOCACHE".to_owned(), FOLDER.join("cache").display().to_string());
    let mut variables = BTreeMap::from([cache]);
    if let Some(name) = SETTINGS.get(usize::from(variable)).and_then(|one| one.variable)
        && !matches!(name, "KO_RS_CONFIG_PATH" | "KOCACHE")
    {
        variables.insert(name.to_owned(), set.to_owned());
    }
    let environment = Environment::of(FOLDER.as_path(), variables);
    if let Err(error) = settings::complete(Flags(flags), &environment, &Reporter::new()) {
        assert!(!error.to_string().is_empty());
        assert!(!error.diagnostics().is_empty());
    }
});
