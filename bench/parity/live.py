"""Hold the built fcnx to PyTorch: random nets, saved in every format, and predicted from image files.

    python bench/parity/live.py [--fcnx bin/fcnx] [--quick] [--proto caffe.proto]

FCN-32s, 16s and 8s in both geometries, with batch norm and without, are made in PyTorch
(bench/torch/fcn.py) at a quarter of VGG's width, and saved in each of FORMATS. `fcnx
predict` reads file and images, and its logits and masks are compared with PyTorch's in
float64 and in float32, which sees the images through Pillow. One line a file; the exit
status is 1 where a tolerance of models/testdata/parity/tolerances.json is missed.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import ConvTranspose2d

sys.path.insert(0, str(Path(__file__).parents[1] / "torch"))
from fcn import FCN  # noqa: E402
from golden import randomise  # noqa: E402
from told import BGR, RGB, flags  # noqa: E402

ROOT = Path(__file__).parents[2]
CLASSES, WIDTH, HEAD = 21, 16, 64
# (height, width) and the kind of PNG: off the grid of 32, with alpha to drop, with a palette.
IMAGES = ((65, 97, "RGB"), (128, 160, "RGBA"), (224, 224, "P"))


@dataclass(frozen=True)
class Net:
    arch: str
    geometry: str
    encoder: str
    upsample: str
    at_once: bool

    def name(self) -> str:
        return "-".join((self.arch, self.geometry, self.encoder, self.upsample)) + ("-at_once" if self.at_once else "")

    def batch_norm(self) -> bool:
        return self.encoder.endswith("_bn")

    def preprocess(self) -> dict:
        return BGR if self.geometry == "paper" else RGB

    def flags(self) -> list[str]:
        return flags(self, CLASSES, WIDTH, HEAD, self.preprocess())


def nets() -> list[Net]:
    """Every arch, geometry and encoder with and without batch norm; the rest in turns."""
    kinds = itertools.product(("fcn32s", "fcn16s", "fcn8s"), ("same", "paper"), (False, True))
    encoders = itertools.cycle(("vgg16", "vgg11", "vgg13", "vgg16", "vgg19"))
    upsamples = itertools.cycle(("learned", "depthwise", "learned", "bilinear", "learned"))
    at_once = itertools.cycle((False, False, True))
    return [
        Net(arch, geometry, next(encoders) + ("_bn" if norm else ""), next(upsamples), next(at_once) and arch != "fcn32s")
        for arch, geometry, norm in kinds
    ]


def write_npz(state: dict[str, Tensor], path: Path) -> None:
    """The names that Chainer's save_npz gives."""
    links = {"weight": "W", "bias": "b"}
    arrays = {}
    for name, tensor in state.items():
        layer, param = name.rsplit(".", 1)
        arrays[f"{layer}/{links[param]}"] = tensor.numpy()
    np.savez(path, **arrays)


class CaffeWriter:
    """Files of the messages in Caffe's own proto, as pycaffe's Net.save makes them of layers that have blobs."""

    def __init__(self, proto: Path):
        from caffe_files import load

        self.message = load(proto)

    def __call__(self, state: dict[str, Tensor], path: Path) -> None:
        net = self.message("NetParameter")(name="fcn")
        layers = {}
        for name, tensor in state.items():  # of each layer the weight comes first, as its blobs do
            layer = name.rsplit(".", 1)[0]
            if layer not in layers:
                kind = "Deconvolution" if layer.startswith("upscore") else "Convolution"
                layers[layer] = net.layer.add(name=layer, type=kind)
            blob = layers[layer].blobs.add()
            blob.shape.dim.extend(tensor.shape)
            blob.data.extend(tensor.flatten().tolist())
        path.write_bytes(net.SerializeToString())


@dataclass(frozen=True)
class Format:
    """What writes a state dict to a file, and whether the format knows such a net."""

    name: str
    extension: str
    write: Callable[[dict[str, Tensor], Path], None]
    knows: Callable[[Net], bool] = lambda net: True


def formats(proto: Path | None) -> list[Format]:
    made = [
        # This one is read for every image, the others for the first.
        Format("safetensors", ".safetensors", save_file),
        Format("torch.save, zip", ".pth", torch.save),
        Format("torch.save, legacy", ".pth", lambda s, p: torch.save(s, p, _use_new_zipfile_serialization=False)),
        Format("Chainer npz", ".npz", write_npz, lambda net: not net.batch_norm()),
    ]
    if proto:
        # Caffe's BatchNorm has a layer and names of its own, which no FCN was ever published with. Its nets carry
        # their fixed kernels, too: without any, a file counts as cut off.
        made.append(Format("caffemodel", ".caffemodel", CaffeWriter(proto), lambda net: not net.batch_norm() and net.upsample != "bilinear"))
    return made


def make_images(directory: Path) -> list[Path]:
    """Blobs of colour with noise on them, at all scales."""
    directory.mkdir()
    rng, paths = np.random.default_rng(1), []
    for height, width, mode in IMAGES:
        coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
        pixels = (np.asarray(coarse) + rng.integers(-25, 25, (height, width, 3))).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(pixels)
        if mode == "RGBA":
            image.putalpha(Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)))
        elif mode == "P":
            image = image.quantize(200)
        paths.append(directory / f"{height}x{width}.png")
        image.save(paths[-1])
    return paths


