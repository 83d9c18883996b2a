"""The races of `make bench`: see README.md."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import large
from hostile import Hostile
from manifests import Files
from race import Contestant, Race, Ratio, Speed, heading, row

root, work = Path(sys.argv[1]), Path(sys.argv[2])
musl, registry, words = sys.argv[3], sys.argv[4], sys.argv[5:]
os.environ["BENCH_LOG"] = str(work / "log")

ko_rs = root / "target/release/ko-rs"
static = root / f"target/{musl}/release/ko-rs"
fixtures = root / "fixtures"
# ko-rs's cache is its own here; ko sees this variable only where it is given.
cache = {"KOCACHE": str(work / "cache")}
cargo = f"cargo build --release --target {musl}"


def nothing_changed(title, folder, packages, korses, rounds=15):
    """The same packages by Cargo alone and by ko-rs."""
    build = f"{cargo} {' '.join(f'-p {package}' for package in packages)}"
    contestants = [Contestant("cargo build", build, folder)]
    contestants += [Contestant(name, f"{ko_rs} {line}", folder, cache) for name, line in korses]
    ratios = [Ratio(name, "cargo build", 1.3) for name, _ in korses]
    return Race(f"Nothing changed: {title}", contestants, ratios, rounds)


def one_crate():
    return nothing_changed(
        "one crate of a workspace, link-service",
        fixtures / "delinkcious",
        ["link-service"],
        [
            ("ko-rs build", "build link-service"),
            ("ko-rs build --push=false", "build link-service --push=false"),
            ("ko-rs resolve", "resolve -f svc/link_service/k8s"),
        ],
    )


def several():
    services = ["link_service", "user_service", "social_graph_manager", "news_service"]
    packages = ["link-service", "user-service", "social-graph-manager", "news-service"]
    files = " ".join(f"-f svc/{service}/k8s" for service in services)
    return nothing_changed(
        "five references in four manifests",
        fixtures / "delinkcious",
        packages,
        [("ko-rs resolve", f"resolve {files}")],
    )


def small_workspace():
    return nothing_changed(
        "a workspace of three crates, one a procedural macro",
        fixtures / "crates/proc-macro-workspace",
        ["app"],
        [("ko-rs build", "build app")],
    )


def against_ko():
    """An HTTP service in Rust by ko-rs, one in Go by ko; neither writes a bill of materials."""
    ko = "ko build --sbom=none ."
    folder = fixtures / "go-hello"
    contestants = [
        Contestant("ko build", ko, folder),
        Contestant("ko build, KOCACHE", ko, folder, {"KOCACHE": str(work / "ko-cache")}),
        Contestant("ko-rs build", f"{ko_rs} build link-service", fixtures / "delinkcious", cache),
    ]
    ratios = [Ratio("ko-rs build", "ko build, KOCACHE")]
    return Race("Nothing changed: against ko, an HTTP service each", contestants, ratios, 9)


def manifests():
    """`resolve` of large files, past the one image that they refer to."""
    ours = Files(work, "ko-rs", "ko://link-service", 50, 96_000)
    # Every reference costs ko tens of milliseconds, and every MB a third of a second.
    theirs = Files(work, "ko", "ko://example.com/go-hello", 5, 300)
    ko_cache = {"KOCACHE": str(work / "ko-cache")}

    def contestants(name, command, files, folder, environment):
        for kind in ("one", "few", "many"):
            line = f"{command} -f {getattr(files, kind)}"
            yield Contestant(f"{name}, {kind}", line, folder, environment)

    ratios, speeds = [], []
    for kind, limit in (("few", 150), ("many", 40)):
        times = [f"{name}, {kind} - {name}, one" for name in ("ko-rs", "ko")]
        sizes = [Files.megabytes(getattr(files, kind)) for files in (ours, theirs)]
        ratios.append(Ratio(*times, work=tuple(sizes)))
        speeds += [Speed(times[0], sizes[0], limit), Speed(times[1], sizes[1])]
    everyone = [
        *contestants("ko", "ko resolve --sbom=none", theirs, fixtures / "go-hello", ko_cache),
        *contestants("ko-rs", f"{ko_rs} resolve", ours, fixtures / "delinkcious", cache),
    ]
    return Race("Large manifests: few references, and one in every object", everyone, ratios, 7, speeds)


def changed():
    """A changed executable of 150 MB, from the moment that it is compiled to the registry."""
    program = large.Program(work, musl, ko_rs)

    def korses():
        for compression in ("none", "gzip", "zstd"):
            line = f"{ko_rs} build . --layer-compression={compression}"
            yield Contestant(f"ko-rs {compression}", line, program.rust, cache, program.change_rust)

    docker = f"{registry}/bench/docker"
    skopeo = "skopeo --insecure-policy copy --quiet --dest-tls-verify=false"
    contestants = [
        Contestant(
            "docker",
            f"sh -c 'docker build --quiet --tag {docker} . && docker push --quiet {docker}'",
            program.docker,
            before=program.change_docker,
        ),
        *korses(),
        Contestant("cargo", cargo, program.rust, before=program.change_rust),
        Contestant("ko", "ko build --sbom=none .", program.go, before=program.change_go),
        Contestant(
            "go",
            "go build -trimpath -o /dev/null .",
            program.go,
            {"CGO_ENABLED": "0", "GOCACHE": str(work / "go-cache")},
            program.change_go,
        ),
        Contestant(
            "skopeo compressing",
            f"{skopeo} oci:plain docker://{registry}/bench/skopeo:plain",
            work,
            before=lambda: program.write_layout("plain"),
        ),
        Contestant(
            "skopeo compressed before",
            f"{skopeo} oci:gzip docker://{registry}/bench/skopeo:gzip",
            work,
            before=lambda: program.write_layout("gzip"),
        ),
    ]
    ratios = [
        Ratio("ko-rs none - cargo", "docker", 0.10),
        Ratio("ko-rs none - cargo", "ko - go", 0.25),
        Ratio("ko-rs none - cargo", "skopeo compressed before"),
        Ratio("ko-rs gzip - cargo", "docker", 0.16),
        Ratio("ko-rs gzip - cargo", "ko - go", 0.40),
        Ratio("ko-rs gzip - cargo", "skopeo compressing", 1.0),
        Ratio("ko-rs zstd - cargo", "docker"),
    ]
    return Race("A changed executable of 150 MB, to a local registry", contestants, ratios, 5)


def copy():
    """A base of 150 MB in three layers from one registry to another that has nothing of it."""
    base = large.base(work, f"{registry}/bench/base150:1")
    other, storage = os.environ["BENCH_OTHER"], Path(os.environ["BENCH_OTHER_STORAGE"])
    tls = "--src-tls-verify=false --dest-tls-verify=false"
    program = fixtures / "crates/hello"
    image = f"{other}/bench/docker:1"

    def empty():
        shutil.rmtree(storage, ignore_errors=True)
        shutil.rmtree(work / "copy-cache", ignore_errors=True)

    def without_image():
        empty()
        gone = f"docker rmi --force {base} {image}"
        subprocess.run(shlex.split(gone), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    docker = f"docker pull --quiet {base} && docker tag {base} {image} && docker push --quiet {image}"
    variables = {"KOCACHE": str(work / "copy-cache"), "KO_DOCKER_REPO": f"{other}/bench"}
    korses = [
        Contestant(name, f"{ko_rs} build . --base-image {base} --sbom={bill}", program, variables, empty)
        for name, bill in (("ko-rs, its base copied", "none"), ("ko-rs, and a bill of materials", "spdx"))
    ]
    contestants = [
        Contestant("docker pull, tag, push", f"sh -c '{docker}'", work, before=without_image),
        *korses,
        Contestant("cargo", cargo, program),
        Contestant("crane", f"crane copy --insecure {base} {other}/bench/crane:1", work, before=empty),
        Contestant(
            "skopeo",
            f"skopeo --insecure-policy copy --quiet {tls} docker://{base} docker://{other}/bench/skopeo:1",
            work,
            before=empty,
        ),
    ]
    korsing = "ko-rs, its base copied - cargo"
    ratios = [
        Ratio(korsing, "crane", 1.3),
        *(Ratio(korsing, name) for name in ("docker pull, tag, push", "skopeo")),
        Ratio("ko-rs, and a bill of materials - cargo", "docker pull, tag, push"),
    ]
    return Race("A base of 150 MB, from one local registry to another", contestants, ratios, 5)


def compressors():
    """A changed executable of 150 MB into a compressed file, by all CPUs: ko-rs tars, compresses and
    digests it into its cache, pigz and zstd compress it alone."""
    program = large.Program(work, musl, ko_rs)
    executable = program.executable

    def korses():
        for compression in ("gzip", "zstd"):
            line = f"{ko_rs} build . --push=false --layer-compression={compression}"
            yield Contestant(f"ko-rs {compression}", line, program.rust, cache, program.change_rust)

    def other(name, command):
        line = f"sh -c '{command} -c {executable} >compressed'"
        return Contestant(name, line, work, before=program.change_rust)

    contestants = [
        other("pigz -2", "pigz -2 -b 512"),
        other("pigz -6", "pigz -6 -b 512"),
        other("zstd -1", "zstd -q -1 -T0"),
        other("zstd -3", "zstd -q -3 -T0"),
        *korses(),
        Contestant("cargo", cargo, program.rust, before=program.change_rust),
    ]
    ratios = [
        Ratio("ko-rs gzip - cargo", "pigz -2"),
        Ratio("ko-rs gzip - cargo", "pigz -6"),
        Ratio("ko-rs zstd - cargo", "zstd -3"),
    ]
    return Race("A changed executable of 150 MB, compressed", contestants, ratios, 5)


def start_up():
    contestants = [
        Contestant("true", "/bin/true", work),
        Contestant("ko-rs version", f"{ko_rs} version", work),
        Contestant("ko-rs version, static", f"{static} version", work),
    ]
    return Race("Start-up (limit 5 ms)", contestants, rounds=100)


class Sizes:
    """What ko-rs weighs: on disk, and in memory while it publishes 150 MB."""

    def run(self):
        program = large.Program(work, musl, ko_rs)
        heading("Size, in MB (limits: executable 15, memory 24)")
        for name, executable in (("glibc", ko_rs), ("static", static)):
            row(f"executable, {name}", f"{executable.stat().st_size / 1e6:.1f}")
            for compression in ("none", "gzip", "zstd"):
                line = f"{executable} build . --layer-compression={compression}"
                korsing = Contestant(name, line, program.rust, cache, program.change_rust)
                peaks = sorted(korsing.peak() for _ in range(3))
                spread = f"{peaks[0]:.1f} – {peaks[-1]:.1f}"
                row(f"memory, {name}, {compression}", f"{peaks[1]:.1f}", spread)


def hostile():
    env = {**os.environ, **cache}
    return Hostile(ko_rs, work, fixtures / "crates/hello", "ko://hello", env)


races = [
    ("start-up", start_up),
    ("one-crate", one_crate),
    ("several", several),
    ("small-workspace", small_workspace),
    ("ko", against_ko),
    ("manifests", manifests),
    ("hostile", hostile),
    ("changed", changed),
    ("copy", copy),
    ("compressors", compressors),
    ("size", Sizes),
]
chosen = [make for name, make in races if not words or any(word in name for word in words)]
if not chosen:
    sys.exit(f"error: there is no such race; there are: {' '.join(name for name, _ in races)}")
for make in chosen:
    make().run()
