"""Write the JPEG files, and what libjpeg makes of them, that hold datasets/jpeg.go to it.

    python golden.py --out datasets/testdata/jpeg

"blocks" has one colour a block of JPEG: its inverse DCT has one right answer, so
all decoders that agree on chroma give the same bytes. "detail" has edges, ramps
and noise. The same version of Pillow writes the same bytes.
"""

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

# With this size, and only with sizes like it, the stream of one ratio has as many
# units as that of the ratio that Pillow cannot write: the header alone is changed.
HEIGHT, WIDTH = 29, 61
RATIOS = {
    "444": ("4:4:4", 0x11),
    "422": ("4:2:2", 0x21),
    "420": ("4:2:0", 0x22),
    "440": ("4:2:2", 0x12),
    "411": ("4:2:0", 0x41),
}
# (height, width) in 4:2:0 of which libjpeg interpolates no column: chroma is two wide or less.
NARROW = ((7, 1), (6, 3), (9, 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="directory of the .jpg and .png files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for stale in (*out.glob("*.jpg"), *out.glob("*.png")):
        stale.unlink()

    for name, (ratio, factors) in RATIOS.items():
        save(out / f"blocks-{name}", blocks(HEIGHT, WIDTH), ratio, factors)
        save(out / f"detail-{name}", detail(HEIGHT, WIDTH), ratio, factors)
    for height, width in NARROW:
        save(out / f"detail-{height}x{width}", detail(height, width), *RATIOS["420"])
    files = [*out.glob("*.jpg"), *out.glob("*.png")]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files):,} bytes")


def save(path: Path, pixels: np.ndarray, ratio: str, factors: int) -> None:
    """path.jpg with these sampling factors of luma, and path.png with its pixels."""
    memory = BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=90, subsampling=ratio)
    data = bytearray(memory.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = factors
    path.with_suffix(".jpg").write_bytes(data)
    Image.open(path.with_suffix(".jpg")).convert("RGB").save(path.with_suffix(".png"), optimize=True)


def blocks(height: int, width: int) -> np.ndarray:
    """A colour for each 16x16 pixels, which is whole blocks of luma and of chroma in most ratios."""
    rows, cols = -(-height // 16), -(-width // 16)
    coarse = np.random.default_rng(1).integers(0, 256, (rows, cols, 3), dtype=np.uint8)
    return coarse.repeat(16, 0).repeat(16, 1)[:height, :width]


def detail(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x * 255 // width, y * 255 // height, 128 + 100 * np.sin((x + y) / 5)], -1).astype(float)
    for radius, colour in ((13, (230, 20, 30)), (8, (20, 40, 240)), (4, (250, 240, 10))):
        rgb[np.hypot(y - height / 2, x - width / 2) < radius] = colour
    rgb += np.random.default_rng(2).normal(0, 6, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
