//! Lists whose entries have a unique key: the API server refuses duplicates, and ko-rs finds them before
//! anything is built.

use crate::scene::Scene;
use crate::servers::cluster;

/// Positions in a Deployment.
const IN_CONTAINER: &str = "      - {name: a, image: nginx, ";
const IN_POD: &str = "      containers: [{name: a, image: nginx}]\n      ";

fn deployment(pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: twice}}\nspec:\n  replicas: 0\n  \
         selector: {{matchLabels: {{app: twice}}}}\n  template:\n    metadata: {{labels: {{app: twice}}}}\n    \
         spec:\n{pod}\n"
    )
}

fn container(with: &str) -> String {
    deployment(&format!("      containers:\n{IN_CONTAINER}{with}}}"))
}

fn pod(with: &str) -> String {
    deployment(&format!("{IN_POD}{with}"))
}

fn service(ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: twice}}\nspec: {{ports: [{ports}]}}\n"
    )
}

/// Whether the API server refuses a manifest because of a duplicate.
fn is_refused(scene: &Scene, manifest: &str) -> bool {
    let words =
        ["--namespace", &scene.namespace, "apply", "--server-side", "--dry-run=server", "-f", "-"];
    let output = cluster().kubectl_with_input(words, manifest);
    let complaint = String::from_utf8(output.stderr).unwrap();
    let is_duplicate = complaint.contains("duplicate entries for key");
    assert_eq!(output.status.success(), !is_duplicate, "{manifest}\n{complaint}");
    is_duplicate
}

#[test]
fn duplicates_that_the_api_server_refuses_are_found_before() {
    let scene = Scene::new("twice");
    let spread = "topologyKey: a, maxSkew: 1, whenUnsatisfiable";
    for (manifest, found) in [
        (
            container("env: [{name: A, value: b}, {name: B}, {name: A}]"),
            Some("environment variable `A`"),
        ),
        (
            container("ports: [{containerPort: 80, name: a}, {containerPort: 80, name: b}]"),
            Some("port `80/TCP`"),
        ),
        (container("ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]"), None),
        (
            container("volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]")
                .replace(
                    "      containers",
                    "      volumes: [{name: a}, {name: b}]\n      containers",
                ),
            Some("mount `/a`"),
        ),
        (
            container("volumeDevices: [{name: a, devicePath: /a}, {name: b, devicePath: /a}]"),
            Some("device `/a`"),
        ),
        (pod("initContainers: [{name: b, image: x}, {name: b, image: y}]"), Some("container `b`")),
        (
            pod("initContainers: [{name: b, image: x, env: [{name: A}, {name: A}]}]"),
            Some("environment variable `A`"),
        ),
        (pod("volumes: [{name: a}, {name: a, emptyDir: {}}]"), Some("volume `a`")),
        (pod("imagePullSecrets: [{name: a}, {name: a}]"), Some("secret `a`")),
        (
            pod("hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1}]"),
            Some("alias `10.0.0.1`"),
        ),
        (
            pod(&format!(
                "topologySpreadConstraints: [{{{spread}: DoNotSchedule}}, {{{spread}: DoNotSchedule}}]"
            )),
            Some("spread constraint `a/DoNotSchedule`"),
        ),
        (
            pod(&format!(
                "topologySpreadConstraints: [{{{spread}: DoNotSchedule}}, {{{spread}: ScheduleAnyway}}]"
            )),
            None,
        ),
        (
            pod(
                "resourceClaims: [{name: a, resourceClaimName: b}, {name: a, resourceClaimName: c}]",
            ),
            Some("claim `a`"),
        ),
        (pod("tolerations: [{key: a, operator: Exists}, {key: a, operator: Exists}]"), None),
        (service("{port: 80, name: a}, {port: 80, name: b}"), Some("port `80/TCP`")),
        (service("{port: 80, name: a}, {port: 80, name: b, protocol: UDP}"), None),
    ] {
        assert_eq!(is_refused(&scene, &manifest), found.is_some(), "{manifest}");
        let checked = scene.run_with_input("check -f -", &manifest).exits(0);
        let said = checked.stderr().contains("warning[duplicate-entry]: ");
        assert_eq!(said, found.is_some(), "{manifest}\n{}", checked.stderr());
        if let Some(what) = found {
            assert!(
                checked.stderr().contains(&format!("the {what} is defined twice")),
                "{}",
                checked.stderr()
            );
        }
    }
}

#[test]
fn a_duplicate_entry_is_shown_with_both_lines_before_apply_is_refused() {
    let scene = Scene::new("twice-shown");
    let manifest = deployment(
        "      containers:\n      - name: a\n        image: nginx\n        env:\n        - &a {name: A, value: b}\n        \
         - {<<: *a, value: c}",
    );
    let lines = "\
  --> <stdin>:15:16
   |
15 |         - {<<: *a, value: c}
   |                ^^ second definition
  --> <stdin>:14:21
   |
14 |         - &a {name: A, value: b}
   |                     ^ first definition
";
    let shown = |stderr: &str| {
        let plain: Vec<&str> = stderr.lines().map(str::trim_start).collect();
        let wanted: Vec<&str> = lines.lines().map(str::trim_start).collect();
        assert!(plain.windows(wanted.len()).any(|part| part == wanted), "{stderr}");
    };
    assert!(is_refused(&scene, &manifest));
    let ran = scene.run_with_input("apply -f -", &manifest).exits(1);
    shown(ran.stderr());
    assert!(ran.stderr().contains("duplicate entries for key"), "{}", ran.stderr());
    assert_eq!(scene.names("deployments"), "");

    // If the lint is denied, nothing is sent.
    let settings = scene.sandbox.outside("deny.yaml");
    std::fs::write(&settings, "lints: {duplicate-entry: deny}\n").unwrap();
    let scene = scene.env("KO_RS_CONFIG_PATH", &settings);
    let ran = scene.run_with_input("apply -f -", &manifest).exits(1);
    shown(ran.stderr());
    assert!(!ran.stderr().contains("duplicate entries for key"), "{}", ran.stderr());
}
