//! What the documentation names exists, and what exists is documented.
//!
//! `docs/settings.md` is generated from the table of settings, `docs/errors.md` from the codes and
//! their examples: `UPDATE_DOCS=1 cargo test --test it docs` writes both.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use ko_rs::cli::every_code;
use ko_rs::report::{Code, Exit};
use ko_rs::settings::table::{BuildKey, DevKey, FileKey, ImageKey, Kind, SETTINGS, Scope, Setting};
use ko_rs::testing::Lint;

use crate::blocks;
use crate::examples;
use crate::support::{Sandbox, repository};

fn document(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap()
}

/// The name of a kind of value, as an example of it would say.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Switch => "`true` or `false`",
        Kind::Text => "string",
        Kind::List | Kind::Texts => "list of strings",
        Kind::Map => "mapping of strings",
        Kind::Number => "number",
        Kind::Nested => "see below",
    }
}

fn commands(scope: Scope) -> &'static str {
    match scope {
        Scope::Everywhere => "every command",
        Scope::Images => "`build`, `resolve`, `check`, `apply`, `create`, `diff`, `dev`",
        Scope::Manifests => {
            "`resolve`, `check`, `apply`, `create`, `diff`, `delete`, `dev`, `logs`"
        }
        Scope::Registries => {
            "`build`, `resolve`, `check`, `apply`, `create`, `diff`, `dev`, `deps`, `login`"
        }
        Scope::Resolve => "`resolve`",
        Scope::Cluster => {
            "`apply`, `create`, `diff`, `delete`, `dev`, `down`, `logs`, `port-forward`"
        }
        Scope::Writes => "`apply`, `create`, `delete`",
        Scope::Changes => "`apply`, `create`, `diff`",
        Scope::Delete => "`delete`",
        Scope::Dev => "`dev`",
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn flag(setting: &Setting) -> String {
    let Some(flag) = setting.flag else { return String::new() };
    let short = setting.short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let value = match setting.kind {
        Kind::Switch => String::new(),
        _ => format!("={}", setting.value),
    };
    format!("{short}`--{flag}{value}`")
}

fn keys(out: &mut String, title: &str, keys: &[(&str, Kind, &str)]) {
    writeln!(out, "\n## {title}\n\n| key | value | |\n|---|---|---|").unwrap();
    for (key, value, help) in keys {
        writeln!(out, "| `{key}` | {} | {} |", kind(*value), cell(help)).unwrap();
    }
}

/// `docs/settings.md`, from the table.
fn settings() -> String {
    let mut out = String::from(
        "<!-- Generated from src/settings/table.rs: UPDATE_DOCS=1 cargo test --test it docs -->\n\n\
         # Settings\n\n\
         A flag takes precedence over a variable, a variable over `builds` in `.ko-rs.yaml`, and `builds` over\n\
         the other keys of the file. ko-rs reads the nearest `.ko-rs.yaml` between the working directory and the\n\
         Git root; paths in the file are relative to it. Keys that are not in these tables are errors. A flag\n\
         without a value is a switch: the flag alone means `true`, and `=false` turns it off.\n\n\
         ## Flags and variables\n",
    );
    let scopes = [
        Scope::Manifests,
        Scope::Resolve,
        Scope::Images,
        Scope::Registries,
        Scope::Cluster,
        Scope::Writes,
        Scope::Changes,
        Scope::Delete,
        Scope::Dev,
        Scope::Everywhere,
    ];
    for scope in scopes {
        let of_scope = SETTINGS.iter().filter(|setting| setting.scope == scope);
        let rows: Vec<&Setting> =
            of_scope.filter(|s| s.flag.is_some() || s.variable.is_some()).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(
            out,
            "\n### {}\n\n| flag | variable | default | |\n|---|---|---|---|",
            commands(scope)
        )
        .unwrap();
        for setting in rows {
            let variable = setting.variable.map(|name| format!("`{name}`")).unwrap_or_default();
            let help = cell(setting.help);
            writeln!(out, "| {} | {variable} | {} | {help} |", flag(setting), setting.default)
                .unwrap();
        }
    }
    let in_file: Vec<&Setting> = SETTINGS.iter().filter(|setting| setting.in_file).collect();
    writeln!(out, "\n## `.ko-rs.yaml`\n\n| key | value | default | |\n|---|---|---|---|").unwrap();
    for setting in in_file {
        let (key, value, help) = (setting.name, kind(setting.kind), cell(setting.help));
        writeln!(out, "| `{key}` | {value} | {} | {help} |", setting.default).unwrap();
    }
    keys(&mut out, "`builds`: a list of", BuildKey::TABLE);
    keys(&mut out, "`image` of a build", ImageKey::TABLE);
    keys(&mut out, "`dev`", DevKey::TABLE);
    keys(&mut out, "`files`, also of a build: a list of", FileKey::TABLE);
    out
}

/// Asserts that a generated document is up to date, or writes it.
fn is_generated(name: &str, generated: &str) {
    let path = repository().join(name);
    if examples::is_updating() {
        fs::write(&path, generated).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "{name}: run UPDATE_DOCS=1 cargo test --test it docs");
}

#[test]
fn the_table_of_settings_is_documented() {
    is_generated("docs/settings.md", &settings());
}

#[test]
fn every_code_is_documented_with_its_example() {
    is_generated("docs/errors.md", &errors());
}

/// `docs/errors.md`, from the codes and their examples.
fn errors() -> String {
    let mut out = String::from(
        "<!-- Generated from src/*/codes.rs and fixtures/errors: UPDATE_DOCS=1 cargo test --test it docs -->\n\n\
         # Errors and warnings\n\n\
         Each error and warning of ko-rs has a name, as in `error[unknown-crate]`. Names do not change, so that\n\
         scripts can rely on them: `--progress json` prints them as `code`. Lints have names too, which\n\
         [docs/lints.md](lints.md) lists. The exit status is 1 unless this page says otherwise. The examples run\n\
         in a workspace with two packages, `link-service` and `user-service`.\n\n",
    );
    for code in every_code() {
        writeln!(out, "[`{code}`](#{code}) ·").unwrap();
    }
    out.truncate(out.trim_end_matches([' ', '·', '\n']).len());
    out.push('\n');
    let examples = examples::all();
    for code in every_code() {
        let Code { name, exit, meaning, explanation } = code;
        write!(out, "\n## {name}\n\n{meaning} {explanation}").unwrap();
        let example = examples.iter().find(|example| example.code == *name);
        let is_warning = example.is_some_and(|found| !found.stderr.contains("error["));
        match exit {
            Some(exit) if !is_warning && *exit != Exit::Failure => {
                writeln!(out, " The exit status is {}.", exit.status()).unwrap();
            }
            Some(_) if !is_warning => out += "\n",
            _ => out += " This is a warning: the run continues.\n",
        }
        let Some(example) = example else { continue };
        if !example.note.is_empty() {
            write!(out, "\n{}", example.note).unwrap();
        }
        for (path, text) in &example.files {
            let language = match path.rsplit('.').next() {
                Some(language @ ("yaml" | "json" | "toml")) => language,
                Some("rs") => "rust",
                _ => "text",
            };
            let text = text.trim_end();
            write!(out, "\n`{path}`:\n\n```{language}\n{text}\n```\n").unwrap();
        }
        out += "\n```console\n";
        for command in &example.commands {
            writeln!(out, "$ {command}").unwrap();
        }
        writeln!(out, "{}```", example.stderr).unwrap();
    }
    out
}

/// The long flags that a help text lists.
fn listed_flags(help: &str) -> BTreeSet<String> {
    let words = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    words
        .flat_map(|line| line.split_whitespace().take(2))
        .filter_map(|word| word.strip_prefix("--"))
        .map(|flag| flag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect())
        .collect()
}

/// The subcommands that help lists.
fn listed_commands(help: &str) -> Vec<String> {
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn every_flag_of_every_command_is_documented() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(["--help"]).exits(0);
    let documents = [
        "docs/settings.md",
        "docs/registries.md",
        "docs/kubernetes.md",
        "docs/dev.md",
        "README.md",
    ]
    .map(document)
    .concat();
    let mut missing = BTreeSet::new();
    let commands = listed_commands(help.stdout());
    assert!(commands.len() >= 7, "{commands:?}");
    for command in &commands {
        let help = sandbox.run([command.as_str(), "--help"]).exits(0);
        let flags = listed_flags(help.stdout());
        assert!(flags.contains("help") && flags.contains("config"), "{command}: {flags:?}");
        for flag in flags {
            // `--help` is clap's; the other two name crates and are `build`'s alone.
            let own = ["help", "version", "package", "workspace"].contains(&flag.as_str());
            if !own && !documents.contains(&format!("--{flag}")) {
                missing.insert(format!("{command} --{flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "in no document: {missing:?}");
}

/// Words that follow `ko-rs` in code of a document.
fn commands_in(text: &str) -> BTreeSet<String> {
    let code = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let inline = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    code.chain(inline)
        .filter_map(|code| code.trim_start_matches("$ ").strip_prefix("ko-rs "))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

#[test]
fn commands_and_flags_that_documents_name_exist() {
    let sandbox = Sandbox::new();
    let commands = listed_commands(sandbox.run(["--help"]).exits(0).stdout());
    let mut flags = BTreeSet::new();
    for command in &commands {
        flags.extend(listed_flags(sandbox.run([command.as_str(), "--help"]).exits(0).stdout()));
    }
    let mut wrong = Vec::new();
    let mut documents: Vec<_> = fs::read_dir(repository().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    documents.push("README.md".to_owned());
    for name in documents {
        let text = document(&name);
        for command in commands_in(&text) {
            if !commands.contains(&command) {
                wrong.push(format!("{name}: ko-rs {command}"));
            }
        }
        // A line that calls another program speaks of that program's flags; these stand alone.
        let others = ["container-runtime", "locked"];
        let programs = ["cargo ", "docker ", "kubectl "];
        let lines =
            text.lines().filter(|line| !programs.iter().any(|program| line.contains(program)));
        for code in lines.flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let named = code.split_whitespace().filter_map(|word| word.strip_prefix("--"));
            for flag in named.filter(|flag| !flag.is_empty()) {
                let flag: String =
                    flag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                if !flags.contains(&flag) && !others.contains(&flag.as_str()) {
                    wrong.push(format!("{name}: --{flag}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_lint_is_documented() {
    let text = document("docs/lints.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let expected = Lint::ALL.map(|lint| format!("| `{}` | {} |", lint.name(), lint.code().meaning));
    assert_eq!(rows, expected);
}

#[test]
fn what_the_readme_calls_a_target_of_make_is_one() {
    let makefile = document("Makefile");
    for document in [document("README.md"), document("CONTRIBUTING.md")] {
        let code = document.split("```").skip(1).step_by(2).flat_map(str::lines);
        for target in code.filter_map(|line| line.strip_prefix("make ")) {
            let target = target.split_whitespace().next().unwrap();
            assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        }
    }
}

#[test]
fn links_of_documents_lead_to_files() {
    let mut names = vec!["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "fixtures/README.md"];
    names.extend([
        "docs/settings.md",
        "docs/images.md",
        "docs/kubernetes.md",
        "docs/lints.md",
        "docs/registries.md",
    ]);
    for name in names {
        let text = document(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let link = link.split('#').next().unwrap();
            let outside = link.contains("://") || link.is_empty();
            let path = repository().join(name).parent().unwrap().join(link);
            assert!(outside || path.exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn shell_commands_of_documents_work_or_say_why_they_are_not_run() {
    for block in blocks::all() {
        match block.info.as_str() {
            "run" => {
                let sandbox = Sandbox::inside_fixture("delinkcious");
                let archive = sandbox.outside("link.tar");
                block.run(sandbox, &[("link.tar", archive.to_str().unwrap())]);
            }
            "needs=registry" | "needs=cluster" => {}
            skipped => assert!(
                skipped.strip_prefix("skip=\"").is_some_and(|reason| reason.len() > 10),
                "{}: expected `run`, `needs=…` or `skip=\"WHY\"` behind the language",
                block.place
            ),
        }
    }
}

#[test]
fn files_that_the_architecture_names_exist() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for code in document(name).split('`').skip(1).step_by(2) {
            let is_path =
                ["src/", "tests/", "fixtures/", "docs/"].iter().any(|top| code.starts_with(top));
            assert!(
                !is_path || code.contains("CODE") || repository().join(code).exists(),
                "{name}: {code}"
            );
        }
    }
}
