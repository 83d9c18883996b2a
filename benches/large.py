"""The 150 MB programs of the races, and how they change between two runs."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

# What is changed: this and the digits behind it, in the Rust program.
MARKER = b"the marker of this round: "
DIGITS = 16


class Program:
    """A program in Rust and one in Go with the same 149 MB in them."""

    def __init__(self, work, musl, ko_rs):
        self.work = work
        self.rust, self.go, self.docker = work / "large-rust", work / "large-go", work / "docker"
        # ko-rs's Cargo builds in a folder of its own.
        self.executable = self.rust / "target/ko-rs" / musl / "release/large"
        build = [ko_rs, "build", ".", "--push=false", "--quiet"]
        subprocess.run(build, cwd=self.rust, check=True, stdout=subprocess.DEVNULL)
        self.offset = self.at = self.compressed = None

    def change_rust(self):
        """Writes other digits behind the marker, in place: to Cargo the executable is still fresh, to
        everyone who packs it it is another one."""
        if self.offset is None:
            self.offset = self.executable.read_bytes().index(MARKER) + len(MARKER)
        with open(self.executable, "r+b") as file:
            file.seek(self.offset)
            file.write(digits())
        settle()

    def change_docker(self):
        """The folder that docker builds in: nothing but the executable and a Dockerfile."""
        self.change_rust()
        self.docker.mkdir(exist_ok=True)
        (self.docker / "Dockerfile").write_text('FROM scratch\nCOPY large /large\nENTRYPOINT ["/large"]\n')
        copy = self.docker / "large"
        copy.unlink(missing_ok=True)
        os.link(self.executable, copy)

    def change_go(self):
        (self.go / "marker").write_bytes(digits())
        settle()

    def write_layout(self, kind):
        """An OCI layout of one layer, the executable's, as a plain tar or as gzip. Of the gzip only the
        marker is compressed anew each time: a member of its own, as the format allows."""
        layer = self.work / "layer.tar"
        if self.at is None:
            self.change_rust()
            with tarfile.open(layer, "w", format=tarfile.USTAR_FORMAT) as tar:
                tar.add(self.executable, "large")
            self.at = tarfile.BLOCKSIZE + self.offset
        with open(layer, "r+b") as file:
            file.seek(self.at)
            file.write(digits())
        diff_id = digest_of(layer)
        if kind == "gzip":
            layer = self.compress(layer)
        layout = self.work / kind
        blobs = layout / "blobs/sha256"
        shutil.rmtree(layout, ignore_errors=True)
        blobs.mkdir(parents=True)

        def described(media_type, path):
            digest = digest_of(path)
            os.link(path, blobs / digest.removeprefix("sha256:"))
            media_type = f"application/vnd.oci.image.{media_type}"
            return {"mediaType": media_type, "digest": digest, "size": path.stat().st_size}

        def add(media_type, value):
            path = layout / media_type
            path.write_text(json.dumps(value))
            return described(media_type, path)

        config = add("config.v1+json", {
            "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/large"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        })
        manifest = add("manifest.v1+json", {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
            "layers": [described("layer.v1.tar" + ("+gzip" if kind == "gzip" else ""), layer)],
        })
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))

    def compress(self, tar):
        start, end = self.at, self.at + DIGITS
        data = tar.read_bytes()
        if self.compressed is None:
            self.compressed = gzip.compress(data[:start], 2), gzip.compress(data[end:], 2)
        target = self.work / "layer.gz"
        target.write_bytes(self.compressed[0] + gzip.compress(data[start:end]) + self.compressed[1])
        return target


def base(work, name):
    """Pushes a base of three layers of 50 MB under a name, and returns its name by digest."""
    crane = ["crane", "append", "--insecure", "-b", os.environ["KO_DEFAULTBASEIMAGE"], "-t", name]
    with open(work / "payload", "rb") as payload:
        for number in range(3):
            part, layer = work / f"part-{number}", work / f"layer-{number}.tar"
            part.write_bytes(payload.read(50_000_000))
            with tarfile.open(layer, "w") as tar:
                tar.add(part, f"part-{number}")
            crane += ["-f", layer]
    pushed = subprocess.run(crane, check=True, capture_output=True, text=True)
    return pushed.stdout.strip()


def digits():
    return f"{time.time_ns() % 10**DIGITS:0{DIGITS}}".encode()


def settle():
    """Until what was just written is older than the file system's clock can tell."""
    time.sleep(0.05)


def digest_of(path):
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
