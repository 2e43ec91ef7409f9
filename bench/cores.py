"""Whether two cores share a cache just now.

    python bench/cores.py --seconds 60

The host of a virtual machine moves its cores from place to place. Where each of two lies on a cache of its own, as on a
processor of several dies, what one has written is slow for the other to read and to write over. XLA's CPU plugin lays the
factors of its products out on either core, and multiplies them on either (docs/benchmarks.md).
"""

import argparse
import os
import statistics
import threading
import time

# Bytes that are handed over: a part of one core's own cache.
BYTES = 1 << 20
# From here on cores are apart: on one cache distance is near 2, on two of them near 8.
APART = 4
# Seconds after which a core that was to fill memory is given up.
WAIT = 10


def first_two() -> list[int]:
    """The first two cores of this process, or the one that it has."""
    return sorted(os.sched_getaffinity(0))[:2]


def apart() -> bool:
    """Whether the first two cores of this process are; False where it has one only."""
    cores = first_two()
    return len(cores) > 1 and distance(*cores) > APART


def distance(one: int, other: int, tries: int = 5) -> float:
    """How many times longer it takes to fill memory on one core, and to read it on the other, than to do both on one of them.

    The median of tries, each of which takes some milliseconds. The calling thread is on all of its cores again afterwards.
    """
    import numpy  # some tests run without it

    data, cores = numpy.zeros(BYTES // 4, numpy.float32), os.sched_getaffinity(0)
    try:
        return statistics.median(handed(data, one, other) / alone(data, other) for _ in range(tries))
    finally:
        os.sched_setaffinity(0, cores)


def alone(data, core: int, times: int = 15) -> float:
    os.sched_setaffinity(0, {core})
    data.fill(0)
    begin = time.perf_counter()
    for i in range(times):
        data.fill(i)
        data.sum()
    return time.perf_counter() - begin


def handed(data, one: int, other: int, times: int = 15) -> float:
    """Seconds of filling and of reading, without those of waiting for each other."""
    go, done, filling = threading.Semaphore(0), threading.Semaphore(0), []

    def fill():
        os.sched_setaffinity(0, {one})
        for i in range(times):
            go.acquire()
            begin = time.perf_counter()
            data.fill(i)
            filling.append(time.perf_counter() - begin)
            done.release()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    os.sched_setaffinity(0, {other})
    reading = 0.0
    for _ in range(times):
        go.release()
        if not done.acquire(timeout=WAIT):
            raise RuntimeError(f"cores.py: core {one} filled nothing in {WAIT} s")
        begin = time.perf_counter()
        data.sum()
        reading += time.perf_counter() - begin
    thread.join()
    return reading + sum(filling)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    cores = first_two()
    if len(cores) < 2:
        raise SystemExit("cores.py: this process has one core only; there is nothing to tell")
    for second in range(seconds):
        far = distance(*cores)
        print(f"{second:4d} s: {far:.1f}, {'apart' if far > APART else 'together'}", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
