//! A signal while objects are written: what was done is listed, and the same command completes it.

use std::fmt::Write as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::refusals::end;
use crate::scene::Scene;
use crate::servers::{cluster, expect_success};
use crate::support::{Ran, Sandbox};

const OBJECTS: usize = 3000;

fn count(namespace: &str) -> usize {
    let arguments =
        ["get", "configmaps", "--namespace", namespace, "--output=name", "-l", "of=set"];
    let output = cluster().kubectl(arguments);
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap().lines().count()
}

/// Interrupts ko-rs once the number of objects has changed from what it was.
#[track_caller]
fn interrupt(child: Child, namespace: &str, before: usize) -> Ran {
    while count(namespace) == before {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    end(child).exits(130)
}

#[test]
fn what_was_done_before_a_signal_is_listed_and_the_same_command_completes_it() {
    let Scene { sandbox, namespace } = Scene::of(Sandbox::new(), "interrupted", "interrupted");
    let mut set = String::new();
    for number in 0..OBJECTS {
        let name = format!("a{number:04}");
        writeln!(
            set,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{of: set}}}}"
        )
        .unwrap();
    }
    sandbox.write("set.yaml", &set);

    let ran = interrupt(sandbox.start(["apply", "-f", "set.yaml"]), &namespace, 0);
    let there = count(&namespace);
    assert!(there < OBJECTS, "it was interrupted too late");
    assert_eq!(ran.stdout().lines().filter(|line| line.ends_with(" created")).count(), there);
    let expected = format!("error[interrupted]: only {there} of {OBJECTS} objects were written\n");
    assert!(ran.stderr().contains(&expected), "{}", ran.stderr());

    let ran = sandbox.run(["apply", "-f", "set.yaml"]).exits(0);
    let ends = |end| ran.stdout().lines().filter(|line| line.ends_with(end)).count();
    assert_eq!((ends(" unchanged"), ends(" created")), (there, OBJECTS - there));
    assert_eq!(count(&namespace), OBJECTS);

    let ran = interrupt(sandbox.start(["delete", "-f", "set.yaml"]), &namespace, OBJECTS);
    let left = count(&namespace);
    assert!(left > 0, "it was interrupted too late");
    assert_eq!(ran.stdout().lines().count(), OBJECTS - left);
    let _ = sandbox.run(["delete", "-f", "set.yaml", "--ignore-not-found"]).exits(0);
    assert_eq!(count(&namespace), 0);
}
