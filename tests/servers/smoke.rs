//! The servers themselves work: whatever fails in other tests is not their fault.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::servers::{
    Cluster, DockerEngine, Registry, RegistryOptions, cluster, docker_engine, expect_success,
    registry, tool,
};

/// The status that `GET /v2/` of a registry gets, by curl.
fn ping(registry: &Registry, options: &[&str]) -> String {
    let output = Command::new(tool("curl"))
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(options)
        .arg(format!("{}/v2/", registry.url))
        .output()
        .expect("curl runs");
    String::from_utf8(output.stdout).expect("a status is text")
}

#[test]
fn the_registry_answers() {
    assert_eq!(ping(registry(), &[]), "200");
    assert_eq!(registry().url, format!("http://{}", registry().host));
}

#[test]
fn a_private_registry_asks_for_password_and_certificate() {
    let options = RegistryOptions {
        user: Some(("ann".into(), "secret".into())),
        tls: true,
        ..RegistryOptions::default()
    };
    let registry = Registry::start_private(&options);
    let ca = registry.ca.as_ref().expect("it has TLS").to_str().expect("the path is text");
    assert_eq!(ping(&registry, &[]), "000", "its authority is unknown");
    assert_eq!(ping(&registry, &["--cacert", ca]), "401");
    assert_eq!(ping(&registry, &["--cacert", ca, "--user", "ann:secret"]), "200");
}

#[test]
fn a_private_registry_can_be_stopped_started_and_emptied() {
    let registry = Registry::start_private(&RegistryOptions::default());
    let image = format!("docker://{}/pause:1", registry.host);
    let there = || {
        Command::new(tool("skopeo"))
            .args(["inspect", "--raw", "--tls-verify=false", &image])
            .output()
            .expect("skopeo runs")
            .status
            .success()
    };
    push_pause(docker_engine(), &registry.host);
    assert!(there());
    registry.stop();
    assert!(TcpStream::connect(&registry.host).is_err());
    registry.start();
    assert!(there(), "what it stored is there again");
    registry.wipe();
    assert_eq!(ping(&registry, &[]), "200");
    assert!(!there());
}

#[test]
fn an_imported_image_runs_in_the_docker_engine() {
    let engine = docker_engine();
    let source = r#"int puts(const char *); int main(void) { puts("it runs"); }"#;
    import(engine, "localhost/smoke:1", source);
    for network in ["none", "host"] {
        let output = engine.docker(["run", "--rm", "--network", network, "localhost/smoke:1"]);
        expect_success(&output);
        assert_eq!(output.stdout, b"it runs\n");
    }
}

#[test]
fn the_docker_engine_answers_over_tls_to_whoever_has_a_certificate() {
    let engine = docker_engine();
    let docker = || {
        let mut command = Command::new(tool("docker"));
        command
            .args(["images", "--quiet", "localhost/pause:1"])
            .env("DOCKER_CONFIG", "/nonexistent");
        command
    };
    let output = docker().envs(engine.docker_env()).output().expect("docker runs");
    expect_success(&output);
    assert!(!output.stdout.is_empty());
    let refused = docker().env("DOCKER_HOST", &engine.tls_host).output().expect("docker runs");
    assert!(!refused.status.success());
}

#[test]
fn a_private_docker_engine_can_be_stopped_and_started() {
    let engine = DockerEngine::start_private();
    let image = ["image", "inspect", "localhost/pause:1"];
    expect_success(&engine.docker(image));
    engine.stop();
    assert!(!engine.docker(image).status.success());
    engine.start();
    expect_success(&engine.docker(image));
}

