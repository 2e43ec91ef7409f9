"""Where the time of a training step goes on a CPU: XLA's programs, products, the kernel.

    python bench/where.py --config recipes/camvid-half.toml --classes 11

perf counts what each core does. What XLA compiled has no names in the process, so its programs are found by their bytes:
XLA_FLAGS=--xla_dump_to writes each as an object file. Other code that was made at run time is taken for oneDNN's, which makes
its own for products. Needs perf (linux-perf) and, for nm, objcopy and readelf, binutils. Other words go to `fcnx bench`.
"""

import argparse
import bisect
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sides import Side

# Of a symbol in perf's words, what a line of the table says. The first that matches.
SYMBOLS = (
    (r"gemm_pack_colmajor_block.*ImagePatch", "windows laid out for a convolution's product (Eigen)"),
    (r"gemm_pack_colmajor_block", "factors laid out for a product (Eigen)"),
    (r"\(\[kernel", "the kernel"),
    (r"\(//anon\)|\(\[JIT\]|\(\[unknown\]\)|\(/tmp/perf-\d+\.map\)", "made at run time, not by XLA: products (oneDNN)"),
)


PARTS = {"train": "train", "infer": "inference", "eval": "eval"}  # a mode, and what `fcnx bench --only` calls it
SHORT = 32  # bytes that another function might have too


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"where.py: {command[0]} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def functions(path: Path) -> list[tuple[str, int, int, bytes]]:
    """Of an object file each function's name and size, and its longest stretch of bytes that a linker leaves alone, with where in
    the function that begins. All code of an object is in one section: XLA's in .ltext, for it may lie anywhere."""
    relocated, of_code = [], False
    for line in output("readelf", "-rW", str(path)).splitlines():
        if line.startswith("Relocation section"):
            of_code = "'.rela.text'" in line or "'.rela.ltext'" in line
        elif of_code and re.match(r"[0-9a-f]{16} ", line):
            relocated.append(int(line.split()[0], 16))
    with tempfile.NamedTemporaryFile() as text:
        output("objcopy", "-O", "binary", "--only-section=.text", "--only-section=.ltext", str(path), text.name)
        code = Path(text.name).read_bytes()
    found = []
    for line in output("nm", "-S", "--defined-only", str(path)).splitlines():
        words = line.split()
        if len(words) != 4 or words[2] not in "tT":
            continue
        start, size = int(words[0], 16), int(words[1], 16)
        # Eight bytes may be written over, and the three before them, where a load becomes an address.
        edges = [start - 8, *(at for at in sorted(relocated) if start <= at < start + size), start + size + 3]
        first, last = max(((a + 8, b - 3) for a, b in zip(edges, edges[1:])), key=lambda stretch: stretch[1] - stretch[0])
        found.append((words[3], size, first - start, code[first:last]))
    return found


def locate(found: list[tuple[str, int, int, bytes]], regions: list[tuple[int, bytes]]) -> list[tuple[int, int, str]]:
    """Where those functions are in memory, (first byte, byte behind the last, name), in order. Functions that are the same, as
    layers of one shape have them, share their names."""
    alike = collections.defaultdict(list)
    for name, size, into, stretch in found:
        if len(stretch) >= SHORT:
            alike[size, into, stretch].append(name)
    places = []
    for (size, into, stretch), names in alike.items():
        for address, memory in regions:
            at = memory.find(stretch)
            while at >= 0:
                places.append((address + at - into, address + at - into + size, " | ".join(sorted(names))))
                at = memory.find(stretch, at + 1)
    return sorted(places)


def compiled(pid: int) -> list[tuple[int, bytes]]:
    """The memory of a process that holds code and is no file's, with its addresses."""
    regions = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, _, _, inode, *path = line.split()
            if rights[0] == "r" and rights[2] == "x" and inode == "0" and not path:
                first, last = (int(number, 16) for number in span.split("-"))
                memory.seek(first)
                regions.append((first, memory.read(last - first)))
    return regions


