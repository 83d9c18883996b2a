//! Registries that are only reached through a proxy, which may want a password of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::certificates::Workshop;
use crate::judges::is_complete;
use crate::proxy::{Act, Proxy};
use crate::publish::{NAME, hello};
use crate::servers::registry;
use crate::support::{Ran, Sandbox};

/// Who may use the proxy.
const USER: &str = "me:hunter2";
const KNOWN: &str = "proxy-authorization: basic bwu6ahvudgvymg==";

/// A forward proxy that leads to one place, whatever host it is asked for, and wants to know who
/// asks; the heads of what it was asked.
fn proxy_to(target: String) -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (sender, target) = (sender.clone(), target.clone());
            std::thread::spawn(move || forward(client, &sender, &target));
        }
    });
    (port, asked)
}

/// Forwards one request, or all that follows a CONNECT.
fn forward(client: TcpStream, asked: &Sender<Vec<String>>, target: &str) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(first) = head.first().cloned() else { return };
    let _ = asked.send(head.clone());
    if !head.iter().any(|line| line.eq_ignore_ascii_case(KNOWN)) {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        let _ = (&client).write_all(refusal.as_bytes());
        let _ = client.shutdown(Shutdown::Write);
        // Until the client closes: what it still sends would make this end a reset.
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
        return;
    }
    let server = TcpStream::connect(target).unwrap();
    if first.starts_with("CONNECT ") {
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    } else {
        let own = |line: &&String| !line.to_ascii_lowercase().starts_with("proxy-");
        let mut onward: Vec<&str> = head.iter().filter(own).map(String::as_str).collect();
        onward.extend(["Connection: close", "", ""]);
        (&server).write_all(onward.join("\r\n").as_bytes()).unwrap();
    }
    let mut to = server.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut reader, &mut to));
    let _ = std::io::copy(&mut &server, &mut &client);
    let _ = client.shutdown(Shutdown::Both);
}

/// The heads so far.
fn heads(asked: &Receiver<Vec<String>>) -> Vec<Vec<String>> {
    asked.try_iter().collect()
}

#[test]
fn an_image_goes_through_a_proxy_by_http_and_by_https_and_its_password_nowhere_else() {
    let workshop = Workshop::new();
    let names = "subjectAltName=DNS:registry.test,DNS:localhost";
    workshop.own("self", "P-256", &format!(" -addext {names}"));
    let secure = workshop.registry("self");
    let plain = registry();
    for (host, lead, option) in [
        (&secure.host, "CONNECT registry.test:5000 HTTP/1.1", "--insecure-registry=false"),
        (&plain.host, "PUT http://registry.test:5000/v2/", "--insecure-registry"),
    ] {
        let (port, asked) = proxy_to(host.clone());
        let proxy = format!("http://{USER}@localhost:{port}");
        let sandbox = hello()
            .env("SSL_CERT_FILE", workshop.path("self.crt"))
            .env("HTTP_PROXY", &proxy)
            .env("HTTPS_PROXY", &proxy);
        let repo = "registry.test:5000/proxied";
        let build = ["build", "-v", "--repo", repo, option];
        let ran = sandbox.run(build).exits(0);
        assert!(!ran.stderr().contains("hunter2"), "{}", ran.stderr());
        let heads = heads(&asked);
        assert!(heads.iter().any(|head| head[0].starts_with(lead)), "{heads:#?}");
        is_complete(&format!("docker://{host}/proxied/{NAME}:latest"));

        // A proxy that refuses, and one that is not there.
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (proxy, why) in [
            (format!("http://me:hunter3@localhost:{port}"), "407"),
            (format!("http://{USER}@localhost:{closed}"), "refused"),
        ] {
            let arguments = [&build[..], &["--registry-timeout=1s"]].concat();
            let mut again = sandbox.command(env!("CARGO_BIN_EXE_ko-rs"));
            again.args(arguments).env("HTTP_PROXY", &proxy).env("HTTPS_PROXY", &proxy);
            let ran = Ran::of(again.env("KOCACHE", sandbox.outside("none")).output().unwrap());
            let ran = ran.exits(1);
            let error = ran.stderr();
            assert!(!error.contains("hunter"), "{error}");
            assert!(error.contains("registry.test:5000"), "{error}");
            assert!(error.contains(why) || error.contains("proxy"), "{error}");
        }
    }
}

