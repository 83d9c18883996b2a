//! Which workspace is taken, and which binary a reference means in it.

use super::*;

#[test]
fn all_three_forms_mean_the_same_binary() {
    let sandbox = workspace();
    let path = "github.com/the-gigi/delinkcious/svc/link_service";
    for reference in ["link-service", "ko://svc/link_service", path, &format!("ko://{path}")] {
        let binary = sandbox.find(reference).unwrap();
        assert_eq!(binary.bin, "link-service", "{reference}");
        assert_eq!(binary.import_path.to_string(), path);
        assert_eq!(binary.folder, sandbox.path("svc/link_service"));
    }
    let open = sandbox.open().unwrap();
    for argument in ["./svc/link_service", "svc/link_service/", "link-service"] {
        assert_eq!(open.find_argument(argument).unwrap().package, "link-service");
    }
    let absolute = sandbox.path("svc/link_service");
    assert_eq!(open.find_argument(absolute.to_str().unwrap()).unwrap().package, "link-service");
    assert_eq!(open.binaries().len(), 4);
}

#[test]
fn a_folder_is_seen_from_the_working_directory() {
    let mut sandbox = workspace();
    sandbox.settings.directory = sandbox.path("svc/link_service");
    let open = sandbox.open().unwrap();
    for argument in [".", "./", "../link_service", "ko://."] {
        assert_eq!(open.find_argument(argument).unwrap().package, "link-service", "{argument}");
    }
    assert_eq!(open.find_argument("../tools#one").unwrap().bin, "one");
    assert!(open.find_argument("..").is_err());
}

#[test]
fn the_binary_is_the_named_one_or_the_default() {
    let sandbox = workspace();
    let user = sandbox.find("user-service").unwrap();
    assert_eq!(
        (user.bin.as_str(), user.import_path.to_string().as_str()),
        ("user", "svc/user_service")
    );
    let admin = sandbox.find("user-service#admin").unwrap();
    assert_eq!(admin.import_path.to_string(), "svc/user_service#admin");
    let error = |reference: &str| sandbox.find(reference).unwrap_err();
    assert!(
        matches!(error("tools"), Error::AmbiguousBinary { bins, .. } if bins == ["one", "two"])
    );
    assert!(matches!(error("shared"), Error::NoBinary { .. }));
    let none = error("user-service#amdin");
    assert_eq!(Diagnostic::of(&none).hints, ["did you mean `admin`?"]);
    let none = error("ko://svc/link_servise");
    assert!(
        none.to_string()
            .starts_with("`ko://svc/link_servise` does not match any crate of the workspace `/")
    );
    let hints = Diagnostic::of(&none).hints.concat();
    assert!(hints.contains("`svc/link_service`"), "{hints}");
}

#[test]
fn a_crate_without_a_repository_is_named_by_its_folder_or_itself() {
    let sandbox = Sandbox::new(&[("Cargo.toml", &package("solo", "")), ("src/main.rs", HELLO)]);
    assert_eq!(sandbox.find("solo").unwrap().import_path.to_string(), "solo");
    let mut sandbox = sandbox;
    sandbox.settings.import_path = Some("example.org/a/rust/".to_owned());
    let binary = sandbox.find("Example.org/a/rust").unwrap();
    assert_eq!(binary.import_path.to_string(), "example.org/a/rust");
}

