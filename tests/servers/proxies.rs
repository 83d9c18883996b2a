//! Registries that are only reached through a proxy.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::certificates::Workshop;
use crate::support::Sandbox;

/// A proxy for https that leads to one place, whatever it is asked for; what it was asked for.
fn proxy_to(target: String) -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end() {
                    "" => break,
                    line => head.push(line.to_owned()),
                }
            }
            let _ = sender.send(head);
            let server = TcpStream::connect(&target).unwrap();
            (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from, mut to) = (reader, server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    (port, asked)
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