def normalise(path: Path, how: dict) -> Tensor:
    """Image file -> float64 [1,3,H,W]."""
    x = np.asarray(Image.open(path).convert("RGB")).astype(np.float64)
    if how["order"] == "bgr":
        x = x[..., ::-1]
    x = (x * how["scale"] - np.array(how["mean"])) / np.array(how["std"])
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None]


@torch.inference_mode()
def answers(model: FCN, images: list[Path], how: dict) -> dict[str, dict[str, np.ndarray]]:
    """Precision -> image's name -> logits [C,H,W]."""
    inputs = {path.stem: normalise(path, how) for path in images}
    single = {name: model(x.float())[0].numpy() for name, x in inputs.items()}
    double = model.double()
    return {"float64": {name: double(x)[0].numpy() for name, x in inputs.items()}, "float32": single}


def predict(fcnx: str, file: Path, images: list[Path], out: Path, net: Net) -> tuple[dict, dict]:
    """Logits and masks of images by their names."""
    command = [fcnx, "predict", file, *images, "--logits", "--out", out, *net.flags()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\nexit code {done.returncode}: {done.stderr}")
    names = [path.stem for path in images]
    masks = {name: np.asarray(Image.open(out / f"{name}.png")) for name in names}
    return {name: np.load(out / f"{name}.npy") for name in names}, masks


class Table:
    """Prints a line of each file, and knows whether all were good enough."""

    def __init__(self, tolerance: dict):
        self.tolerance, self.missed, self.pixels, self.wrong = tolerance, 0, 0, 0
        self.worst = {"float64": 0.0, "float32": 0.0}
        print("| net | file | images | logits: off from float64 | from float32 | float32 from float64 | pixels of masks | equal |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")

    def line(self, net: Net, kind: str, want: dict, logits: dict, masks: dict) -> None:
        off = {precision: worst(want[precision], logits) for precision in want}
        own = worst({name: want["float64"][name] for name in logits}, want["float32"])
        best = {name: want["float64"][name].argmax(0) for name in logits}
        pixels = sum(mask.size for mask in masks.values())
        wrong = sum(int((best[name] != mask).sum()) for name, mask in masks.items())
        good = max(off.values()) <= self.tolerance["logits"] and pixels - wrong >= self.tolerance["masks"] * pixels
        self.missed += not good
        self.pixels, self.wrong = self.pixels + pixels, self.wrong + wrong
        self.worst = {precision: max(self.worst[precision], off[precision]) for precision in off}
        cells = [net.name(), kind, len(logits), *(f"{x:.1e}" for x in (*off.values(), own)), pixels, f"{100 * (1 - wrong / pixels):.4f}%"]
        print("| " + " | ".join(map(str, cells)) + " |" + ("" if good else " MISSED"), flush=True)

    def summary(self) -> str:
        return (
            f"logits off by at most {self.worst['float64']:.1e} of the largest from PyTorch's float64 and {self.worst['float32']:.1e} "
            f"from its float32 ({self.tolerance['logits']:.0e} allowed); {self.wrong} of {self.pixels} mask pixels differ "
            f"({1 - self.tolerance['masks']:.2%} allowed a line); {self.missed} lines missed a tolerance"
        )


def worst(want: dict[str, np.ndarray], got: dict[str, np.ndarray]) -> float:
    """The largest difference over got's images, as a share of the largest logit. NaN where there is one."""
    shares = []
    for name in want.keys() & got.keys():
        if want[name].shape != got[name].shape:
            raise SystemExit(f"{name}: logits {got[name].shape}, PyTorch has {want[name].shape}")
        shares.append(np.abs(want[name].astype(np.float64) - got[name]).max() / np.abs(want[name]).max())
    return float(np.max(shares))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fcnx", default=str(ROOT / "bin/fcnx"), help="the program")
    parser.add_argument("--quick", action="store_true", help="every fifth net, which is one of each kind of file")
    parser.add_argument("--proto", type=Path, help="Caffe's src/caffe/proto/caffe.proto; without it no caffemodel is made")
    args = parser.parse_args()
    torch.set_num_threads(2)
    every = formats(args.proto)
    table = Table(json.loads((ROOT / "models/testdata/parity/tolerances.json").read_text()))
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        images = make_images(work / "images")
        for seed, net in enumerate(nets()[:: 5 if args.quick else 1]):
            model = FCN(net.arch, net.encoder, CLASSES, WIDTH, HEAD, net.upsample, net.geometry, dropout=0.0, at_once=net.at_once).eval()
            randomise(model, net, torch.Generator().manual_seed(seed))
            # Fixed kernels are no weights to fcnx; a file that has them is one of a net that learns them.
            fixed = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, ConvTranspose2d) and net.upsample == "bilinear"}
            state = {name: tensor.clone() for name, tensor in model.state_dict().items() if name not in fixed}
            want = answers(model, images, net.preprocess())
            for i, kind in enumerate(k for k in every if k.knows(net)):
                file = work / f"{seed}-{i}{kind.extension}"
                kind.write(state, file)
                logits, masks = predict(args.fcnx, file, images if i == 0 else images[:1], work / f"{seed}-{i}", net)
                table.line(net, kind.name, want, logits, masks)
    if not args.proto:
        print("no caffemodel was made: that needs --proto (docs/parity.md)")
    print(table.summary())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
