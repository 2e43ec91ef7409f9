"""Write what fcnx's table of torchvision's names is held to.

    python torchvision_keys.py checkpoints/weights/testdata

torchvision.json has the names and shapes of every VGG net's state dict, as torchvision
itself builds it. fc6.json has a fully connected layer on 7x7 pixels and the answer that
PyTorch gives for it, computed in float64 from numbers that float32 holds exactly.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torchvision import models

NETS = ["vgg11", "vgg13", "vgg16", "vgg19"]


def names() -> dict[str, dict[str, list[int]]]:
    nets = {}
    for name in [n + suffix for n in NETS for suffix in ("", "_bn")]:
        with torch.device("meta"):
            net = getattr(models, name)()
        nets[name] = {key: list(t.shape) for key, t in net.state_dict().items()}
    return nets


def fc6() -> dict[str, object]:
    torch.manual_seed(1)
    channels, head = 3, 4
    features = torch.randint(-8, 9, (1, channels, 7, 7), dtype=torch.float64) / 8
    linear = nn.Linear(channels * 7 * 7, head).double()
    with torch.no_grad():
        linear.weight.copy_(torch.randint(-8, 9, linear.weight.shape) / 8)
        linear.bias.copy_(torch.randint(-8, 9, linear.bias.shape) / 8)
        answer = linear(torch.flatten(features, 1))
    return {
        "features": features[0].tolist(),  # [C][7][7]
        "weight": linear.weight.tolist(),  # [head][C*7*7]
        "bias": linear.bias.tolist(),
        "answer": answer[0].tolist(),
    }


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    lines = []
    for name, tensors in names().items():
        rows = ",\n".join(f"    {json.dumps(key)}: {json.dumps(shape, separators=(',', ':'))}" for key, shape in tensors.items())
        lines.append(f'  "{name}": {{\n{rows}\n  }}')
    (out / "torchvision.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (out / "fc6.json").write_text(json.dumps(fc6(), separators=(",", ":")) + "\n")


main()
