//! Docker Engines that are gone, fail, lie, or go in the middle.

use super::{end, error, hello, large_hello, named};
use crate::proxy::{Act, Proxy};
use crate::publish::edit;
use crate::servers::{DockerEngine, docker_engine, expect_success};
use crate::support::Sandbox;

fn local(sandbox: Sandbox, repo: &str, host: &str) -> Sandbox {
    sandbox.env("KO_DOCKER_REPO", repo).env("DOCKER_HOST", host)
}

/// A proxy's address for `DOCKER_HOST`.
pub(super) fn address(proxy: &Proxy) -> String {
    format!("tcp://{}", proxy.host)
}

/// The IDs of the images that an engine has in a repository.
#[track_caller]
pub(super) fn images(engine: &DockerEngine, repository: &str) -> String {
    let output = engine.docker(["images", "--all", "--quiet", "--no-trunc", repository]);
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_engine_that_is_not_there_is_an_error_with_a_hint() {
    let sandbox = hello();
    let socket = sandbox.outside("docker.sock");
    let address = format!("unix://{}", socket.display());
    let ran = local(sandbox, "ko.local", &address).run(["build", "."]).exits(1);
    assert_eq!(
        error(&ran),
        format!(
            "error[engine-unreachable]: could not publish the image of `hello`
caused by: could not load the image into the Docker Engine
caused by: could not reach the Docker Engine at {address}
caused by: No such file or directory (os error 2)
hint: is Docker running? DOCKER_HOST says where it is; for minikube, `eval $(minikube docker-env)`
"
        )
    );
}

#[test]
fn an_engine_that_stops_between_two_runs_is_an_error_and_starts_again() {
    let engine = DockerEngine::start_private();
    let address = format!("unix://{}", engine.socket.display());
    let sandbox = local(hello(), "ko.local", &address);
    let first = sandbox.run(["build", "."]).exits(0);
    engine.stop();
    let ran = sandbox.run(["build", "."]).exits(1);
    let error = error(&ran);
    let beginning = format!(
        "error[engine-unreachable]: could not publish the image of `hello`\ncaused by: could not load the image into the Docker Engine\ncaused by: could not reach the Docker Engine at {address}\n"
    );
    assert!(error.starts_with(&beginning), "{error}");
    engine.start();
    assert_eq!(sandbox.run(["build", "."]).exits(0).line(), first.line());
}

#[test]
fn an_engine_that_goes_in_the_middle_has_no_half_image() {
    let engine = docker_engine();
    let proxy = Proxy::to_socket(&engine.socket);
    let repo = "ko.local/engines/going";
    proxy.rule(|line| match line.contains("/images/load") {
        true => Act::Stall(1 << 20),
        false => Act::Pass,
    });
    let address = address(&proxy);
    let sandbox = local(large_hello(), repo, &address);
    let child = sandbox.start(["build", "."]);
    proxy.wait_until_stalled();
    drop(proxy);
    let ran = end(child).exits(1);
    let error = error(&ran);
    let beginning = "error[engine-unreachable]: could not publish the image of `hello`\ncaused by: could not load the image into the Docker Engine\n";
    assert!(error.starts_with(beginning), "{error}");
    assert!(error.contains("hint: "), "{error}");
    assert_eq!(images(engine, &named(repo)), "");
}

#[test]
fn an_engine_that_fails_or_lies_is_an_error_in_its_own_words() {
    let engine = docker_engine();
    let proxy = Proxy::to_socket(&engine.socket);
    let repo = "ko.local/engines/failing";
    let sandbox = local(hello(), repo, &address(&proxy));
    for (status, answer, said) in [
        (
            500,
            r#"{"message":"no space left on device"}"#,
            "responded with 500: no space left on device\n",
        ),
        (200, "<html>Welcome</html>", "is not valid\n"),
        (200, r#"{"errorDetail":{"message":"it broke"},"error":"it broke"}"#, "it broke\n"),
    ] {
        proxy.rule(move |line| match line.contains("/images/load") {
            true => Act::Answer(status, answer),
            false => Act::Pass,
        });
        let ran = sandbox.run(["build", "."]).exits(1);
        let error = error(&ran);
        assert!(
            error.starts_with("error[engine-failed]: could not publish the image of `hello`\ncaused by: could not load the image into the Docker Engine\n"),
            "{error}"
        );
        assert!(error.contains(said), "{said}: {error}");
        assert_eq!(images(engine, &named(repo)), "");
    }
    proxy.rule(|_| Act::Pass);
    let first = sandbox.run(["build", "."]).exits(0);
    let before = images(engine, &named(repo));
    assert!(before.contains(first.line().rsplit_once(':').unwrap().1), "{before}");

    // What is there stays what it is.
    edit(&sandbox, "Hello again");
    proxy.rule(|line| match line.contains("/images/load") {
        true => Act::Answer(500, r#"{"message":"no space left on device"}"#),
        false => Act::Pass,
    });
    let _ = sandbox.run(["build", "."]).exits(1);
    assert_eq!(images(engine, &named(repo)), before);
}
