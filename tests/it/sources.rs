//! Where manifests are read from.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::support::Sandbox;

/// A server that answers by path and remembers what it was asked. It ends with the process.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&piece[..read]),
                    }
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
                log.lock().unwrap().push(request);
                let _ = stream.write_all(answer(&path).as_bytes());
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nconnection: close\r\ncontent-length: 0\r\nlocation: {to}\r\n\r\n"
    )
}

#[test]
fn manifests_come_from_urls_files_and_standard_input_in_the_order_they_are_named_in() {
    let server = Server::start(|path| match path {
        "/a.yaml?token=secret" => redirect("/raw/a.yaml"),
        "/raw/a.yaml" => ok("a: 1\n"),
        "/b.yaml" => ok("b: 2\n"),
        _ => unreachable!(),
    });
    let sandbox = Sandbox::new().file("k8s/c.yaml", "c: 3\n").file("k8s/d.json", "{\"d\": 4}\n");
    let url = &server.url;
    let (a, b) = (format!("{url}/a.yaml?token=secret"), format!("{url}/b.yaml"));
    let args = ["resolve", "-f", &b, "-f", "-", "-f", "k8s/*.yaml", "-f", &a, "-f", "k8s/?.json"];
    let ran = sandbox.run_with_input(args, "e: 5\n").exits(0);
    assert_eq!(ran.stdout(), "b: 2\n---\ne: 5\n---\nc: 3\n---\na: 1\n---\n{\"d\": 4}\n");
    assert!(server.asked().iter().all(|request| !request.to_lowercase().contains("authorization")));
}

#[test]
fn a_password_in_a_url_is_sent_to_its_own_host_alone_and_shown_nowhere() {
    let other = Server::start(|_| ok("a: ko://gone:1\n"));
    let to = format!("{}/moved.yaml", other.url);
    let server = Server::start(move |path| match path {
        "/a.yaml?token=secret" => redirect("/b.yaml"),
        "/b.yaml" => redirect(&to),
        _ => unreachable!(),
    });
    let url = server.url.replace("http://", "http://me:secret@");
    let ran = Sandbox::new().run(["resolve", "-f", &format!("{url}/a.yaml?token=secret")]).exits(1);
    let place = format!("\n --> {}/a.yaml:1:4\n", server.url);
    assert!(ran.stderr().contains(&place), "{}", ran.stderr());
    assert!(!ran.stderr().contains("secret"), "{}", ran.stderr());
    let sent = |request: &String| request.contains("authorization: Basic bWU6c2VjcmV0");
    assert_eq!(server.asked().iter().map(sent).collect::<Vec<_>>(), [true, true]);
    assert_eq!(other.asked().iter().map(sent).collect::<Vec<_>>(), [false]);
}

#[test]
fn what_a_url_does_not_give_is_told_with_the_url() {
    let server = Server::start(|path| match path {
        "/gone.yaml" => {
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into()
        }
        "/page" => ok("<html>").replace("200 OK\r\n", "200 OK\r\ncontent-type: text/html\r\n"),
        "/large" => {
            "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n".to_owned() + &"a".repeat(999)
        }
        loop_ => redirect(loop_),
    });
    let host = server.url.trim_start_matches("http://").to_owned();
    for (path, expected) in [
        (
            "gone.yaml",
            format!(
                "error[url-not-fetched]: could not fetch `{}/gone.yaml`: `{host}` responded with 404 Not Found\n",
                server.url
            ),
        ),
        (
            "page",
            format!(
                "error[url-not-fetched]: `{}/page` is a web page, not a file\nhint: use the URL of the raw file\n",
                server.url
            ),
        ),
        (
            "large",
            format!(
                "error[url-not-fetched]: could not fetch `{}/large`\ncaused by: the response of `{host}` is larger than the limit of 268435456 bytes\n",
                server.url
            ),
        ),
        (
            "loop",
            format!(
                "error[url-not-fetched]: could not fetch `{}/loop`: it redirects more than 10 times\n",
                server.url
            ),
        ),
    ] {
        let ran = Sandbox::new().run(["resolve", "-f", &format!("{}/{path}", server.url)]).exits(1);
        assert_eq!(ran.stderr(), expected);
        assert_eq!(ran.stdout(), "");
    }
    let ran = Sandbox::new().run(["resolve", "-f", "https://"]).exits(1);
    assert_eq!(ran.stderr(), "error[url-not-fetched]: `https://` is not a URL of HTTP or HTTPS\n");
}

/// A program that prints how it was called, and what it is to print.
#[cfg(unix)]
fn program(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.directory().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    crate::programs::write_program(&path, format!("#!/bin/sh\n{text}\n"));
}

