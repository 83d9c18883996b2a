//! `logs`, `apply --logs` and `port-forward`, on pods that end, restart and are replaced.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::scene::Scene;
use crate::schemas::document;
use crate::support::Sandbox;

/// In the fixture `talk`, whose image is built and pushed once for all tests.
fn talk(name: &str) -> Scene {
    Scene::of(Sandbox::inside_fixture("crates/talk"), name, "talk")
}

/// A Job of some pods that each print lines.
fn job(completions: u32) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: count}}
spec:
  completions: {completions}
  template:
    spec:
      restartPolicy: Never
      initContainers: [{{name: first, image: ko://talk, args: [count, init, '1', '0']}}]
      containers: [{{name: main, image: ko://talk, args: [count, line, '2000', '0']}}]
"
    )
}

/// A pod that ends with an error and is started again.
const CRASHING: &str = "
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: ko://talk, args: [count, line, '3', '3']}]
";

/// The lines of a container, without the prefix.
fn lines<'a>(text: &'a str, container: &str) -> Vec<&'a str> {
    let marker = format!("/{container}] ");
    text.lines().filter_map(|line| Some(line.split_once(&marker)?.1)).collect()
}

#[test]
fn every_line_of_every_container_of_a_job_is_printed_once_while_it_runs_and_afterwards() {
    let scene = talk("logs-job");
    let ran = scene.run_with_input("apply --logs -f -", &job(2)).exits(0);
    assert!(ran.stdout().starts_with("job.batch/count created\n"), "{}", ran.stdout());
    let expected: Vec<_> = (1..=2000).map(|line| format!("line {line}")).collect();
    let printed_once = |text: &str| {
        let mut pods = std::collections::BTreeMap::<&str, Vec<&str>>::new();
        for (pod, line) in text.lines().filter_map(|line| line.split_once("/main] ")) {
            pods.entry(pod).or_default().push(line);
        }
        assert_eq!(pods.len(), 2);
        assert!(pods.values().all(|lines| *lines == expected));
        assert_eq!(lines(text, "first"), ["init 1"; 2]);
    };
    printed_once(ran.stdout());
    let mut again = scene.run("logs job/count").exits(0).stdout().to_owned();
    printed_once(&again);
    again = scene
        .run_with_input("logs --follow -c main --tail=1 -f -", &job(2))
        .exits(0)
        .stdout()
        .to_owned();
    assert_eq!(lines(&again, "main"), ["line 2000"; 2]);
    assert_eq!(again.lines().count(), 2);
}

#[test]
fn a_restarted_container_is_followed_with_what_it_printed_before() {
    let scene = talk("logs-crash");
    let _ = scene.run_with_input("apply -f -", CRASHING).exits(0);
    let restarts = || {
        scene.kubectl("get pod crash --output jsonpath={.status.containerStatuses[0].restartCount}")
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while restarts() != "1" {
        assert!(Instant::now() < deadline, "{}", scene.kubectl("describe pods"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut child = Following::start(&scene, &["logs", "--follow", "--output=json", "crash"]);
    // What there is of instances before, and those that start while the log is followed.
    let mut times = std::collections::BTreeSet::new();
    let found: Vec<String> = (0..9)
        .map(|_| {
            let line = document("LogLineResult", &child.line());
            assert_eq!((&line["pod"], &line["container"]), (&"crash".into(), &"main".into()));
            assert!(times.insert(line["time"].as_str().unwrap().to_owned()), "{line}");
            line["line"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(found, ["line 1", "line 2", "line 3"].repeat(3));
    scene.kubectl("delete pod crash --now");
    let rest = child.end();
    assert_eq!(rest.lines().count() % 3, 0, "{rest}");
}

#[test]
fn what_has_no_logs_is_an_error_with_a_hint() {
    let scene = talk("logs-none");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let ran = scene.run_with_input("logs -f -", map).exits(1);
    assert!(ran.stderr().contains("error[no-pods]: none of the objects has pods"));
    let ran = scene.run("logs -f deploy/link").exits(2);
    assert!(
        ran.stderr().contains("hint: to follow its log, use `ko-rs logs --follow deploy/link`")
    );
    let ran = scene.run("logs deploy/link").exits(1);
    assert!(ran.stderr().contains("error[object-not-found]"), "{}", ran.stderr());
    let ran = scene.run("logs configmap/a").exits(2);
    assert!(ran.stderr().contains("where TYPE is a kind that has pods"), "{}", ran.stderr());
}

const SERVING: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: serve}
spec:
  selector: {matchLabels: {app: serve}}
  template:
    metadata: {labels: {app: serve}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: ko://talk
        args: [serve, one]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: serve}
spec: {selector: {app: serve}, ports: [{name: web, port: 80, targetPort: http}]}
";

#[test]
fn a_forwarded_port_outlives_the_pods() {
    let scene = talk("forward");
    let _ = scene.run_with_input("apply --wait -f -", SERVING).exits(0);
    let mut child = Following::start(&scene, &["port-forward", "svc/serve", ":80", ":web"]);
    let port = |line: String| {
        let address =
            line.strip_prefix("Forwarding from 127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        address.split_once(" -> 8080").unwrap().0.parse::<u16>().unwrap()
    };
    let first = port(child.line());
    assert_eq!(get(first), "one");
    let changed = SERVING.replace("serve, one", "serve, two");
    let _ = scene.run_with_input("apply --wait -f -", &changed).exits(0);
    assert_eq!(get(first), "two", "the newest pod answers");
    scene.kubectl("delete pod --selector app=serve --now");
    assert_eq!(get(first), "two", "a ready pod is waited for");
    child.stop();

    let ran = scene.run("port-forward svc/serve 81").exits(1);
    assert!(
        ran.stderr().contains("error[no-port]: service/serve has no port `81`"),
        "{}",
        ran.stderr()
    );
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let ran = scene.run(&format!("port-forward deploy/serve {taken}:http")).exits(1);
    assert!(ran.stderr().contains("error[local-port]"), "{}", ran.stderr());
}

/// The body of an answer.
fn get(port: u16) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

/// A command that runs until it is stopped.
struct Following {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Following {
    fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let mut command = scene.sandbox.command(env!("CARGO_BIN_EXE_ko-rs"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// The rest of the output, once the command has ended by itself.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }

    fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
