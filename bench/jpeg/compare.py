"""Measure how far JPEG images are from libjpeg's, and what that does to masks; see docs/jpeg.md.

    python bench/jpeg/compare.py PHOTOS [--predict RUN|WEIGHTS [FLAG...]]

PHOTOS, a directory of images, are encoded by Pillow in several qualities and
samplings of chroma, and decoded by Pillow (libjpeg-turbo), by fcnx and by Go
alone. What follows --predict is given to `bin/fcnx predict`, whose masks of the
pixels of libjpeg are compared with those of the others' pixels.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

QUALITIES = (75, 90, 95)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
DECODERS = ("go", "fcnx")
PHOTO_NAMES = (".png", ".jpg", ".jpeg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a directory of images; as PNG or good JPEG")
    parser.add_argument("--predict", nargs=argparse.REMAINDER, default=[], help="RUN|WEIGHTS and flags of fcnx predict")
    args = parser.parse_args()
    photos = sorted(p for p in args.photos.iterdir() if p.suffix.lower() in PHOTO_NAMES)
    if not photos:
        raise SystemExit(f"{args.photos}: no .png or .jpg in it")

    print(f"{len(photos)} photographs; differences from libjpeg in levels of 255\n")
    print("| quality | chroma | decoder | mean R, G, B | largest R, G, B | pixels that differ | by more than 2 |", end="")
    print(" mask pixels that differ |" if args.predict else "")
    print("| --- " * (8 if args.predict else 7) + "|")
    for quality in QUALITIES:
        for sampling in SAMPLINGS:
            with tempfile.TemporaryDirectory() as work:
                measure(photos, quality, sampling, args.predict, Path(work))


def measure(photos: list[Path], quality: int, sampling: str, network: list[str], work: Path) -> None:
    """Print a line of each decoder."""
    encoded = [work / f"{i:04}.jpg" for i in range(len(photos))]
    for photo, path in zip(photos, encoded):
        Image.open(photo).convert("RGB").save(path, quality=quality, subsampling=sampling)
        Image.open(path).save(f"{path}.libjpeg.png", compress_level=1)
    subprocess.run(["go", "run", "./bench/jpeg", *encoded], check=True)
    masks = {decoder: predict(encoded, decoder, network, work) for decoder in ("libjpeg", *DECODERS)} if network else {}
    for decoder in DECODERS:
        differences = [np.abs(pixels(path, "libjpeg") - pixels(path, decoder)).reshape(-1, 3) for path in encoded]
        differences = np.concatenate(differences)
        most = differences.max(1)
        line = [
            str(quality),
            sampling,
            decoder,
            ", ".join(f"{x:.2f}" for x in differences.mean(0)),
            ", ".join(map(str, differences.max(0))),
            f"{100 * (most > 0).mean():.1f}%",
            f"{100 * (most > 2).mean():.2f}%",
        ]
        if masks:
            line.append(f"{100 * (masks['libjpeg'] != masks[decoder]).mean():.3f}%")
        print("| " + " | ".join(line) + " |", flush=True)


def pixels(path: Path, decoder: str) -> np.ndarray:
    return np.asarray(Image.open(f"{path}.{decoder}.png").convert("RGB")).astype(np.int16)


def predict(encoded: list[Path], decoder: str, network: list[str], work: Path) -> np.ndarray:
    """All mask pixels of what one decoder made of the images."""
    images = work / f"{decoder}.txt"
    images.write_text("".join(f"{path}.{decoder}.png\n" for path in encoded))
    out = work / f"masks-{decoder}"
    weights, *flags = network
    command = ["bin/fcnx", "predict", weights, f"@{images}", "--out", out, *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = sorted(out.rglob("*.png"))
    if len(found) != len(encoded):
        raise SystemExit(f"{len(found)} masks of {len(encoded)} images")
    return np.concatenate([np.asarray(Image.open(p)).ravel() for p in found])


if __name__ == "__main__":
    main()