#[cfg(unix)]
#[test]
fn a_kustomization_is_left_to_whichever_program_is_there() {
    let sandbox = Sandbox::new();
    let bin = sandbox.directory().join("bin");
    let sandbox = sandbox.env("PATH", &bin);
    let ran = sandbox.run(["resolve", "-k", "prod"]).exits(1);
    assert_eq!(
        ran.stderr(),
        "error[kustomize-not-found]: could not build `prod`: neither `kustomize` nor `kubectl` is on the PATH\n\
         hint: install one of them; `-k` runs it to build kustomizations\n"
    );
    program(&sandbox, "bin/kubectl", "echo \"kubectl: $*\"");
    assert_eq!(
        sandbox.run(["resolve", "-k", "prod"]).exits(0).stdout(),
        "kubectl: kustomize -- prod\n"
    );
    program(&sandbox, "bin/kustomize", "echo \"kustomize: $*\"");
    assert_eq!(
        sandbox.run(["resolve", "-k", "prod"]).exits(0).stdout(),
        "kustomize: build -- prod\n"
    );
    program(&sandbox, "bin/kustomize", "echo 'no kustomization.yaml' >&2; exit 3");
    let ran = sandbox.run(["resolve", "-k", "prod"]).exits(1);
    assert_eq!(
        ran.stderr(),
        "error[kustomize-failed]: `kustomize build prod` failed (exit status: 3)\n  no kustomization.yaml\n"
    );
    assert_eq!(ran.stdout(), "");
    let ran = sandbox.run(["resolve", "-k", "prod", "-f", "x"]).exits(2);
    assert_eq!(
        ran.stderr(),
        "error[conflicting-settings]: --filename cannot be used with --kustomize\n"
    );
}

#[test]
fn commas_separate_names_as_for_kubectl() {
    let sandbox = Sandbox::new().file("a.yaml", "a: 1\n").file("b,c.yaml", "b: 2\n");
    let args = ["resolve", "-f", "a.yaml,-", "-f", "b,c.yaml"];
    let ran = sandbox.run_with_input(args, "c: 3\n").exits(0);
    assert_eq!(ran.stdout(), "a: 1\n---\nc: 3\n---\nb: 2\n");
    let ran = sandbox.run(["resolve", "-f", "a.yaml,d.yaml"]).exits(1);
    assert_eq!(ran.stderr(), "error[manifest-not-found]: `d.yaml` does not exist\n");
}

/// What Cargo and Git keep beside manifests is none of them, nor are workflows.
#[test]
fn a_repository_can_be_searched_from_its_root() {
    let sandbox = Sandbox::new()
        .file("k8s/a.yaml", "apiVersion: v1\nkind: A\n")
        .file(".hidden.yaml", "apiVersion: v1\nkind: B\n")
        .file(".github/workflows/ci.yml", "on: ko://no-such-crate\n")
        .file(".cargo_vcs_info.json", "{}\n")
        .file("target/.rustc_info.json", "{}\n")
        .file("target/debug/.fingerprint/a/bin-a.json", "{}\n")
        .file("target/debug/a.yaml", "a: [\n");
    let ran = sandbox.run(["resolve", "-R", "-f", "."]).exits(0);
    assert_eq!(ran.stdout(), "apiVersion: v1\nkind: B\n---\napiVersion: v1\nkind: A\n");
    let _ = sandbox.run(["check", "-R", "-f", "."]).exits(0);
    let _ = sandbox.run(["resolve", "-R", "-f", ".", "--in-place"]).exits(0);
    let ran = sandbox.run(["check", "-R", "-f", ".github"]).exits(1);
    assert!(ran.stderr().contains(".github/workflows/ci.yml:1:"), "{}", ran.stderr());
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error() {
    let ran = Sandbox::new().run(["resolve", "-f", "k8s/*.yaml"]).exits(1);
    assert_eq!(ran.stderr(), "error[manifest-not-found]: no file or folder matches `k8s/*.yaml`\n");
}

#[test]
fn yaml_that_is_not_utf_8_is_refused_with_a_way_out() {
    let sandbox = Sandbox::new();
    let text = "image: ko://hello\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let wide: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    for (mark, bytes) in [
        (&[0xff, 0xfe][..], &little),
        (&[0xfe, 0xff][..], &big),
        (&[][..], &little),
        (&[][..], &big),
        (&[][..], &wide),
    ] {
        std::fs::write(sandbox.directory().join("a.yaml"), [mark, bytes].concat()).unwrap();
        let ran = sandbox.run(["resolve", "-f", "a.yaml"]).exits(1);
        assert_eq!(
            ran.stderr(),
            "error[invalid-encoding]: `a.yaml` is not UTF-8; it looks like UTF-16 or UTF-32\n\
             hint: convert it: `iconv -f UTF-16 -t UTF-8 a.yaml`\n"
        );
        assert_eq!(ran.stdout(), "");
    }
}