def sort(samples: list[str], places: list[tuple[int, int, str]]) -> collections.Counter:
    """How often perf saw each program, from lines "ADDRESS SYMBOL (FILE)"."""
    starts, seen = [first for first, _, _ in places], collections.Counter()
    for line in samples:
        address, _, symbol = line.strip().partition(" ")
        if not address:
            continue
        i = bisect.bisect(starts, int(address, 16)) - 1
        if i >= 0 and int(address, 16) < places[i][1]:
            seen[places[i][2]] += 1
        else:
            seen[next((name for pattern, name in SYMBOLS if re.search(pattern, symbol)), symbol.split("<")[0][:60])] += 1
    return seen


def describe(names: str, hlo: str) -> str:
    """What XLA's program of that name gives and does, out of the dumped module."""
    line = re.search(rf"^ +(?:ROOT )?%?{re.escape(names.split(' | ')[0])} = (\([^)]*\)|\S+) .*$", hlo, re.M)
    if not line:
        return ""
    calls = re.search(r"calls=%?([\w.-]+)", line[0])
    body = calls and re.search(rf"^%?{re.escape(calls[1])} \(.*?^\}}", hlo, re.M | re.S)
    silent = ("parameter", "constant", "bitcast", "broadcast")
    does = [op for op in re.findall(r" = \S+ ([a-z-]+)\(", body[0]) if op not in silent] if body else []
    return f"{re.sub(r'{[0-9,]*}', '', line[1])} {' '.join(does)}"[:110]


def watch(side: Side, mode: str, steps: int, folder: Path) -> tuple[list[float], list[str]]:
    """The seconds of so many steps, and what perf saw in them."""
    data = folder / "perf.data"
    command = ["perf", "record", "-F", "2500", "-o", str(data), "-p", str(side.process.pid)]
    with (folder / "perf.err").open("w+") as words, subprocess.Popen(command, stdout=words, stderr=words) as perf:
        try:
            time.sleep(1)  # until it counts
            if perf.poll() is not None:
                words.seek(0)
                raise SystemExit(f"where.py: perf does not count: {words.read().strip()}")
            seconds = side.ask(mode, steps)["seconds"]
        finally:
            perf.send_signal(signal.SIGINT)
    return seconds, output("perf", "script", "-i", str(data), "-F", "ip,sym,dso").splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--fcnx", default="bin/fcnx", help="the program")
    parser.add_argument("--mode", default="train", choices=list(PARTS))
    parser.add_argument("--steps", type=int, default=6, metavar="N")
    parser.add_argument("--top", type=int, default=40, metavar="N", help="lines")
    args, words = parser.parse_known_args()
    for tool, package in (("perf", "linux-perf"), ("nm", "binutils"), ("objcopy", "binutils"), ("readelf", "binutils")):
        if not shutil.which(tool):
            raise SystemExit(f"where.py: there is no {tool}; the package {package} has it")
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if flags and not flags.startswith("-"):
        raise SystemExit(f"where.py: XLA_FLAGS names the file {flags}, to which nothing can be added; unset it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XLA_FLAGS"] = f"{flags} --xla_dump_to={folder} --xla_dump_hlo_as_text".strip()
        side = Side("fcnx", [args.fcnx, "bench", "--server", "--backend", "cpu", "--only", PARTS[args.mode], *words])
        side.start()
        try:
            modules = sorted(folder.glob("*.cpu_after_optimizations.txt"), key=lambda path: path.stat().st_size)
            if not modules:
                raise SystemExit("where.py: XLA has dumped nothing")
            found = [function for path in folder.glob("*.o") for function in functions(path)]
            places = locate(found, compiled(side.process.pid))
            seconds, samples = watch(side, args.mode, args.steps, folder)
        finally:
            side.stop()
        hlo = modules[-1].read_text()
    seen, step = sort(samples, places), 1000 * sum(seconds) / args.steps
    print(f"a step takes {step:.0f} ms; {len(places)} of {len(found)} programs were found in memory")
    for name, times in seen.most_common(args.top):
        print(f"{step * times / seen.total():8.1f} ms {times / seen.total():4.0%}  {name}  {describe(name, hlo)}")


if __name__ == "__main__":
    sys.exit(main())