#[test]
fn the_glibc_base_has_what_a_dynamic_executable_needs() {
    let base = registry().push_glibc_base("smoke/glibc:1");
    let engine = docker_engine();
    let folder =
        program("gcc", &[], r#"int puts(const char *); int main(void) { puts("it is dynamic"); }"#);
    let mount = format!("{}:/bin", folder.path().display());
    let run = ["run", "--rm", "--network", "none", "--volume", &mount, &base, "/bin/program"];
    let output = engine.docker(run);
    expect_success(&output);
    assert_eq!(output.stdout, b"it is dynamic\n");
}

#[test]
fn the_containerd_node_runs_what_it_pulls_from_the_registry() {
    let cluster = cluster();
    let image = push_answer("smoke");
    answers_as_a_pod(cluster, &cluster.containerd_node, &image, "Always");
}

/// Pushes the image of `smoke/answer.c`, which listens on port 8080, and returns its name.
pub(crate) fn push_answer(folder: &str) -> String {
    let image = format!("{}/{folder}/answer:1", registry().host);
    import(docker_engine(), &image, include_str!("smoke/answer.c"));
    expect_success(&docker_engine().docker(["push", &image]));
    image
}

#[test]
fn the_minikube_node_runs_what_is_in_its_docker_engine() {
    let cluster = cluster();
    import(&cluster.docker, "ko.local/smoke-answer:1", include_str!("smoke/answer.c"));
    answers_as_a_pod(cluster, &cluster.minikube_node, "ko.local/smoke-answer:1", "Never");
}

/// Runs `image` as a pod of `node`, and asserts that it answers and that its log tells so.
fn answers_as_a_pod(cluster: &Cluster, node: &str, image: &str, pull: &str) {
    let namespace = cluster.namespace("smoke");
    let pod = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: answer}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 1
  containers: [{{name: answer, image: {image:?}, imagePullPolicy: {pull}}}]
"
    );
    expect_success(
        &cluster.kubectl_with_input(["apply", "--namespace", &namespace, "-f", "-"], &pod),
    );
    let ready = ["wait", "--for=condition=Ready", "--timeout=90s", "pod/answer"];
    expect_success(&cluster.kubectl(ready.iter().copied().chain(["--namespace", &namespace])));

    let forward = cluster.port_forward(&namespace, "pod/answer", 8080);
    assert_eq!(forward.get("/"), "it answers\n");
    drop(forward);

    let logs = cluster.kubectl(["logs", "--namespace", &namespace, "answer"]);
    expect_success(&logs);
    assert_eq!(logs.stdout, b"it listens\nit answered\n");
    expect_success(&cluster.kubectl(["delete", "namespace", "--wait=false", &namespace]));
}

/// Pushes the image that every engine has to `HOST/pause:1`.
fn push_pause(engine: &DockerEngine, host: &str) {
    let name = format!("{host}/pause:1");
    expect_success(&engine.docker(["tag", "localhost/pause:1", &name]));
    expect_success(&engine.docker(["push", &name]));
}

/// Makes an image of the compiled C `source` alone, called `image`, in the engine.
fn import(engine: &DockerEngine, image: &str, source: &str) {
    let folder = program("musl-gcc", &["-static"], source);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", folder.path()).expect("the folder can be read");
    let archive = archive.into_inner().expect("memory can be written");
    let mut import = engine
        .docker_command()
        .args(["import", "--change", r#"ENTRYPOINT ["/program"]"#, "-", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("docker runs");
    import.stdin.take().expect("it is piped").write_all(&archive).expect("docker reads it all");
    assert!(import.wait().expect("docker can be waited for").success());
}

/// Compiles C into an executable called `program`, in a folder that lives as long.
fn program(compiler: &str, options: &[&str], source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut compiler = Command::new(tool(compiler))
        .args(options)
        .args(["-Os", "-x", "c", "-o"])
        .arg(folder.path().join("program"))
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .expect("the compiler runs");
    let mut stdin = compiler.stdin.take().expect("it is piped");
    stdin.write_all(source.as_bytes()).expect("the compiler reads the source");
    drop(stdin);
    assert!(compiler.wait().expect("the compiler can be waited for").success());
    folder
}
