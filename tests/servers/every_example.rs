//! The examples of `docs/errors.md` that need a server.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::examples::{self, Example};
use crate::proxy::{Act, Proxy};
use crate::scene::{Scene, administrator};
use crate::servers::{docker_engine, registry, tool};
use crate::support::Sandbox;

/// What is documented in the place of the registry's address and repository, and as long.
const HOST: &str = "localhost:50000";
const REPOSITORY: &str = "localhost:50000/shop";

#[test]
fn every_example_prints_what_is_documented() {
    let examples = examples::all().into_iter().filter(|example| example.needs.is_some());
    let wrong: Vec<String> = examples.filter_map(|example| run(&example).err()).collect();
    assert!(wrong.is_empty(), "{}\nUPDATE_DOCS=1 rewrites what is printed", wrong.join("\n"));
}

/// Runs one example with a registry, and with a cluster or a Docker Engine if it needs one.
fn run(example: &Example) -> Result<(), String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let own = format!("e{:03}", COUNT.fetch_add(1, Ordering::Relaxed));
    let proxy = Proxy::to_host(&registry().host);
    let answers: &'static [(String, u16, String)] = example.answers.clone().leak();
    let host = if answers.is_empty() { &registry().host } else { &proxy.host };
    let repository = format!("{host}/{own}");
    let mut names = vec![(repository.clone(), REPOSITORY), (host.clone(), HOST)];
    let sandbox = match example.needs.as_deref() {
        Some("cluster") => {
            let Scene { sandbox, namespace } = Scene::of(Sandbox::new(), &own, &own);
            let kubeconfig = administrator(&namespace);
            let server = kubeconfig.split("server: ").nth(1).unwrap();
            let server = server.split([',', '}', '\n']).next().unwrap().trim();
            names.extend([(server.to_owned(), "https://127.0.0.1:6443"), (namespace, "shop")]);
            sandbox.env_before("PATH", tool("kubectl").parent().unwrap())
        }
        Some("engine") => {
            let host = format!("unix://{}", docker_engine().socket.display());
            Sandbox::new().env("DOCKER_HOST", host)
        }
        Some("registry") => Sandbox::new().env("KO_DOCKER_REPO", repository),
        needs => panic!("{}: there is no {needs:?}", example.code),
    };
    let answer = |line: &str| {
        let answer = answers.iter().find(|(request, ..)| {
            let (method, part) = request.split_once(' ').unwrap();
            line.starts_with(method) && line.contains(part)
        });
        answer.map_or(Act::Pass, |(_, status, body)| Act::Answer(*status, body))
    };
    example.run(sandbox, &names, || proxy.rule(answer))
}
