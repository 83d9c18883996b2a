"""Runs commands by turns and prints how long they took beside each other."""

import math
import os
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional


@dataclass
class Contestant:
    """A command, and what is made ready before each run of it, off the clock."""

    name: str
    command: str
    directory: Path
    environment: dict = field(default_factory=dict)
    before: Optional[Callable[[], None]] = None

    def start(self, **options):
        return subprocess.Popen(
            shlex.split(self.command),
            cwd=self.directory,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            **options,
        )

    def run(self) -> float:
        """Seconds from the start of the process to its end."""
        if self.before:
            self.before()
        with open(os.environ["BENCH_LOG"], "w+b") as log:
            began = time.perf_counter()
            status = self.start(stdout=log, stderr=log).wait()
            took = time.perf_counter() - began
            if status != 0:
                log.seek(0)
                print(log.read().decode(errors="replace"), file=sys.stderr)
                sys.exit(f"error: {self.name}: `{self.command}` ended with {status}")
        return took

    def peak(self) -> float:
        """The most memory that the process itself (none of its children) held, in MB of 1000 kB."""
        if self.before:
            self.before()
        process = self.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except FileNotFoundError:
                break
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    most = max(most, int(line.split()[1]))
            time.sleep(0.003)
        if process.wait() != 0:
            sys.exit(f"error: {self.name}: `{self.command}` ended with {process.returncode}")
        return most * 1024 / 1e6


@dataclass
class Ratio:
    """Two sums of medians, as `ko-rs - cargo` over `docker`, and what their ratio should not pass."""

    above: str
    below: str
    limit: Optional[float] = None
    # What each has to do, where it is not the same; the ratio is one of times for each of these then.
    work: tuple = (1, 1)


@dataclass
class Speed:
    """How fast megabytes were worked through in a sum of medians, and what it should reach."""

    time: str
    megabytes: float
    limit: Optional[float] = None


class Race:
    """Contestants in one field. The first is what the others are measured by."""

    def __init__(self, title, contestants, ratios=(), rounds=11, speeds=()):
        self.title = title
        self.contestants = contestants
        self.ratios = ratios
        self.speeds = speeds
        self.rounds = int(os.environ.get("ROUNDS", rounds))

    def run(self):
        """One unmeasured round, then `rounds` in which everyone runs once, each time begun by the next."""
        for contestant in self.contestants:
            contestant.run()
        times = {contestant.name: [] for contestant in self.contestants}
        before = os.getloadavg()[0]
        for number in range(self.rounds):
            turn = number % len(self.contestants)
            for contestant in self.contestants[turn:] + self.contestants[:turn]:
                times[contestant.name].append(contestant.run())
        load = f"load {before:.1f} to {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
        heading(f"{self.title} ({self.rounds} rounds, {load})")
        medians = {name: statistics.median(taken) for name, taken in times.items()}
        first = self.contestants[0].name
        for name, taken in times.items():
            spread = f"{duration(min(taken))} – {duration(max(taken))}"
            row(name, duration(medians[name]), spread, f"{medians[name] / medians[first]:.2f}")
        for ratio in self.ratios:
            above = total(ratio.above, medians) / ratio.work[0]
            below = total(ratio.below, medians) / ratio.work[1]
            limit = "" if ratio.limit is None else f"   limit {ratio.limit:.2f}"
            per = "" if ratio.work == (1, 1) else ", per MB"
            print(f"  ({ratio.above}) / ({ratio.below}){per} = {figures(above / below)}{limit}")
        for speed in self.speeds:
            limit = "" if speed.limit is None else f"   at least {speed.limit:.0f}"
            per_second = figures(speed.megabytes / total(speed.time, medians))
            size = figures(speed.megabytes)
            print(f"  {size} MB / ({speed.time}) = {per_second} MB/s{limit}")
        sys.stdout.flush()


def total(expression, medians):
    """The value of names with ` - ` between them."""
    first, *rest = (medians[name.strip()] for name in expression.split(" - "))
    return first - sum(rest)


def figures(number):
    """Three figures of a number, however small it is."""
    digits = 3 if number == 0 else max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:.{digits}f}"


def duration(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def heading(title):
    print(f"\n{title}")
    row("", "median", "min – max", "ratio")


def row(name, *cells):
    print(f"  {name:<34}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, (10, 22, 8))))
