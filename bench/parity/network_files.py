"""Write small whole networks as the programs that weights come from write them, for checkpoints/weights.

    python network_files.py --out checkpoints/weights/testdata

The nets have the layers and names of the real ones and few channels. NAME.safetensors has the numbers of all files
NAME-*.*, under the paper's names or torchvision's. The .pth are checkpoints of github.com/wkentaro/pytorch-fcn, and of one that
nn.DataParallel wraps; the .npz has Chainer's names; vgg11-nan.pth is torchvision's VGG-11 with a classifier of
NaN, as its vgg16_features is. Caffe's files are in caffe_files.py. torch puts a random id into its files, so that two runs
differ in those bytes.
"""

import argparse
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

STAGES = [(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)]  # convolutions and their channels
HEAD, CLASSES = 2, 2


class FCN(nn.Module):
    """Modules of the names of pytorch-fcn's FCN8s and FCN16s."""

    def __init__(self, arch: str) -> None:
        super().__init__()
        channels = 3
        for stage, (n, out) in enumerate(STAGES, 1):
            for i in range(1, n + 1):
                setattr(self, f"conv{stage}_{i}", nn.Conv2d(channels, out, 3, padding=1))
                channels = out
        self.fc6 = nn.Conv2d(channels, HEAD, 7)
        self.fc7 = nn.Conv2d(HEAD, HEAD, 1)
        self.score_fr = nn.Conv2d(HEAD, CLASSES, 1)
        self.score_pool4 = nn.Conv2d(STAGES[3][1], CLASSES, 1)
        if arch == "fcn8s":
            self.score_pool3 = nn.Conv2d(STAGES[2][1], CLASSES, 1)
        kernels = {"fcn8s": {"upscore2": 4, "upscore8": 16, "upscore_pool4": 4}, "fcn16s": {"upscore2": 4, "upscore16": 32}}
        for name, kernel in kernels[arch].items():
            setattr(self, name, nn.ConvTranspose2d(CLASSES, CLASSES, kernel, stride=kernel // 2, bias=False))


def vgg11() -> nn.Module:
    """torchvision's VGG-11 with its names."""
    layers, inputs = [], 3
    for v in [1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"]:
        if v == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(inputs, v, 3, padding=1), nn.ReLU()]
        inputs = v
    net = nn.Module()
    net.features = nn.Sequential(*layers)
    net.classifier = nn.Sequential(
        nn.Linear(8 * 7 * 7, HEAD), nn.ReLU(), nn.Dropout(), nn.Linear(HEAD, HEAD), nn.ReLU(), nn.Dropout(), nn.Linear(HEAD, 3)
    )
    return net


def checkpoint(net: nn.Module, arch: str) -> dict[str, object]:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-10, momentum=0.99)
    return {
        "epoch": 3,
        "iteration": 12000,
        "arch": arch,
        "optim_state_dict": optimizer.state_dict(),
        "model_state_dict": net.state_dict(),
        "best_mean_iu": np.float64(0.63),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.manual_seed(0)
    eights, sixteens = FCN("fcn8s"), FCN("fcn16s")
    for name, net in {"fcn8s": eights, "fcn16s": sixteens}.items():
        save_file(net.state_dict(), out / f"{name}.safetensors")
        (out / f"{name}.safetensors").chmod(0o644)
    torch.save(checkpoint(eights, "FCN8s"), out / "fcn8s-zip.pth")
    torch.save(checkpoint(nn.DataParallel(sixteens), "FCN16s"), out / "fcn16s-parallel.pth", _use_new_zipfile_serialization=False)
    chainer = {k.replace(".weight", "/W").replace(".bias", "/b"): v.numpy() for k, v in eights.state_dict().items()}
    # A zip keeps the time of day, and the file should not differ by it.
    with mock.patch("time.localtime", return_value=(2026, 1, 1, 0, 0, 0, 3, 1, 0)):
        np.savez_compressed(out / "fcn8s-chainer.npz", **chainer)
    state = vgg11().state_dict()
    torch.save(state, out / "vgg11-zip.pth")
    save_file(state, out / "vgg11.safetensors")
    (out / "vgg11.safetensors").chmod(0o644)
    for k in state:
        if k.startswith("classifier"):
            state[k] = torch.full_like(state[k], float("nan"))
    torch.save(state, out / "vgg11-nan.pth")


if __name__ == "__main__":
    main()
