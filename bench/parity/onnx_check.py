"""Hold ONNX models that fcnx exports to fcnx itself and to PyTorch, in ONNX Runtime.

    python bench/parity/onnx_check.py --fcnx bin/fcnx

For each net a state dict with random weights is saved by PyTorch, and from it

    fcnx weights export W.safetensors ... --out W.onnx --output both
    fcnx weights export W.safetensors ... --out W.outside.onnx --preprocess outside
    fcnx predict W.safetensors images ... --out masks --logits

Both models must pass onnx.checker (full) and strict shape inference. On images of
every size, alone and three at once, their logits must agree with fcnx's within 1e-4
of the largest, and those of the second with PyTorch's too. Masks must agree with
fcnx's on 99.99% of a net's pixels, and where they do not, fcnx's two scores must be
equal within 1e-5 of the largest: one such tie is more than 0.01% of the smaller
images, so that share is taken of all of them. The exit status is 1 where anything fails. It needs onnx and onnxruntime
beside bench/requirements.txt. In bench/parity/run.sh:

    .venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0
    .venv/bin/python bench/parity/onnx_check.py --fcnx bin/fcnx

All nets take some minutes, most of which XLA compiles; --quick takes every fifth.
With --model M.onnx --masks DIR --images DIR nothing is made: the model of a user's
run is held to what `fcnx predict RUN images --out masks --logits` wrote.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "torch"))
from fcn import FCN  # noqa: E402
from told import BGR, RGB, flags  # noqa: E402

SIZES = ((33, 47), (64, 96), (101, 75), (224, 224))  # height, width
BATCH = 3
CLASSES, WIDTH, HEAD = 5, 2, 8


@dataclass(frozen=True)
class Net:
    arch: str
    geometry: str
    upsample: str
    encoder: str
    at_once: bool
    preprocess: str  # rgb | bgr

    def name(self) -> str:
        return "-".join((self.arch, self.geometry, self.upsample, self.encoder)) + ("-at_once" if self.at_once else "")

    def flags(self) -> list[str]:
        return flags(self, CLASSES, WIDTH, HEAD, self.constants())

    def constants(self) -> dict:
        return RGB if self.preprocess == "rgb" else BGR

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """uint8 RGB [N,H,W,3] -> float32 [N,3,H,W]."""
        p = self.constants()
        x = images[..., ::-1] if p["order"] == "bgr" else images
        x = (x * p["scale"] - np.array(p["mean"])) / np.array(p["std"])
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype=np.float32)

    def random(self, seed: int) -> FCN:
        """No value is at its start: an exchanged or forgotten tensor shows."""
        torch.manual_seed(seed)
        net = FCN(self.arch, self.encoder, CLASSES, WIDTH, HEAD, self.upsample, self.geometry, at_once=self.at_once).eval()
        with torch.no_grad():
            for name, tensor in net.state_dict().items():
                if name.endswith("running_var"):
                    tensor.uniform_(0.5, 2)
                elif tensor.is_floating_point() and not (name.startswith("upscore") and self.upsample == "bilinear"):
                    scale = 0.3 if tensor.dim() < 4 else (2 / tensor[0].numel()) ** 0.5
                    tensor.normal_(0, scale)
        return net

    def random_with_masks(self, seed: int, images: np.ndarray) -> FCN:
        """The first such net from seed on whose masks of images have two classes in a tenth of the pixels: others compare nothing."""
        for attempt in range(1000):
            net = self.random(1000 * seed + attempt)
            with torch.no_grad():
                mask = net(torch.from_numpy(self.normalise(images))).argmax(1)
            counts = mask.flatten().bincount()
            if counts.max() <= 0.9 * mask.numel():
                return net
        sys.exit(f"{self.name()}: no seed gives masks of two classes")


def nets() -> list[Net]:
    every = []
    kinds = itertools.product(("fcn32s", "fcn16s", "fcn8s"), ("same", "paper"), ("learned", "depthwise", "bilinear"), (False, True))
    encoders = itertools.cycle(("vgg11", "vgg16", "vgg13", "vgg19"))
    for i, ((arch, geometry, upsample, norm), encoder) in enumerate(zip(kinds, encoders)):
        at_once = arch != "fcn32s" and i % 2 == 1
        every.append(Net(arch, geometry, upsample, encoder + ("_bn" if norm else ""), at_once, "bgr" if i % 3 == 0 else "rgb"))
    return every


def session(path: Path) -> ort.InferenceSession:
    """The model at path, after the checks that need no data."""
    onnx.checker.check_model(str(path), full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True, data_prop=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Report:
    """Collects the worst of each comparison, and what failed."""

    def __init__(self):
        self.failed, self.compared = 0, 0
        self.off = {"fcnx": 0.0, "torch": 0.0}
        self.pixels, self.wrong, self.before = 0, 0, (0, 0)
        self.gap = 0.0  # between the scores of two classes that were taken for each other

    def logits(self, what: str, side: str, want: np.ndarray, got: np.ndarray) -> None:
        if want.shape != got.shape:
            return self.fail(f"{what}: logits {got.shape}, {side} has {want.shape}")
        off = float(np.abs(want - got).max() / np.abs(want).max())
        self.off[side] = max(self.off[side], off)
        self.compared += 1
        if not off <= 1e-4:
            self.fail(f"{what}: logits differ from those of {side} by {off:.1e} of the largest")

    def masks(self, what: str, want: np.ndarray, got: np.ndarray, logits: np.ndarray) -> None:
        """Logits are fcnx's, [classes,H,W] or with N in front."""
        if want.shape != got.shape or got.dtype != np.uint8:
            return self.fail(f"{what}: mask {got.dtype} {got.shape}, fcnx has {want.shape}")
        self.pixels, self.wrong = self.pixels + want.size, self.wrong + int((want != got).sum())
        scores = np.moveaxis(logits, -3, -1)[want != got]
        chosen = (np.take_along_axis(scores, m[want != got][:, None].astype(int), 1) for m in (want, got))
        gap = max(np.abs(np.subtract(*chosen)).flatten(), default=0) / np.abs(logits).max()
        self.gap = max(self.gap, float(gap))
        if gap > 1e-5:
            self.fail(f"{what}: a pixel has another class than in fcnx, where the two scores differ by {gap:.1e} of the largest")

    def net(self, what: str) -> None:
        """Ends the comparisons of a net: the share of its pixels."""
        pixels, wrong = self.pixels - self.before[0], self.wrong - self.before[1]
        self.before = self.pixels, self.wrong
        if wrong > 1e-4 * pixels:
            self.fail(f"{what}: {wrong} of {pixels} pixels have another class than in fcnx")

    def fail(self, text: str) -> None:
        self.failed += 1
        print(f"FAILED {text}", file=sys.stderr)


