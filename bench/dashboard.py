#!/usr/bin/env python3
"""What the dashboard costs a run: the median time of a step with `--ui none`, with
the dashboard in a terminal of 200x60 that is read, and with one in a terminal that
nobody reads (a frozen one). The three take turns, since the machine's speed drifts.

    bench/dashboard.py [ROUNDS]
"""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS, WARM = 400, 40  # of each run; the first are not counted
ARGS = [
    str(ROOT / "bin/fcnx"), "train", "--config", str(ROOT / "recipes/shapes.toml"), "--set", "eval.every_epochs=100",
    "--set", f"train.steps={STEPS}", "--set", "train.epochs=0", "--backend", "cpu",
]


def steps(run):
    """Milliseconds of each counted step, data wait included, and of telling about it."""
    times, telling = [], []
    for line in open(run / "events.jsonl"):
        r = json.loads(line)
        if r["kind"] == "step" and r["step"] > WARM:
            times.append(r["step_ms"] + r["data_ms"])
            telling.append(r.get("tell_ms", 0))
    return times, telling


def none(out):
    subprocess.run([*ARGS, "--out", str(out), "--name", "r", "--ui", "none"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def dashboard(out, read):
    pid, fd = pty.fork()
    if pid == 0:
        env = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")
        env.pop("CI", None)
        os.execvpe(ARGS[0], [*ARGS, "--out", str(out), "--name", "r", "--ui", "tui"], env)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    finished = out / "r" / "events.jsonl"
    deadline = time.time() + 600
    while time.time() < deadline:
        # The reader of a frozen terminal looks at it while the run compiles, and then never again.
        begun = finished.exists() and '"kind":"step"' in finished.read_text()[:1 << 16]
        if (read or not begun) and select.select([fd], [], [], 0.05)[0]:
            os.read(fd, 1 << 16)
        else:
            time.sleep(0.05)
        if finished.exists() and b'"kind":"finished"' in finished.read_bytes()[-4096:]:
            break
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(fd)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    kinds = {
        "none": none,
        "dashboard": lambda out: dashboard(out, True),
        "frozen terminal": lambda out: dashboard(out, False),
    }
    medians, telling = {k: [] for k in kinds}, {k: [] for k in kinds}
    for _ in range(rounds):
        for kind, run in kinds.items():
            out = pathlib.Path(tempfile.mkdtemp())
            run(out)
            times, told = steps(out / "r")
            medians[kind].append(statistics.median(times))
            telling[kind].append(statistics.median(told))
            shutil.rmtree(out)
    base = medians["none"]
    print(f"median of {STEPS - WARM} steps, {rounds} rounds in turn, {os.cpu_count()} cores")
    print("| | step, ms | over none (median of rounds) | telling of a step, us |\n| --- | --- | --- | --- |")
    for kind in kinds:
        ratio = statistics.median(a / b for a, b in zip(medians[kind], base))
        print(f"| {kind} | {statistics.median(medians[kind]):.2f} | {ratio:.3f} | {1000 * statistics.median(telling[kind]):.1f} |")


main()
