//! `registries.conf`: where bases are pulled from, as skopeo reads the same file.

use crate::judges::inspect;
use crate::publish::{NAME, hello};
use crate::servers::{Registry, RegistryOptions, expect_success, registry, tool};
use crate::support::Sandbox;

/// A sandbox in which `registries.conf` says this, and images go to the shared registry.
fn configured(text: &str, repo: &str) -> Sandbox {
    let sandbox = hello();
    let conf = sandbox.outside("registries.conf");
    std::fs::write(&conf, text).unwrap();
    let sandbox = sandbox.env("CONTAINERS_REGISTRIES_CONF", conf);
    sandbox.env("KO_DOCKER_REPO", format!("{}/mirrors/{repo}", registry().host))
}

/// What the pushed image says of its base.
fn base_name(sandbox: &Sandbox, repo: &str) -> String {
    let image = inspect(&format!("docker://{}/mirrors/{repo}/{NAME}:latest", registry().host));
    let name = image.manifest["annotations"]["org.opencontainers.image.base.name"].as_str();
    assert!(sandbox.directory().exists());
    name.unwrap_or_default().to_owned()
}

#[test]
fn a_base_is_pulled_from_the_first_mirror_that_has_it_and_keeps_its_name() {
    let has = registry();
    let base = has.push_glibc_base("mirrors/of/bases/glibc:12");
    let empty = Registry::start_private(&RegistryOptions::default());
    let text = format!(
        "[[registry]]\nprefix = \"registry.test/team\"\nlocation = \"other.test/gone\"\n\
         [[registry.mirror]]\nlocation = \"{}/none\"\n\
         [[registry.mirror]]\nlocation = \"{}/mirrors/of\"\n",
        empty.host, has.host
    );
    let sandbox = configured(&text, "first");
    let named = "registry.test/team/bases/glibc:12";
    let ran = sandbox.run(["build", "-v", "--base-image", named]).exits(0);
    assert_eq!(base_name(&sandbox, "first"), named);
    let stderr = ran.stderr();
    let passed = format!("the mirror `{}/none/bases/glibc` is passed over", empty.host);
    assert!(stderr.contains(&passed), "{stderr}");
    let from = format!("comes from the mirror `{}/mirrors/of/bases/glibc`", has.host);
    assert!(stderr.contains(&from), "{stderr}");
    let direct = configured("", "direct").run(["build", "--base-image", &base]).exits(0);
    let config = |repo: &str| {
        let image = format!("docker://{}/mirrors/{repo}/{NAME}:latest", registry().host);
        inspect(&image).manifest["config"]["digest"].clone()
    };
    assert!(direct.line().contains("/direct/"));
    assert_eq!(config("first"), config("direct"));

    // skopeo makes the same of the file.
    let conf = sandbox.outside("registries.conf");
    let mut skopeo = sandbox.command(tool("skopeo"));
    skopeo.args(["--registries-conf", conf.to_str().unwrap(), "inspect", "--tls-verify=false"]);
    expect_success(&skopeo.args(["--raw", &format!("docker://{named}")]).output().unwrap());
}

#[test]
fn a_mirror_gets_its_own_credentials_and_may_be_insecure_by_itself() {
    let user = Some(("ann".to_owned(), "secret".to_owned()));
    let options = RegistryOptions { user, tls: true, ..RegistryOptions::default() };
    let mirror = Registry::start_private(&options);
    let conf = |insecure: bool| {
        format!(
            "[[registry]]\nlocation = \"registry.test\"\n\
             [[registry.mirror]]\nlocation = \"{}/of\"\ninsecure = {insecure}\n",
            mirror.host
        )
    };
    // A base there, pushed by ko-rs itself.
    let sandbox = configured(&conf(true), "own")
        .env("SSL_CERT_FILE", mirror.ca.as_ref().unwrap())
        .env("KO_DOCKER_REPO", format!("{}/of/base", mirror.host));
    let login = ["login", "-u", "ann", "--password-stdin", &mirror.host];
    let _ = sandbox.run_with_input(login, "secret").exits(0);
    let _ = sandbox.run(["build", "--bare"]).exits(0);

    let repo = format!("{}/mirrors/own", registry().host);
    let sandbox = sandbox.env("SSL_CERT_FILE", "").env("KO_DOCKER_REPO", &repo);
    let build = ["build", "--base-image", "registry.test/base"];
    let _ = sandbox.run(build).exits(0);
    assert_eq!(base_name(&sandbox, "own"), "registry.test/base");

    std::fs::write(sandbox.outside("registries.conf"), conf(false)).unwrap();
    let ran = sandbox.run(build).exits(1);
    let why = "could not make a trusted connection to";
    assert!(ran.stderr().contains(&format!("passed over: {why} `{}`", mirror.host)));
    assert!(ran.stderr().contains("could not connect to `registry.test`"), "{}", ran.stderr());
}

#[test]
fn a_blocked_name_is_not_pulled_and_an_alias_is_what_it_stands_for() {
    let base = registry().push_glibc_base("mirrors/alias/glibc:12");
    let (name, _) = base.rsplit_once(':').unwrap();
    let text = format!(
        "unqualified-search-registries = [\"a.test\", \"b.test\"]\n\
         [[registry]]\nlocation = \"evil.test\"\nblocked = true\n\
         [aliases]\n\"glibc\" = \"{name}\"\n"
    );
    let sandbox = configured(&text, "alias");
    let ran = sandbox.run(["build", "--base-image", "evil.test/x"]).exits(1);
    assert_eq!(
        ran.stderr(),
        "error[invalid-registries-conf]: could not pull the base image `evil.test/x`
caused by: could not pull a manifest from `evil.test/x`
caused by: registries.conf blocks `evil.test`
"
    );
    let ran = sandbox.run(["build", "--base-image", "other"]).exits(2);
    assert_eq!(
        ran.stderr(),
        "error[invalid-value]: --base-image: `other` is ambiguous: registries.conf searches a.test, b.test
hint: write the full name, as in `a.test/other`, or add it to `[aliases]` of registries.conf
"
    );
    sandbox.write(".ko-rs.yaml", "defaultBaseImage: glibc:12\n");
    let _ = sandbox.run(["build"]).exits(0);
    assert_eq!(base_name(&sandbox, "alias"), base);
    sandbox.write(".ko-rs.yaml", "builds:\n- package: hello\n  base: other:12\n");
    let ran = sandbox.run(["build"]).exits(2);
    assert!(
        ran.stderr().contains("`other` is ambiguous: registries.conf searches a.test, b.test"),
        "{}",
        ran.stderr()
    );
    sandbox.write(".ko-rs.yaml", "builds:\n- package: hello\n  base: glibc:12\n");
    let _ = sandbox.run(["build"]).exits(0);
    assert_eq!(base_name(&sandbox, "alias"), base);
}
