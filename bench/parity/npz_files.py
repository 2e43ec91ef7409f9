"""Write the npz files that checkpoints/weights/npz is tested with, by numpy itself.

    python npz_files.py --out checkpoints/weights/npz/testdata
    python npz_files.py --big DIR

expected.safetensors says what the reader must find in each file but objects.npz,
which it must refuse. --big writes vgg16.npz, vgg16_compressed.npz and vgg16_fortran.npz (big-endian), 528 MB each,
with VGG-16's names and sizes, to measure the reader with. Made with numpy 2.4.6 and
safetensors 0.8.0; the same versions write the same bytes.
"""

import argparse
import os
import sys
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
from safetensors.numpy import save_file

ENCODER = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256),
           (256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]  # fmt: skip
NAMES = [f"conv{stage}_{i}" for stage, n in enumerate([2, 2, 3, 3, 3], 1) for i in range(1, n + 1)]


def arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Names as Chainer's save_npz makes them, and every dtype and order of the reader."""

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    return {
        "conv1_1/W": normal(2, 3, 3, 3),
        "conv1_1/b": normal(2),
        "score_fr/W": np.zeros((3, 2, 1, 1), np.float32),
        "upscore/W": normal(3, 3, 8, 8),
        "f2": normal(2, 3).astype("<f2"),
        "f8": normal(5).astype("<f8"),
        "i1": rng.integers(-128, 128, 3, np.int8),
        "i2": rng.integers(-(2**15), 2**15, 3, np.int16),
        "i4": rng.integers(-(2**31), 2**31, 3, np.int32),
        "i8": rng.integers(-(2**63), 2**63 - 1, 3, np.int64),
        "u1": np.arange(256, dtype=np.uint8).reshape(4, 64),
        "u2": np.array([0, 2**16 - 1], np.uint16),
        "u4": np.array([0, 2**32 - 1], np.uint32),
        "u8": np.array([0, 2**64 - 1], np.uint64),
        "b1": np.array([True, False, True]),
        "big/f2": normal(7).astype(">f2"),
        "big/f4": normal(3, 2, 2).astype(">f4"),
        "big/f8": normal(3).astype(">f8"),
        "big/i8": np.array(-7, ">i8"),
        "fortran/f4": np.asfortranarray(normal(2, 3, 4, 5)),
        "fortran/T": normal(6, 4).T,
        "fortran/big": np.asfortranarray(normal(3, 1, 5).astype(">f4")),
        "fortran/u1": np.asfortranarray(np.arange(12, dtype=np.uint8).reshape(3, 4)),
        "fortran/row": np.asfortranarray(normal(1, 4)),
        "scalar": np.array(1.5, np.float32),
        "empty": np.zeros((0, 5), np.float32),
        "höhe/重み": normal(1),
        "dir/x.npy": normal(1),
    }


class Payload:
    """What a careless reader would run."""

    def __reduce__(self):
        return os.mkdir, ("a-pickle-was-run",)


def write(out: Path) -> None:
    a = arrays(np.random.default_rng(1))
    np.savez(out / "savez.npz", **a)
    np.savez_compressed(out / "savez_compressed.npz", **a)
    # numpy takes these versions only for headers that need them, which those of plain numbers never do.
    for version in [(2, 0), (3, 0)]:
        with zipfile.ZipFile(out / f"version{version[0]}.npz", "w", zipfile.ZIP_DEFLATED) as z:
            for name, values in a.items():
                with z.open(name + ".npy", "w", force_zip64=True) as f:
                    np.lib.format.write_array(f, values, version=version)
    np.savez(out / "tiny.npz", **{k: a[k] for k in ["conv1_1/b", "fortran/u1"]})
    np.savez_compressed(out / "tiny_compressed.npz", **{k: a[k] for k in ["conv1_1/b", "fortran/u1", "big/f8"]})
    np.savez(out / "objects.npz", **{"conv1_1/b": a["conv1_1/b"], "names": np.array([Payload()], object)})
    native = {k: v.astype(v.dtype.newbyteorder("=")).copy(order="C") for k, v in a.items()}
    save_file(native, out / "expected.safetensors")


def write_big(out: Path) -> None:
    rng = np.random.default_rng(1)
    shapes = {f"{n}/W": (o, i, 3, 3) for n, (i, o) in zip(NAMES, ENCODER, strict=True)}
    shapes |= {"fc6/W": (4096, 25088), "fc7/W": (4096, 4096), "fc8/W": (1000, 4096)}
    shapes |= {k[:-1] + "b": v[:1] for k, v in shapes.items()}
    a = {k: rng.standard_normal(v, dtype=np.float32) for k, v in shapes.items()}
    np.savez(out / "vgg16.npz", **a)
    np.savez_compressed(out / "vgg16_compressed.npz", **a)
    np.savez(out / "vgg16_fortran.npz", **{k: np.asfortranarray(v.astype(">f4")) for k, v in a.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the small files go")
    parser.add_argument("--big", type=Path, help="where the large files go")
    args = parser.parse_args()
    if not (args.out or args.big):
        parser.error("--out or --big is needed")
    # A zip keeps the time of day, and the files should not differ by it.
    with mock.patch("time.localtime", return_value=(2026, 1, 1, 0, 0, 0, 3, 1, 0)):
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            write(args.out)
        if args.big:
            write_big(args.big)


if __name__ == "__main__":
    sys.exit(main())
