//! `ko-rs dev --once`, for CI.

use crate::scene::{Scene, on_node};
use crate::servers::cluster;

#[test]
fn one_round_is_deployed_and_a_command_gives_the_exit_status() {
    let scene = Scene::new("dev-once");
    let file = scene.sandbox.outside("set.yaml");
    let link = scene.sandbox.read("svc/link_service/k8s/link_manager.yaml");
    std::fs::write(&file, on_node(&link, &cluster().containerd_node)).unwrap();
    let file = file.display();
    let dev = |rest: &str| {
        let line = format!("dev --once -f {file} {rest}");
        scene.run(&line)
    };
    let ran = dev("").exits(0);
    assert!(ran.stderr().contains("Updated link-manager by rollout in "), "{}", ran.stderr());
    assert_eq!(scene.live("deployment/link-manager")["status"]["readyReplicas"], 1);
    let words = ["dev", "--once", "-f"].map(str::to_owned).into_iter();
    let words = words.chain([file.to_string()]);
    let script = "exec 3<>/dev/tcp/${KO_RS_FORWARD_LINK_MANAGER_80/://}; \
                  printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3; exit 7";
    let command = ["--", "bash", "-c", script].map(str::to_owned);
    let ran = scene.sandbox.run(words.chain(command)).exits(7);
    assert_eq!(ran.stdout(), "{\"service\":\"link\",\"version\":\"1\"}");
    let ran = dev("-- ./not-there").exits(1);
    assert!(ran.stderr().contains("error[command-not-run]"), "{}", ran.stderr());
}
