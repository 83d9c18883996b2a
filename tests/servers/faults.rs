//! Every way to fail × every step: the outcome is the right image or a clear error that names
//! registry, repository and step; nothing is ever wrong or half there, and no secret leaves.
//!
//! `make faults` runs all of it and prints a table.

mod judge;
mod scene;
mod secrets;
mod step;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use judge::Content;
use scene::Scene;
use secrets::{Arguments, cookie};
use step::{Proof, STEPS, Step};

use crate::fault::{FAULTS, Fault, bomb};
use crate::faulty::{Faulty, Plan};
use crate::support::Ran;

/// How many cells are looked at at once; most of them wait.
const AT_ONCE: usize = 8;

/// More than there are cells.
const MANY: usize = 10_000;

/// How long a run may take whose registry is given a second.
const LONGEST: Duration = Duration::from_secs(30);

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The right image, after so many retries.
    Right(usize),
    /// A clear error, after so many retries.
    Error(usize),
    /// Anything else.
    Wrong(String),
}

/// How `could not …` begins for each step that a registry takes part in.
const WORDS: [&str; 10] = [
    "get push access to",
    "look up an image in",
    "pull a manifest from",
    "look for a blob in",
    "pull a blob from",
    "mount a blob into",
    "push a blob to",
    "push a manifest to",
    "list what refers to an image in",
    "find what refers to an image in",
];

