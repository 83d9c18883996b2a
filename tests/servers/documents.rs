//! Shell commands of the documentation that need a server.

use crate::blocks;
use crate::scene::Scene;
use crate::servers::{registry, tool};
use crate::support::Sandbox;

#[test]
fn commands_of_documents_that_need_a_registry_work() {
    let host = &registry().host;
    let team = format!("{host}/documents");
    for block in blocks::all().iter().filter(|block| block.info == "needs=registry") {
        let sandbox = Sandbox::inside_fixture("crates/hello").env("TOKEN", "secret");
        let sandbox = sandbox.env_before("PATH", tool("oras").parent().unwrap());
        let app = format!("--repo={team}/app");
        let both = "--platform=linux/amd64,linux/arm64";
        let _ = sandbox.run(["build", "--bare", &app, "--tags=v1", both]).exits(0);
        block.run(sandbox, &[("ghcr.io/team", &team), ("ghcr.io", host)]);
    }
}

#[test]
fn commands_of_documents_that_need_a_cluster_work() {
    for block in blocks::all().iter().filter(|block| block.info == "needs=cluster") {
        let Scene { sandbox, .. } = Scene::new("documents");
        block.run(sandbox, &[("ghcr.io/your-team", &format!("{}/delinkcious", registry().host))]);
    }
}
