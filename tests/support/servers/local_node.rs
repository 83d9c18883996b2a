//! Nodes as kind, k3d and minikube make them: containers of a Docker Engine with their labels, in which a
//! real containerd runs. They run no pods.

use std::io::Write as _;
use std::process::{Output, Stdio};

use super::{DockerEngine, expect_success};

/// The image that nodes are made of: nothing but folders for the machine's own programs.
const IMAGE: &str = "localhost/node:1";

/// A container that looks like a node. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct LocalNode<'a> {
    engine: &'a DockerEngine,
    /// The container's name.
    pub(crate) name: String,
}

impl<'a> LocalNode<'a> {
    /// Starts a container with these labels and waits until its containerd answers.
    #[track_caller]
    pub(crate) fn start(engine: &'a DockerEngine, name: &str, labels: &[(&str, &str)]) -> Self {
        let node = Self::start_with(engine, name, labels, &["/usr/bin/containerd"]);
        let mut tries = 0..600;
        while !node.ctr(&["version"]).status.success() {
            assert!(tries.next().is_some(), "containerd in {name} does not answer");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        node
    }

    /// Starts a container with these labels and this command.
    #[track_caller]
    pub(crate) fn start_with(
        engine: &'a DockerEngine,
        name: &str,
        labels: &[(&str, &str)],
        command: &[&str],
    ) -> Self {
        import(engine);
        let mut arguments: Vec<String> =
            ["run", "--detach", "--network", "none", "--name", name].map(str::to_owned).into();
        for (key, value) in labels {
            arguments.extend(["--label".to_owned(), format!("{key}={value}")]);
        }
        for folder in ["/usr", "/lib", "/lib64", "/bin", "/sbin"] {
            arguments.extend(["--volume".to_owned(), format!("{folder}:{folder}:ro")]);
        }
        for folder in ["/run", "/tmp", "/etc"] {
            arguments.extend(["--tmpfs".to_owned(), folder.to_owned()]);
        }
        for capability in ["SYS_ADMIN", "NET_ADMIN", "MKNOD", "SYS_PTRACE"] {
            arguments.extend(["--cap-add".to_owned(), capability.to_owned()]);
        }
        let rest = [
            "--volume",
            "/var/lib/containerd",
            "--security-opt",
            "seccomp=unconfined",
            "--security-opt",
            "apparmor=unconfined",
            IMAGE,
        ];
        arguments.extend(rest.iter().chain(command).map(|&argument| argument.to_owned()));
        expect_success(&engine.docker(arguments));
        Self { engine, name: name.to_owned() }
    }

    /// Runs a command in it.
    pub(crate) fn exec(&self, command: &[&str]) -> Output {
        self.engine.docker(["exec", &self.name].iter().chain(command))
    }

    /// Runs ctr on the images of its pods.
    pub(crate) fn ctr(&self, arguments: &[&str]) -> Output {
        self.exec(&[&["ctr", "--namespace", "k8s.io"], arguments].concat())
    }

    /// The names of the images of which it has all content, unpacked.
    pub(crate) fn images(&self) -> Vec<String> {
        // It fails if there is an image without a manifest, and lists the others.
        let output = self.ctr(&["images", "check"]);
        let listed = String::from_utf8(output.stdout).unwrap();
        let whole = listed
            .lines()
            .skip(1)
            .filter(|line| line.contains(" complete ") && line.trim_end().ends_with("true"));
        let names = whole.map(|line| line.split_whitespace().next().unwrap().to_owned());
        // containerd also lists each under the digest of its configuration.
        names.filter(|name| !name.starts_with("sha256:")).collect()
    }
}

impl Drop for LocalNode<'_> {
    fn drop(&mut self) {
        drop(self.engine.docker(["rm", "--force", "--volumes", &self.name]));
    }
}

/// Gives the engine the image of nodes.
#[track_caller]
fn import(engine: &DockerEngine) {
    let mut archive = tar::Builder::new(Vec::new());
    for folder in ["usr", "lib", "lib64", "bin", "sbin", "etc", "run", "tmp", "var/lib/kubelet"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive.append_data(&mut header, format!("{folder}/"), std::io::empty()).unwrap();
    }
    let mut import = engine
        .docker_command()
        .args(["import", "-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&archive.into_inner().unwrap()).unwrap();
    assert!(import.wait().unwrap().success());
}
