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
    modes: tuple[str, ...] = tuple(MODES)  # that it is asked for
    ready: dict = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    apart: dict[str, list[float]] = field(default_factory=dict)  # those of turns in which the cores shared no cache
    between: dict[str, list[float]] = field(default_factory=dict)  # and of turns in which that changed
    still: dict[str, list[float]] = field(default_factory=dict)  # seconds for which training stands still meanwhile
    peaks: dict[str, int] = field(default_factory=dict)  # bytes of the process after its first run of a mode
    device: dict[str, int] = field(default_factory=dict)  # and of its accelerator

    def start(self) -> None:
        try:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        except OSError as err:
            raise SystemExit(f"bench: {self.name} does not start: {err}") from err
        self.ready = self.read("getting ready")
        if not self.ready.get("ready"):
            raise SystemExit(f"bench: {self.name} began with {self.ready}, not with a ready line")

    def ask(self, mode: str, steps: int, uncounted: int = 0) -> dict:
        """Runs so many steps, whose seconds the answer has, after some that do not count."""
        steps += uncounted
        try:
            print(f"{mode} {steps}", file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has ended: read says how
        answer = self.read(f"{mode} {steps}")
        if answer.get("mode") != mode or len(answer.get("seconds", ())) != steps:
            raise SystemExit(f"bench: {self.name} answered {mode} {steps} with {answer}")
        answer["seconds"] = answer["seconds"][uncounted:]
        self.seconds.setdefault(mode, []).extend(answer["seconds"])
        self.still.setdefault(mode, []).extend(answer.get("still_seconds", ())[uncounted:])
        self.peaks[mode] = max(self.peaks.get(mode, 0), answer["peak_rss_bytes"])
        self.device[mode] = max(self.device.get(mode, 0), answer.get("device_bytes", 0))
        return answer

    def set_aside(self, kind: dict[str, list[float]], mode: str, steps: int) -> None:
        """Keeps the last so many steps of a mode from what its median is taken of, and puts them to apart or to between."""
        kind.setdefault(mode, []).extend(self.seconds[mode][-steps:])
        del self.seconds[mode][-steps:]

    def read(self, doing: str) -> dict:
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise SystemExit(f"bench: {self.name} ended with exit code {code} while {doing}; its words are above")
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise SystemExit(f"bench: {self.name} answered {line.strip()!r}: not a line of JSON") from None

    def stop(self) -> None:
        """Lets it end by itself; whoever does not is made to."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def summary(self) -> dict:
        """What was measured of each mode that it was asked for, but the product."""
        modes = [mode for mode in self.modes if mode != "product"]
        done = {
            "compile_seconds": {mode: self.ready["compile_seconds"][mode] for mode in modes},
            "peak_rss_bytes": {mode: self.peak(mode) for mode in modes},
            "seconds": {mode: self.seconds[mode] for mode in modes},
            "median": {mode: statistics.median(self.seconds[mode]) for mode in modes},
            "min": {mode: min(self.seconds[mode]) for mode in modes},
        }
        for name, kind in (("apart", self.apart), ("between", self.between)):
            if kind:
                done[name] = kind
        if on_device := {mode: self.on_device(mode) for mode in modes if self.on_device(mode)}:
            done["device_bytes"] = on_device
        if still := {mode: statistics.median(self.still[mode]) for mode in modes if self.still.get(mode)}:
            done["still"] = still
        if amounts := self.ready.get("amounts"):
            done["amounts"] = {mode: amounts[mode] for mode in modes}
        return done

    def peak(self, mode: str) -> int:
        """Of inference that of the first run, before there was anything of training; of others that of any: an optimiser
        makes its slots in the first step."""
        first = self.ready["peak_rss_bytes"][mode]
        return first if mode == "infer" else max(first, self.peaks.get(mode, 0))

    def on_device(self, mode: str) -> int:
        """Bytes of the accelerator that a mode needs: as its allocator counts, or as XLA says of the compiled graph
        (CompiledMemory.Needed in train/event/event.go); 0 where nobody tells."""
        if graph := self.ready.get("device_memory", {}).get(mode):
            return graph["arguments"] + graph["outputs"] - graph["aliased"] + graph["temporaries"] + graph["code"]
        first = self.ready.get("device_bytes", {}).get(mode, 0)
        return first if mode == "infer" else max(first, self.device.get(mode, 0))


# Modes of which one follows the other in a run, so that none begins as after another program's turn.
FOLLOWING = ("infer", "train", "update")


# At most so many times the rounds that are asked for, where turns were set aside.
MORE = 2


def in_turns(
    sides: list[Side], rounds: int, steps: dict[str, int], note, often: dict[str, int] | None = None, apart=lambda: False
) -> dict[str, int]:
    """Rounds in which each side has its turn in each of its modes, so many steps; often says which modes have more than one
    turn a round. The order is turned around from turn to turn, and from round to round. Returns how many rounds each mode had.

    A slow minute of the machine falls on all alike, and while one computes the others sleep. In the first step of a turn a program
    finds caches that the others have filled, and memory that it has freed is slow to come again where it went back to the host
    of a virtual machine meanwhile. That step does not count, for in a run each follows another.

    apart tells whether the cores share no cache (cores.py). It is asked before and after each turn of MODES, whose seconds are set
    aside where it says so once (Side.between) or twice (Side.apart). Where that leaves any side less than half of its turns in a mode, though
    some side has turns left, that mode has more rounds: up to as many again.
    """
    done = dict.fromkeys(steps, 0)
    for i in range(MORE * rounds):
        for mode, count in steps.items():
            turns = (often or {}).get(mode, 1)
            of_mode = [side for side in sides if mode in side.modes]
            if i >= rounds:
                left = [len(side.seconds[mode]) for side in of_mode]
                if not any(left) or 2 * min(left) >= rounds * turns * count:
                    continue
            done[mode] += 1
            for j in range(turns):
                for side in of_mode if (i + j) % 2 == 0 else of_mode[::-1]:
                    which = f"round {i + 1}/{rounds}" if i < rounds else f"extra round {i + 1 - rounds}"
                    note(f"{which}: {side.name}, {turn(side, mode, count, apart)}")
    return done


def turn(side: Side, mode: str, count: int, apart) -> str:
    """One turn of a side: so many steps of a mode, whose seconds are set aside as apart says. Returns a line on it."""
    before = mode in MODES and apart()
    answer = side.ask(mode, count, 1 if mode in FOLLOWING else 0)
    after = mode in MODES and apart()
    if mode == "product":
        side.ready["multiply_adds_of_product"] = answer["multiply_adds"]
    where = ""
    if before and after:
        side.set_aside(side.apart, mode, count)
        where = ", cores apart"
    elif before or after:
        side.set_aside(side.between, mode, count)
        where = ", cores moved"
    return f"{MODES.get(mode, mode)}{where}: {min(answer['seconds']):.3f} s"


def pool(sides: list[Side], mode: str) -> str:
    """Where a side has no turn of a mode left, all that was set aside of it counts again, for all sides alike.

    Returns "" where each has turns left; else "apart" where none has, so that this is how the machine is, or "mixed".
    """
    of_mode = [side for side in sides if mode in side.modes]
    left = [bool(side.seconds[mode]) for side in of_mode]
    if all(left):
        return ""
    for side in of_mode:
        side.seconds[mode] += side.apart.pop(mode, []) + side.between.pop(mode, [])
    return "mixed" if any(left) else "apart"


def product(sides: list[Side]) -> dict:
    """The fastest matrix product that any side has done: FLOP/s by side, a multiply-add being two."""
    return {
        side.name: 2 * side.ready["multiply_adds_of_product"] / min(side.seconds["product"])
        for side in sides
        if "product" in side.seconds
    }
