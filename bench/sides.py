"""A program under test, which answers lines on its stdin with what it measured."""

import json
import statistics
import subprocess
from dataclasses import dataclass, field

MODES = {"infer": "inference", "train": "training step"}


@dataclass
class Side:
    """One process, and what it said.

    Its first line is {"ready":true,"compile_seconds":{MODE:S},"peak_rss_bytes":{MODE:B},...}:
    each mode has run once. A line "MODE N" is answered with {"mode","seconds":[...],"peak_rss_bytes"}.
    """

    name: str
    command: list[str]
    ready: dict = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_rss_bytes: int = 0  # of training

    def start(self) -> None:
        try:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        except OSError as err:
            raise SystemExit(f"compare.py: {self.name} does not start: {err}") from err
        self.ready = self.read("getting ready")
        if not self.ready.get("ready"):
            raise SystemExit(f"compare.py: {self.name} began with {self.ready}, not with a ready line")

    def ask(self, mode: str, steps: int) -> dict:
        """Runs so many steps, whose seconds the answer has."""
        try:
            print(f"{mode} {steps}", file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has ended: read says how
        answer = self.read(f"{mode} {steps}")
        if answer.get("mode") != mode or len(answer.get("seconds", ())) != steps:
            raise SystemExit(f"compare.py: {self.name} answered {mode} {steps} with {answer}")
        self.seconds.setdefault(mode, []).extend(answer["seconds"])
        if mode == "train":  # the second step of an optimiser that makes its slots in the first
            self.peak_rss_bytes = max(self.peak_rss_bytes, answer["peak_rss_bytes"])
        return answer

    def read(self, doing: str) -> dict:
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise SystemExit(f"compare.py: {self.name} ended with exit code {code} while {doing}; its words are above")
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise SystemExit(f"compare.py: {self.name} answered {line.strip()!r}: not a line of JSON") from None

    def stop(self) -> None:
        """Lets it end by itself; whoever does not is made to."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def summary(self) -> dict:
        first = self.ready["peak_rss_bytes"]
        return {
            "compile_seconds": self.ready["compile_seconds"],
            "peak_rss_bytes": {
                "infer": first["infer"],  # before there was anything of training
                "train": max(first["train"], self.peak_rss_bytes),
            },
            "seconds": {mode: self.seconds[mode] for mode in MODES},
            "median": {mode: statistics.median(self.seconds[mode]) for mode in MODES},
            "min": {mode: min(self.seconds[mode]) for mode in MODES},
        }


def in_turns(sides: list[Side], rounds: int, steps: int, note) -> None:
    """Rounds in which each side has its turn in each mode, the order turned around every other round.

    A slow minute of the machine falls on all alike, and while one computes the others sleep. The first
    two sides, fcnx and one of PyTorch, also multiply two large matrices: the peak that all are held to.
    """
    for i in range(rounds):
        turn = sides if i % 2 == 0 else sides[::-1]
        for mode in MODES:
            for side in turn:
                answer = side.ask(mode, steps)
                note(f"round {i + 1}/{rounds}: {side.name}, {MODES[mode]}: {min(answer['seconds']):.3f} s")
        for side in sides[:2]:
            answer = side.ask("product", 3)
            side.ready["multiply_adds_of_product"] = answer["multiply_adds"]


def product(sides: list[Side]) -> dict:
    """The fastest matrix product that any side has done: FLOP/s by side, a multiply-add being two."""
    return {
        side.name: 2 * side.ready["multiply_adds_of_product"] / min(side.seconds["product"])
        for side in sides
        if "product" in side.seconds
    }
