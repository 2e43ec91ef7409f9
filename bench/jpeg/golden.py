"""Write the JPEG and WebP files, and what libjpeg and libwebp make of them, that datasets is tested with.

    python golden.py --out datasets/testdata

"blocks" has one colour a block of JPEG: its inverse DCT has one right answer, so
all decoders that agree on chroma give the same bytes. "detail" has edges, ramps
and noise. WebP has one right answer in any case. The same version of Pillow writes the same bytes.
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
    parser.add_argument("--out", type=Path, required=True, help="directory of jpeg/ and webp/")
    out = parser.parse_args().out
    jpeg, webp = out / "jpeg", out / "webp"
    for directory in (jpeg, webp):
        directory.mkdir(parents=True, exist_ok=True)
        for stale in directory.iterdir():
            stale.unlink()

    for name, (ratio, factors) in RATIOS.items():
        save_jpeg(jpeg / f"blocks-{name}", blocks(HEIGHT, WIDTH), ratio, factors)
        save_jpeg(jpeg / f"detail-{name}", detail(HEIGHT, WIDTH), ratio, factors)
    for height, width in NARROW:
        save_jpeg(jpeg / f"detail-{height}x{width}", detail(height, width), *RATIOS["420"])
        save_webp(webp / f"detail-{height}x{width}", detail(height, width))
    save_webp(webp / "detail", detail(HEIGHT, WIDTH))
    save_webp(webp / "even", detail(HEIGHT + 1, WIDTH + 1))
    alpha = detail(HEIGHT, WIDTH)[..., :1]
    save_webp(webp / "alpha", np.concatenate([detail(HEIGHT, WIDTH), alpha], -1))
    files = [*jpeg.iterdir(), *webp.iterdir()]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files):,} bytes")


def save_jpeg(path: Path, pixels: np.ndarray, ratio: str, factors: int) -> None:
    """path.jpg with these sampling factors of luma, and path.png with its pixels."""
    memory = BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=90, subsampling=ratio)
    data = bytearray(memory.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = factors
    path.with_suffix(".jpg").write_bytes(data)
    Image.open(path.with_suffix(".jpg")).convert("RGB").save(path.with_suffix(".png"), optimize=True)


def save_webp(path: Path, pixels: np.ndarray) -> None:
    """path.webp, lossy, and path.png with its pixels without alpha."""
    Image.fromarray(pixels).save(path.with_suffix(".webp"), quality=80)
    Image.open(path.with_suffix(".webp")).convert("RGB").save(path.with_suffix(".png"), optimize=True)


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
