"""Manifests that were made to hurt: how long ko-rs takes for a megabyte of each, and what it holds."""

import subprocess
import time
from pathlib import Path

from race import row

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: hostile}}\nx: {reference}\n"


def cases(size: int):
    """Name and text of each, of about `size` bytes."""

    def unit(text):
        return text * (size // len(text))

    def numbered(line):
        """Lines that differ by a number, which `N` stands for."""
        lines, length, number = [], 0, 0
        while length < size:
            lines.append(line.replace("N", str(number)))
            length += len(lines[-1])
            number += 1
        return "".join(lines)

    def levels(line, count):
        return "".join(line(level) for level in range(1, count))

    yield "ordinary", numbered('keyN:\n  - name: something\n    value: "of some length"\n')
    yield "plain scalar", f"a: {unit('x')}\n"
    yield "escapes", f'a: "{unit(chr(92) + "u006b")}"\n'
    yield "block scalar", f"a: |\n{unit('  no reference' + chr(10))}"
    yield "folded scalar", f"a: >\n{unit('  x' + chr(10) * 2)}"
    yield "unclosed quotes", f'a: "{unit("x" + chr(10) + " ")}'
    yield "NULs", unit("\0")
    yield "nesting", f"a: {unit('[')}"
    yield "nesting, blocks", f"a:\n  {unit('- ')}"
    yield "anchors", numbered("kN: &aN x\n")
    anchored = "".join(f"k{n}: &a{n} x\n" for n in range(1000))
    yield "anchors, documents", "a: 1\n" + unit("---\n" + HEAD.format(reference="ko://hello") + anchored)
    yield "aliases", f"a: &a x\n{numbered('kN: *a' + chr(10))}"
    yield "aliases of aliases", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + levels(
        lambda level: f"a{level}: &a{level} [" + f"*a{level - 1}, " * 10 + "]\n", 12
    ) + f"b: {unit('x')}\n"
    yield "aliases, nested", "a0: &a0 x\n" + numbered("aN: &aN [*a0]\n")
    yield "merges", f"a: &a {{b: c}}\n{numbered('kN: {<<: *a}' + chr(10))}"
    large = "".join(f"  b{n}: c\n" for n in range(1000))
    yield "merges of much", f"a: &a\n{large}{numbered('kN: {<<: *a}' + chr(10))}"
    pod = "- {image: nginx, imagePullPolicy: Always, env: [{name: A}, {name: A}]}\n" * 1000
    yield "aliases of containers", f"a: &a\n{pod}{numbered('kN: {containers: *a}' + chr(10))}"
    yield "containers", f"containers:\n{unit('- {image: a}' + chr(10))}"
    yield "equal env names", f"containers:\n- env:\n{unit('  - {name: A}' + chr(10))}"
    yield "small nodes", f"a: [{unit('[],')}]\n"
    yield "keys", numbered("? kN\n")
    yield "equal keys", unit("k: v\n")
    yield "long key", f"{unit('k')}: v\n"
    yield "colons", unit(":")
    yield "tags", f"a: {unit('!a')}"
    yield "directives", unit("%\n")
    yield "comments", unit("# ko://a\n")
    yield "comments for values", numbered("kN: # ko://a\n")
    yield "prefixes in text", f'a: "{unit("x ko://a ")}"\n'
    yield "prefixes, glued", f"a: &{unit('ko://a')} x\n"
    yield "references", f"a: [{unit('ko://a,')}]\n"
    yield "invalid references", unit("- ko://a:1\n").join(["y:\n", ""])
    yield "documents", unit("---\n")
    yield "documents, ended", unit("...\n")
    yield "documents, one scalar", unit("--- ko://a\n")
    yield "JSON objects", unit('{"apiVersion":"v1","kind":"A","a":"\\u006bo:\\/\\/hello"}\n')
    yield "CR", unit("\r")
    yield "four bytes a character", f"a: {chr(0x1F600) * (size // 4)}\n"


class Hostile:
    """Each case through `resolve` and `check`."""

    def __init__(self, ko_rs: Path, work: Path, folder: Path, reference: str, environment: dict, megabytes=8):
        self.ko_rs, self.work, self.folder = ko_rs, work, folder
        self.reference, self.environment = reference, environment
        self.size = megabytes * 1_000_000

    def run(self):
        self.measure(["build", "--push=false"])
        print(f"\nHostile manifests of {self.size / 1e6:.0f} MB (limit 1 s a MB)")
        row("", "s a MB", "memory / size", "code")
        for name, text in cases(self.size):
            # JSON objects follow nothing else.
            text = text if name == "JSON objects" else HEAD.format(reference=self.reference) + text
            file = self.work / "hostile.yaml"
            file.write_text(text, newline="")
            megabytes = file.stat().st_size / 1e6
            out = str(self.work / "hostile.out")
            for verb, args in (("resolve", ["--push=false", "-o", out]), ("check", [])):
                seconds, peak, code = self.measure([verb, *args, "-f", str(file)])
                each = f"{seconds / megabytes:.3f}"
                row(f"{name}, {verb}", each, f"{peak:.0f} / {megabytes:.0f} = {peak / megabytes:.1f}", str(code))

    def measure(self, args):
        """Seconds, the most memory of the process alone in MB, and its exit code."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [self.ko_rs, *args],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak = 0
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except FileNotFoundError:
                break
            peaks = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
            peak = max([peak, *map(int, peaks)])
            time.sleep(0.002)
        return time.perf_counter() - began, peak * 1024 / 1e6, process.wait()