/// One row and column, once or for ever.
#[derive(Clone, Copy)]
struct Place {
    fault: Option<(&'static str, Fault)>,
    step: Step,
    times: u32,
    number: usize,
}

struct Looked {
    place: Place,
    outcome: Outcome,
    took: Duration,
    said: String,
    /// Whether it did not come to the fault, or took too long, as on a machine that is too busy.
    busy: bool,
}

fn look(scene: &Scene, place: Place, expected: Option<&Content>) -> (Looked, Option<Content>) {
    let Place { fault, step, times, number } = place;
    let cell = scene.cell(step, number);
    let registry = cell.host().to_owned();
    let plan = Plan {
        step: step.is(),
        fault: fault.map(|(_, fault)| fault),
        times,
        refuses: step.refuses(),
        registry,
        tokens: scene.tokens.host.clone(),
        takes_tokens: matches!(step.proof(), Proof::Token | Proof::Identity),
        elsewhere: scene.elsewhere.host.clone(),
        cookie: cookie(number),
    };
    let proxy = Faulty::start(plan);
    let (started, tokens) = (Instant::now(), scene.tokens.issued().len());
    // What is printed as JSON must not hold a secret either.
    let is_json = number % 2 == 1;
    let format: &[&str] = if is_json { &["--output=json", "--progress=json"] } else { &[] };
    let ran = cell.build(&proxy, format);
    let took = started.elapsed();
    let stored = cell.stored();
    let content = stored.as_ref().and_then(|(_, content)| content.clone().ok());
    let mut outcome = judge(&ran, &proxy, stored, expected);
    let reached = fault.is_none() || proxy.has_struck();
    if !reached {
        outcome = Outcome::Wrong("the step was never reached".to_owned());
    }
    let late = took > LONGEST * (1 + 3 * u32::try_from(number / MANY).unwrap());
    let busy = !reached || late;
    if late {
        outcome = Outcome::Wrong(format!("it took {took:?}"));
    }
    let mut secrets = scene.secrets(tokens);
    secrets.add(&cookie(number));
    let said = format!("{}{}", ran.stdout_lossy(), ran.stderr());
    let leak = secrets.found(said.as_bytes()).map(|secret| format!("{secret:?} in: {said}"));
    if let Some(leak) = leak.or_else(|| secrets.found_below(&cell.cache())) {
        outcome = Outcome::Wrong(format!("a secret: {leak}"));
    }
    if proxy.seen().iter().any(|request| request.header("cookie").is_some()) {
        outcome = Outcome::Wrong("a cookie was sent".to_owned());
    }
    let _ = std::fs::remove_dir_all(cell.cache());
    (Looked { place, outcome, took, said, busy }, content)
}

fn judge(
    ran: &Ran,
    proxy: &Faulty,
    stored: Option<(String, Result<Content, String>)>,
    expected: Option<&Content>,
) -> Outcome {
    let retried =
        |line: &&str| line.starts_with("    Retrying ") || line.contains("\"event\":\"retrying\"");
    let retries = ran.stderr().lines().filter(retried).count();
    let wrong = |what: String| Outcome::Wrong(what);
    // Whatever ko-rs says: what a tag points to is all there, and is this image.
    if let Some((digest, content)) = &stored {
        match content {
            Err(missing) => return wrong(format!("partly tagged: {missing}")),
            Ok(content) if expected.is_some_and(|expected| expected != content) => {
                return wrong(format!("another image is tagged: {digest}"));
            }
            Ok(_) => {}
        }
    }
    match (ran.code(), stored) {
        (Some(0), Some((digest, _))) if names(&ran.stdout_lossy(), &digest) => {
            Outcome::Right(retries)
        }
        (Some(0), _) => wrong("success without the image".to_owned()),
        (Some(1), _) => {
            let hosts = [proxy.host.clone(), proxy.host.replace("localhost", "127.0.0.1")];
            let named = WORDS.iter().any(|words| {
                hosts.iter().any(|host| {
                    ran.stderr().contains(&format!("could not {words} `{host}/faults/"))
                })
            });
            let clear = named && ran.stdout_lossy().is_empty() && ran.stderr().contains("error");
            if clear { Outcome::Error(retries) } else { wrong("an unclear error".to_owned()) }
        }
        (code, _) => wrong(format!("exit {code:?}")),
    }
}

/// Whether a result, as text or as JSON, is an image of this digest.
fn names(printed: &str, digest: &str) -> bool {
    let json: serde_json::Value = serde_json::from_str(printed).unwrap_or_default();
    let reference = json["images"][0]["reference"].as_str().unwrap_or(printed.trim_end());
    reference.ends_with(digest)
}

/// Looks at some cells, and then at all that was left behind.
#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn matrix(chosen: impl Fn(usize, usize) -> bool) {
    let scene = Scene::start();
    bomb();
    let arguments = Arguments::watch();
    let mut number = 10;
    let mut next = || {
        number += 1;
        number
    };
    let mut expected = BTreeMap::new();
    for step in STEPS {
        let place = Place { fault: None, step, times: 0, number: next() };
        let (looked, content) = look(&scene, place, None);
        assert_eq!(looked.outcome, Outcome::Right(0), "{}: {}", step.name(), looked.said);
        expected.insert(step.name(), content.unwrap());
    }
    let mut places = Vec::new();
    for (row, fault) in FAULTS.iter().enumerate() {
        for (column, step) in STEPS.into_iter().enumerate() {
            for times in [1, u32::MAX] {
                if chosen(row, column) {
                    places.push(Place { fault: Some(*fault), step, times, number: next() });
                }
            }
        }
    }
    let started = Instant::now();
    let (position, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(place) = places.get(position.fetch_add(1, Ordering::Relaxed)) {
                    let expected = &expected[place.step.name()];
                    let mut place = *place;
                    let mut looked = look(&scene, place, Some(expected)).0;
                    // On a machine that is too busy to answer in time, registries are given more of it.
                    while looked.busy && place.number < 3 * MANY {
                        place.number += MANY;
                        looked = look(&scene, place, Some(expected)).0;
                    }
                    if let Outcome::Wrong(what) = &looked.outcome {
                        println!("## {}: {what}\n{}", named(place), looked.said);
                    }
                    let mut done = done.lock().unwrap();
                    done.push(looked);
                    if done.len() % 100 == 0 {
                        let seconds = started.elapsed().as_secs();
                        println!("{} of {} cells, {seconds} s", done.len(), places.len());
                    }
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    println!("{}", table(&done));
    println!("{} cells in {:.0} s", done.len(), started.elapsed().as_secs_f64());
    let mut slowest: Vec<&Looked> = done.iter().collect();
    slowest.sort_by_key(|looked| std::cmp::Reverse(looked.took));
    for looked in slowest.iter().take(3) {
        println!("slowest: {:.1} s, {}", looked.took.as_secs_f64(), named(looked.place));
    }
    let wrong = |looked: &&Looked| matches!(looked.outcome, Outcome::Wrong(_));
    assert_eq!(done.iter().filter(wrong).count(), 0, "cells are wrong");
    nothing_left_behind(&scene, &arguments);
}

/// No secret at another host, in another process's arguments or in what was pushed.
fn nothing_left_behind(scene: &Scene, arguments: &Arguments) {
    let secrets = scene.secrets(0);
    let heard = scene.elsewhere.heard();
    for told in &heard {
        assert_eq!(secrets.found(told.as_bytes()), None, "another host was told: {told}");
        let asks = told.to_ascii_lowercase();
        assert!(!asks.contains("\nauthorization:"), "another host was told: {told}");
    }
    let lines = arguments.seen();
    assert!(lines.len() > 2, "processes were seen");
    for line in lines {
        assert_eq!(secrets.found(&line), None, "{}", String::from_utf8_lossy(&line));
    }
    for registry in scene.registries() {
        assert_eq!(secrets.found_below(&registry.storage()), None);
    }
}

fn named(place: Place) -> String {
    let fault = place.fault.map_or("nothing", |(name, _)| name);
    let times = if place.times == 1 { "once" } else { "always" };
    format!("{fault}, {times}, at {}", place.step.name())
}

/// A row a fault, a column a step. In a cell, what comes of it if it happens once and if it always
/// does: `ok` the right image, `E` a clear error, each with the number of retries.
fn table(done: &[Looked]) -> String {
    let mut text = format!("{:30}", "");
    for step in STEPS {
        let _ = write!(text, "{:>20}", step.name());
    }
    for (name, _) in FAULTS {
        let _ = write!(text, "\n{name:30}");
        for step in STEPS {
            let cell = |times| {
                let looked = done.iter().find(|looked| {
                    let Place { fault, step: other, times: often, .. } = looked.place;
                    fault.is_some_and(|fault| fault.0 == *name) && other == step && often == times
                });
                match looked.map(|looked| &looked.outcome) {
                    None => "·".to_owned(),
                    Some(Outcome::Right(0)) => "ok".to_owned(),
                    Some(Outcome::Right(retries)) => format!("ok+{retries}"),
                    Some(Outcome::Error(0)) => "E".to_owned(),
                    Some(Outcome::Error(retries)) => format!("E+{retries}"),
                    Some(Outcome::Wrong(_)) => "WRONG".to_owned(),
                }
            };
            let both = format!("{} / {}", cell(1), cell(u32::MAX));
            let _ = write!(text, "{both:>20}");
        }
    }
    text
}

#[test]
fn each_failure_at_some_steps_ends_in_the_right_image_or_a_clear_error() {
    // Seven and the number of columns have no divisor in common: each column has its turn.
    matrix(|row, column| (row * 7 + column) % STEPS.len() == 0);
}

#[test]
#[ignore = "all cells take minutes; `make faults` prints them as a table"]
fn each_failure_at_each_step_ends_in_the_right_image_or_a_clear_error() {
    matrix(|_, _| true);
}
