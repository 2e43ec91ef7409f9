#!/usr/bin/env python3
"""What a dashboard costs a run: the median time of its steps while nobody watches,
while `fcnx watch` shows it in a terminal of 200x60 that is read, and while it does in
a terminal that nobody reads (a frozen one). One run is watched in turns, since the
machine's speed drifts.

    bench/dashboard.py [ROUNDS]
"""
import datetime
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FCNX = str(ROOT / "bin/fcnx")
SETTLE, WINDOW = 2.0, 7.0  # seconds: of a terminal that has just opened, and of counting


class Terminal:
    """`fcnx watch` in a terminal of its own."""

    def __init__(self, run, read):
        self.read, self.pid = read, 0
        pid, fd = pty.fork()
        if pid == 0:
            env = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")
            env.pop("CI", None)
            time.sleep(0.2)  # until the terminal has its size
            os.execvpe(FCNX, [FCNX, "watch", str(run)], env)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.pid, self.fd = pid, fd

    def wait(self, seconds):
        end = time.time() + seconds
        while (left := end - time.time()) > 0:
            if self.read and select.select([self.fd], [], [], min(left, 0.2))[0]:
                os.read(self.fd, 1 << 16)
            elif not self.read:
                time.sleep(min(left, 0.2))

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def watch_in_turns(run, rounds):
    """Windows of time, as (kind, from, until)."""
    windows = []
    for _ in range(rounds):
        for kind in KINDS:
            terminal = None if kind == "nobody" else Terminal(run, kind == "dashboard")
            wait = terminal.wait if terminal else time.sleep
            wait(SETTLE)
            begin = time.time()
            wait(WINDOW)
            windows.append((kind, begin, time.time()))
            if terminal:
                terminal.close()
    return windows


KINDS = ("nobody", "dashboard", "frozen terminal")


def seconds_of(stamp):
    return datetime.datetime.fromisoformat(stamp).timestamp()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    out = pathlib.Path(tempfile.mkdtemp())
    run, said = out / "r", out / "r" / "events.jsonl"
    trainer = subprocess.Popen(
        [FCNX, "train", "--config", str(ROOT / "recipes/shapes.toml"), "--set", "eval.every_epochs=1e6", "--set", "train.steps=1000000",
         "--set", "train.epochs=0", "--out", str(out), "--name", "r", "--ui", "none"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (said.exists() and b'"step":50,' in said.read_bytes()):
            time.sleep(0.5)
            if trainer.poll() is not None:
                sys.exit("the run ended before it could be watched")
        windows = watch_in_turns(run, rounds)
    finally:
        trainer.terminate()
        trainer.wait()
    steps = [json.loads(line) for line in open(said) if '"kind":"step"' in line]
    shutil.rmtree(out)
    times = [(seconds_of(s["time"]), s["step_ms"] + s["data_ms"], s["tell_ms"]) for s in steps if "tell_ms" in s]
    medians = {kind: [] for kind in KINDS}
    telling = {kind: [] for kind in KINDS}
    for kind, begin, end in windows:
        inside = [(ms, told) for at, ms, told in times if begin <= at < end]
        medians[kind].append(statistics.median(ms for ms, _ in inside))
        telling[kind].append(statistics.median(told for _, told in inside))
    print(f"median step of one run, {rounds} rounds of {WINDOW:g} s each in turn, {os.cpu_count()} cores")
    print("| watched by | step, ms | over nobody (median of rounds) | telling of a step, us |\n| --- | --- | --- | --- |")
    for kind in KINDS:
        ratio = statistics.median(a / b for a, b in zip(medians[kind], medians["nobody"]))
        print(f"| {kind} | {statistics.median(medians[kind]):.2f} | {ratio:.3f} | {1000 * statistics.median(telling[kind]):.1f} |")


main()
