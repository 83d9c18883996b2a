//! What debuggers find in executables that `--debug` kept whole, by the commands of
//! `docs/compiling.md`.
//!
//! These need gdb and lldb with their servers, which `tests/servers/install compilers` installs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::oci;
use crate::programs::write_program;
use crate::support::Sandbox;

const PROGRAM: &str = "fn main() {\n    let answer = 6 * std::env::args().count();\n    println!(\"{answer}\");\n    greeting::greet();\n}\n";
const LIBRARY: &str = "pub fn greet() {\n    println!(\"Hello\");\n}\n";

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program as an image holds it, outside its workspace, as in a container.
fn in_an_image() -> (Sandbox, String) {
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{more}")
    };
    let sandbox = Sandbox::new();
    let target = sandbox.directory().join("target");
    let sandbox = sandbox
        .env("KO_DOCKER_REPO", "registry.example/team")
        .env("CARGO_TARGET_DIR", target)
        .file("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"svc/*\"]\n")
        .file(
            "svc/app/Cargo.toml",
            &package("app", "[dependencies]\ngreeting.path = \"../greeting\"\n"),
        )
        .file("svc/app/src/main.rs", PROGRAM)
        .file("svc/greeting/Cargo.toml", &package("greeting", ""))
        .file("svc/greeting/src/lib.rs", LIBRARY);
    let layout = sandbox.outside("layout");
    let path = format!("--oci-layout-path={}", layout.display());
    let args = ["build", "--debug", "--push=false", "--platform=linux/amd64", &path, "app"];
    let _ = sandbox.run(args).exits(0);
    let program = sandbox.outside("program");
    let image = &oci::validate(&layout)[0];
    write_program(&program, &image.file("ko-app/app").content);
    let program = program.to_str().unwrap().to_owned();
    (sandbox, program)
}

/// The commands of the documentation, from one to the end of its line.
fn documented(start: &str) -> String {
    let documentation = include_str!("../../docs/compiling.md").replace("\\\n", "");
    let at = documentation.find(start).unwrap_or_else(|| panic!("`{start}` is not documented"));
    documentation[at..].lines().next().unwrap().replace("BIN", "app")
}

/// Runs commands of the documentation with more behind them, and gives what is printed.
fn printed(sandbox: &Sandbox, command: &str) -> String {
    let output = sandbox.command("sh").args(["-c", command]).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
#[ignore = "needs gdb"]
fn gdb_stops_at_lines_of_the_workspace() {
    let (sandbox, program) = in_an_image();
    let mut server = sandbox.command("gdbserver");
    server.args(["--once", "127.0.0.1:0", &program]).stdout(Stdio::null()).stderr(Stdio::piped());
    let server = server.spawn().expect("run `tests/servers/install compilers`");
    let mut server = Server(server);
    let mut said = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let port =
        said.find_map(|line| line.unwrap().strip_prefix("Listening on port ").map(str::to_owned));
    let command = documented("gdb target/").replace(":2345", &format!(":{}", port.unwrap()));
    let more = "-ex 'break main.rs:3' -ex continue -ex 'print answer' -ex list \
                -ex 'break greeting/src/lib.rs:2' -ex continue -ex list -ex 'backtrace 2' -ex kill";
    let printed = printed(&sandbox, &format!("{command} -nx -batch {more}"));
    for line in [
        "$1 = 6",
        "3\t    println!(\"{answer}\");",
        "2\t    println!(\"Hello\");",
        "at svc/app/src/main.rs:4",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
}

#[test]
#[ignore = "needs lldb"]
fn lldb_stops_at_lines_of_the_workspace() {
    let (sandbox, program) = in_an_image();
    let mut server = sandbox.command("lldb-server");
    server.args(["gdbserver", "--pipe", "1", "127.0.0.1:0", "--", &program]);
    server.stdout(Stdio::piped()).stderr(Stdio::null());
    let server = server.spawn().expect("run `tests/servers/install compilers`");
    let mut server = Server(server);
    let mut said = Vec::new();
    let mut reader = BufReader::new(server.0.stdout.take().unwrap());
    reader.read_until(0, &mut said).unwrap();
    let port = String::from_utf8(said).unwrap().trim_end_matches('\0').trim().to_owned();
    let commands = [
        documented("settings set"),
        "breakpoint set --file main.rs --line 3".to_owned(),
        documented("gdb-remote").replace("2345", &port),
        "continue".to_owned(),
        "kill".to_owned(),
    ];
    let script = sandbox.outside("commands");
    std::fs::write(&script, commands.join("\n")).unwrap();
    let command = format!("{} -b -s '{}'", documented("lldb target/"), script.display());
    let printed = printed(&sandbox, &command);
    assert!(printed.contains("-> 3   \t    println!(\"{answer}\");"), "{printed}");
}
