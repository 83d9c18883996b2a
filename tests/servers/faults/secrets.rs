//! Passwords, tokens and cookies of unusual content, and every form in which they could leave.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// User names and passwords, each of which breaks something that quotes, splits, decodes or encodes
/// carelessly.
pub(super) const USERS: [(&str, &str); 6] = [
    ("ann", "p%41s: \"wörd\"$&+/='\\#"),
    ("bob", "line%0Abreak%0D%0Aand\\nmore"),
    ("cid", "c2VjcmV0OmJhc2U2NA=="),
    ("dörte", "ключ 🔑 密码 und mehr"),
    ("eve", "{\"token\":\"json\"}'; rm -rf ~ #"),
    ("fay@example.com", "https://user:pw@host/?a=b%20c&d"),
];

/// What a token server takes in place of a password.
pub(super) const IDENTITIES: [&str; 3] =
    ["two\nlines and\ta tab", "идентичность=\"%E2%82%AC\"", "ZXlKaGJHY2lPaUpJVXpJMU5pSjk="];

/// What answers set as a cookie.
pub(super) fn cookie(number: usize) -> String {
    format!("session=\"cook%69e-{number}-e30=\"; Path=/")
}

/// How much of a text decides whether the rest of it is compared.
const START: usize = 6;

/// Texts that must not be found anywhere, by how they start: they are looked for all at once.
#[derive(Default)]
pub(super) struct Secrets(HashMap<[u8; START], BTreeSet<String>>);

impl Secrets {
    /// A secret, and what it looks like quoted or encoded in the ways that are common.
    pub(super) fn add(&mut self, secret: &str) {
        let url = reqwest::Url::parse_with_params("http://x", [("q", secret)]).unwrap();
        let form = url.query().unwrap()[2..].to_owned();
        let json = serde_json::to_string(secret).unwrap();
        let debug = format!("{secret:?}");
        let ascii: String = secret.chars().flat_map(char::escape_default).collect();
        for text in [
            secret.to_owned(),
            form.replace('+', "%20"),
            form,
            json[1..json.len() - 1].to_owned(),
            debug[1..debug.len() - 1].to_owned(),
            ascii,
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ] {
            let start = text.as_bytes()[..START].try_into().unwrap();
            self.0.entry(start).or_default().insert(text);
        }
    }

    pub(super) fn add_password(&mut self, user: &str, password: &str) {
        self.add(password);
        self.add(&format!("{user}:{password}"));
    }

    /// The first one that stands in a text.
    pub(super) fn found(&self, bytes: &[u8]) -> Option<&str> {
        bytes.windows(START).enumerate().find_map(|(at, start)| {
            let here = |secret: &&String| bytes[at..].starts_with(secret.as_bytes());
            self.0.get(start)?.iter().find(here).map(String::as_str)
        })
    }

    /// The first file below a folder that holds one or is named like one.
    pub(super) fn found_below(&self, folder: &Path) -> Option<String> {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let inside = match path.is_dir() {
                true => self.found_below(&path),
                false => {
                    let bytes = fs::read(&path).unwrap_or_default();
                    self.found(&bytes).map(|secret| format!("{secret:?} in {}", path.display()))
                }
            };
            let named = self.found(entry.file_name().as_encoded_bytes()).map(str::to_owned);
            if let Some(found) = inside.or(named) {
                return Some(found);
            }
        }
        None
    }
}

/// Watches the arguments of ko-rs, and of every process that it starts.
pub(super) struct Arguments {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<HashSet<Vec<u8>>>>,
    watch: Option<JoinHandle<()>>,
}

impl Arguments {
    /// From now on.
    pub(super) fn watch() -> Self {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<HashSet<_>>>::default());
        let processes = || {
            let all = fs::read_dir("/proc").into_iter().flatten().flatten();
            let named = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
            all.filter_map(named).collect::<HashSet<u32>>()
        };
        let (ended, log) = (stop.clone(), seen.clone());
        let watch = std::thread::spawn(move || {
            // A process is looked at thrice: at first it may not be what it will be.
            let mut looks: HashMap<u32, u8> = HashMap::new();
            while !ended.load(Ordering::Relaxed) {
                for process in processes() {
                    let looked = looks.entry(process).or_default();
                    *looked = looked.saturating_add(1);
                    if *looked > 3 {
                        continue;
                    }
                    if let Ok(line) = fs::read(format!("/proc/{process}/cmdline"))
                        && is_ours(process)
                    {
                        log.lock().unwrap_or_else(PoisonError::into_inner).insert(line);
                    }
                }
                std::thread::sleep(Duration::from_millis(15));
            }
        });
        Self { stop, seen, watch: Some(watch) }
    }

    /// Every command line so far, its arguments apart by NUL.
    pub(super) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Whether a process is the ko-rs under test, or descends from one; what else runs on this machine
/// is other tests' own.
fn is_ours(mut process: u32) -> bool {
    let ours = Path::new(env!("CARGO_BIN_EXE_ko-rs"));
    while process > 1 {
        if fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|path| path == ours) {
            return true;
        }
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        process = parent.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    }
    false
}

impl Drop for Arguments {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}