#[test]
fn https_goes_through_the_proxy_but_for_what_no_proxy_names_and_this_machine() {
    let workshop = Workshop::new();
    let names = "subjectAltName=DNS:registry.test,DNS:localhost";
    workshop.own("self", "P-256", &format!(" -addext {names}"));
    let registry = workshop.registry("self");
    let (port, asked) = proxy_to(registry.host.clone());
    let sandbox = Sandbox::new()
        .env("SSL_CERT_FILE", workshop.path("self.crt"))
        .env("HTTPS_PROXY", format!("http://me:hunter2@localhost:{port}"));
    let login = |sandbox: &Sandbox, host: &str| {
        sandbox.run_with_input(["login", "-u", "ann", "--password-stdin", host], "secret")
    };
    let ran = login(&sandbox, "registry.test:5000").exits(0);
    assert!(!ran.stderr().contains("hunter2"));
    let head = asked.recv().unwrap();
    assert_eq!(head[0], "CONNECT registry.test:5000 HTTP/1.1");
    let credentials = "authorization: basic bwu6ahvudgvymg==";
    assert!(head.iter().any(|line| line.to_lowercase().ends_with(credentials)), "{head:?}");

    let _ = login(&sandbox, &registry.host).exits(0);
    assert!(asked.try_recv().is_err(), "this machine is never behind a proxy");

    for except in ["registry.test", ".test", "*"] {
        let sandbox = Sandbox::new()
            .env("HTTPS_PROXY", format!("http://localhost:{port}"))
            .env("NO_PROXY", format!("other.example,{except}"));
        let ran = login(&sandbox, "registry.test:5000").exits(1);
        assert!(asked.try_recv().is_err(), "{except}");
        let hint = "hint: check the name `registry.test:5000`, the network, and HTTPS_PROXY";
        assert!(ran.stderr().contains(hint), "{}", ran.stderr());
    }
}

#[test]
fn each_repository_of_amazon_s_has_to_be_there_and_elsewhere_one_answer_is_as_good_as_all() {
    let registry = Proxy::to_host(&registry().host);
    registry.rule(|line| match line.starts_with("POST /v2/team/export/") {
        true => Act::Answer(404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}"#),
        false => Act::Pass,
    });
    let (port, _asked) = proxy_to(registry.host.clone());
    let proxy = format!("http://{USER}@localhost:{port}");
    let sandbox = Sandbox::with_fixture("crates/several-binaries");
    let target = sandbox.outside("target");
    let sandbox = sandbox
        .env("CARGO_TARGET_DIR", &target)
        .env("HTTP_PROXY", &proxy)
        .env("HTTPS_PROXY", &proxy);
    let push = |host: &str| {
        let repo = format!("{host}/team");
        let all = ["build", "--insecure-registry", "-B", "--repo", &repo, ".#import", ".#export"];
        let error = sandbox.run(all).exits(1).stderr().to_owned();
        let put = registry.take_seen().iter().any(|seen| seen.line.starts_with("PUT "));
        (error, put)
    };
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let (error, put) = push(host);
    assert!(!put, "nothing is sent before each repository is known to be there");
    assert!(
        error.contains(&format!("could not get push access to `{host}/team/export`")),
        "{error}"
    );
    let hint = "aws ecr create-repository --region eu-west-1 --repository-name team/export;";
    assert!(error.contains(hint), "{error}");

    let (error, _) = push("registry.test");
    assert!(error.contains("could not push a blob to `registry.test/team/export`"), "{error}");
}