#[test]
fn without_a_workspace_here_the_references_decide_between_those_of_the_repository() {
    let crates = [
        ("rust/Cargo.toml", &*package("a", "")),
        ("rust/src/main.rs", HELLO),
        ("tools/Cargo.toml", &package("b", "")),
        ("tools/src/main.rs", HELLO),
    ];
    let mut sandbox = Sandbox::new(&crates);
    let silent = Reporter::new();
    let none = sandbox.open().unwrap_err();
    assert!(matches!(none, Error::NoWorkspace { .. }), "{none}");
    sandbox.settings.repository_root = Some(sandbox.settings.directory.clone());
    let several = sandbox.open().unwrap_err();
    assert!(matches!(&several, Error::AmbiguousWorkspace { roots, .. } if roots.len() == 2));
    let wanted = [CrateReference::bare("b").unwrap()];
    let open = Workspace::open(&sandbox.settings, &sandbox.cache(), &silent, &wanted).unwrap();
    assert_eq!(open.root(), sandbox.path("tools"));
    let wanted = [CrateReference::bare("gone").unwrap()];
    let open = Workspace::open(&sandbox.settings, &sandbox.cache(), &silent, &wanted).unwrap();
    let gone = open.find(&wanted[0]).unwrap_err();
    assert!(matches!(&gone, Error::NoSuchCrate { workspaces, .. } if workspaces.len() == 2));
    sandbox.settings.manifest_path = Some("rust/Cargo.toml".into());
    assert_eq!(sandbox.open().unwrap().root(), sandbox.path("rust"));
}

#[test]
fn a_broken_manifest_is_said_in_cargo_s_words() {
    let sandbox = Sandbox::new(&[("Cargo.toml", "[package]\nname = 1\n")]);
    let error = sandbox.open().unwrap_err().to_string();
    assert!(error.starts_with("`cargo metadata ") && error.contains("Cargo.toml:2"), "{error}");
}

#[test]
fn references_may_point_into_several_workspaces_that_settings_name() {
    let mut sandbox = Sandbox::new(&[
        ("rust/Cargo.toml", &package("a", "")),
        ("rust/src/main.rs", HELLO),
        ("tools/Cargo.toml", &package("b", "")),
        ("tools/src/main.rs", HELLO),
        ("more/Cargo.toml", &package("b", "")),
        ("more/src/main.rs", HELLO),
    ]);
    sandbox.settings.workspaces = vec![sandbox.path("rust"), sandbox.path("tools")];
    let wanted = ["a", "b"].map(|text| CrateReference::bare(text).unwrap());
    let open =
        |settings: &Settings| Workspace::open(settings, &Cache::none(), &Reporter::new(), &wanted);
    let both = open(&sandbox.settings).unwrap();
    assert_eq!(both.find(&wanted[0]).unwrap().workspace, sandbox.path("rust"));
    assert_eq!(both.find(&wanted[1]).unwrap().workspace, sandbox.path("tools"));
    sandbox.settings.workspaces.push(sandbox.path("more"));
    let twice = open(&sandbox.settings).unwrap().find(&wanted[1]).unwrap_err();
    assert_eq!(
        twice.to_string().replace(sandbox.path("").to_str().unwrap(), "/"),
        "`b` matches crates of the workspaces `/tools`, `/more`"
    );
}

#[test]
fn the_go_module_of_an_import_path_is_found_in_the_repository() {
    let sandbox = Sandbox::new(&[
        ("go/go.mod", "// Shop.\nmodule example.org/shop // the shop\n\ngo 1.24\n"),
        ("go/tools/go.mod", "module \"example.org/shop/tools\"\n"),
        ("vendor/x/go.mod", "module example.org/vendored\n"),
        ("modules/go.mod", "modules example.org/no\n"),
    ]);
    let modules = GoModules::of(&sandbox.settings);
    let find = |text: &str| modules.containing(&CrateReference::bare(text).unwrap());
    let go = |path: &str| Some(PathBuf::from(path));
    assert_eq!(find("ko://example.org/shop"), go("go/go.mod"));
    assert_eq!(find("ko://example.org/shop/cmd/web"), go("go/go.mod"));
    assert_eq!(find("ko://example.org/shop/tools/x"), go("go/tools/go.mod"));
    for other in ["example.org/shopping", "example.org/vendored", "example.org/no", "shop"] {
        assert_eq!(find(&format!("ko://{other}")), None, "{other}");
    }
    assert_eq!(find("ko-rs://example.org/shop"), None);
}