def compare(report: Report, what: str, model: ort.InferenceSession, images: dict[str, np.ndarray], masks: Path) -> None:
    """The outputs of a model with preprocessing inside on each image alone."""
    for name, image in images.items():
        logits, mask = model.run(["logits", "mask"], {"images": image[None]})
        want = np.load(masks / f"{name}.npy")
        report.logits(f"{what} {name}", "fcnx", want, logits[0])
        report.masks(f"{what} {name}", np.asarray(Image.open(masks / f"{name}.png")), mask[0], want)


def check(report: Report, net: Net, seed: int, fcnx: str, images: dict[str, np.ndarray], work: Path) -> None:
    height, width = SIZES[-1]
    torch_net, name = net.random_with_masks(seed, np.stack([images[f"{height}x{width}-{i}"] for i in range(BATCH)])), net.name()
    state = {k: v.contiguous() for k, v in torch_net.state_dict().items()}
    if net.upsample == "bilinear":
        state = {k: v for k, v in state.items() if not k.startswith("upscore")}
    weights, inside, outside = work / f"{name}.safetensors", work / f"{name}.onnx", work / f"{name}.outside.onnx"
    save_file(state, weights)

    def run(*args: object) -> None:
        done = subprocess.run([fcnx, *map(str, args)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"fcnx {args[0]} of {name}: exit code {done.returncode}\n{done.stderr}")

    run("weights", "export", weights, *net.flags(), "--out", inside, "--output", "both")
    run("weights", "export", weights, *net.flags(), "--out", outside, "--preprocess", "outside")
    run("predict", weights, work / "images", *net.flags(), "--out", work / name, "--logits")

    inside, outside = session(inside), session(outside)
    compare(report, name, inside, images, work / name)
    for height, width in SIZES:
        names = [f"{height}x{width}-{i}" for i in range(BATCH)]
        batch = np.stack([images[n] for n in names])
        what = f"{name} {BATCH} of {height}x{width}"
        fcnx_logits = np.stack([np.load(work / name / f"{n}.npy") for n in names])
        fcnx_masks = np.stack([np.asarray(Image.open(work / name / f"{n}.png")) for n in names])
        logits, mask = inside.run(["logits", "mask"], {"images": batch})
        report.logits(what, "fcnx", fcnx_logits, logits)
        report.masks(what, fcnx_masks, mask, fcnx_logits)
        (logits,) = outside.run(None, {"images": net.normalise(batch)})
        report.logits(f"{what}, outside", "fcnx", fcnx_logits, logits)
        with torch.no_grad():
            report.logits(f"{what}, outside", "torch", torch_net(torch.from_numpy(net.normalise(batch))).numpy(), logits)


def make_images(directory: Path) -> dict[str, np.ndarray]:
    directory.mkdir()
    rng, images = np.random.default_rng(1), {}
    for height, width in SIZES:
        for i in range(BATCH):
            coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
            noise = rng.integers(-20, 20, (height, width, 3))
            image = np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(image).save(directory / f"{height}x{width}-{i}.png")
            images[f"{height}x{width}-{i}"] = image
    return images


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fcnx", default="bin/fcnx")
    parser.add_argument("--quick", action="store_true", help="every fifth net")
    parser.add_argument("--model", type=Path, help="check this model, with outputs logits and mask, instead")
    parser.add_argument("--images", type=Path, help="with --model: PNG files")
    parser.add_argument("--masks", type=Path, help="with --model: what fcnx predict --logits made of them")
    args = parser.parse_args()
    report = Report()
    if args.model:
        images = {p.stem: np.asarray(Image.open(p).convert("RGB")) for p in sorted(args.images.glob("*.png"))}
        if not images:
            parser.error(f"no PNG files in {args.images}")
        compare(report, args.model.name, session(args.model), images, args.masks)
        report.net(args.model.name)
        made = [args.model.name]
    else:
        made = nets()[:: 5 if args.quick else 1]
        with tempfile.TemporaryDirectory() as work:
            images = make_images(Path(work) / "images")
            for seed, net in enumerate(made):
                print(net.name(), flush=True)
                check(report, net, seed, args.fcnx, images, Path(work))
                report.net(net.name())
    print(
        f"{len(made)} models, {report.compared} comparisons of logits: off by at most {report.off['fcnx']:.1e} from fcnx, {report.off['torch']:.1e} from PyTorch; "
        f"{report.wrong} of {report.pixels} pixels have another class, of scores at most {report.gap:.1e} apart; {report.failed} failed"
    )
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
