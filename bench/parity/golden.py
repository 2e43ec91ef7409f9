"""Write the golden files that hold fcnx to PyTorch's numbers; see docs/parity.md.

    python golden.py --out models/testdata/parity

Every number is computed in float64 from weights and inputs that are exact in
float32, and rounded once: a golden is the right answer, not one more float32
opinion of it. The same version of torch writes the same bytes.
"""

import argparse
import copy
import json
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "torch"))
from fcn import FCN, cross_entropy, parameter_groups  # noqa: E402


@dataclass(frozen=True)
class Optimizer:
    """A run on one fixed batch; biases go at bias_lr times lr and do not decay, nor does batch norm."""

    kind: str  # sgd | adamw
    lr: float
    steps: int
    weight_decay: float
    bias_lr: float = 1.0
    momentum: float = 0.0  # sgd
    nesterov: bool = False  # sgd
    beta1: float = 0.9  # adamw
    beta2: float = 0.999  # adamw
    epsilon: float = 1e-8  # adamw


@dataclass(frozen=True)
class Case:
    """One net, one batch. Size is [H, W]."""

    arch: str
    geometry: str
    encoder: str
    upsample: str
    size: tuple[int, int]
    batch: int = 1
    at_once: bool = False
    classes: int = 3
    width: int = 1
    head: int = 4
    optimizer: Optimizer | None = None

    def name(self) -> str:
        parts = [self.arch, self.geometry, self.encoder, self.upsample]
        if self.at_once:
            parts.append("at_once")
        return "-".join(parts)


# Decay is far above the usual 5e-4: so few steps of that would drown in rounding.
SGD = Optimizer("sgd", lr=0.002, steps=20, weight_decay=0.05, bias_lr=2.0, momentum=0.9)
NESTEROV = Optimizer("sgd", lr=0.002, steps=20, weight_decay=0.05, bias_lr=2.0, momentum=0.9, nesterov=True)
# Of a net whose few pixels and batch norm make more of a rounding at any higher rate.
GENTLE = replace(SGD, lr=0.00005)
ADAMW = Optimizer("adamw", lr=2e-3, steps=10, weight_decay=0.5)

# Twelve of these are all of net, geometry and batch norm, each trained with SGD on a
# batch of three and on the first image of it alone. The others cover what is left: the
# deepest encoder, the third kind of upsampling of 8s, AdamW. Sizes are on and off the
# grid of 32. Nets are as narrow as they can be, above all those with the 64x64 kernels
# of 32s: all files together stay below 2 MB. The place in the list is the seed.
CASES = (
    Case("fcn32s", "same", "vgg11", "learned", (33, 17), batch=3, classes=2, optimizer=SGD),
    Case("fcn32s", "same", "vgg11_bn", "bilinear", (21, 35), batch=3, classes=2, optimizer=SGD),
    Case("fcn32s", "paper", "vgg11", "depthwise", (20, 33), batch=3, classes=2, optimizer=SGD),
    Case("fcn16s", "same", "vgg16", "depthwise", (29, 33), batch=3, classes=4, optimizer=SGD),
    Case("fcn16s", "same", "vgg11_bn", "learned", (32, 33), batch=3, classes=2, optimizer=SGD),
    Case("fcn16s", "paper", "vgg16", "learned", (31, 29), batch=3, classes=2, optimizer=NESTEROV),
    Case("fcn8s", "same", "vgg13", "learned", (37, 33), batch=3, classes=4, width=2, optimizer=SGD),
    Case("fcn8s", "same", "vgg19", "depthwise", (32, 32)),
    Case("fcn8s", "same", "vgg11", "bilinear", (1, 40), classes=4, optimizer=ADAMW),
    Case("fcn8s", "same", "vgg16_bn", "learned", (33, 32), batch=3, at_once=True, optimizer=SGD),
    Case("fcn8s", "paper", "vgg16", "learned", (5, 70), batch=3, classes=4, at_once=True, optimizer=SGD),
    Case("fcn8s", "paper", "vgg16_bn", "depthwise", (17, 19), batch=3, optimizer=GENTLE),
    Case("fcn8s", "paper", "vgg11", "bilinear", (32, 32)),
    Case("fcn32s", "paper", "vgg11_bn", "depthwise", (9, 11), batch=3, classes=2, optimizer=SGD),
    Case("fcn16s", "paper", "vgg11_bn", "depthwise", (15, 13), batch=3, classes=2, optimizer=SGD),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="directory of the .safetensors files")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_default_dtype(torch.float64)

    names = [case.name() for case in CASES]
    if len(set(names)) != len(names):
        raise SystemExit("two cases share a name")
    out.mkdir(parents=True, exist_ok=True)
    for stale in {p.stem for p in out.glob("*.safetensors")} - set(names):
        (out / f"{stale}.safetensors").unlink()

    total = 0
    autocast = {}
    for seed, case in enumerate(CASES, 1):
        tensors = golden(case, seed)
        path = out / f"{case.name()}.safetensors"
        save_file(tensors, path, metadata={"case": json.dumps(asdict(case), sort_keys=True)})
        autocast[case.name()] = autocast_errors(case, tensors)
        total += path.stat().st_size
        print(f"{path.name:60} {path.stat().st_size:8,} bytes  loss {tensors['loss_mean'].item():.4f}")
    (out / "autocast.json").write_text(json.dumps(autocast, indent="\t") + "\n")
    print(f"{len(CASES)} files, {total:,} bytes")


def golden(case: Case, seed: int) -> dict[str, Tensor]:
    """All tensors of one file: weights, batch, logits, losses, gradients, and short trainings."""
    rng = torch.Generator().manual_seed(seed)
    model = net(case)
    randomise(model, case, rng)
    start = copy.deepcopy(model)

    height, width = case.size
    images = single(torch.randn(case.batch, 3, height, width, generator=rng))
    labels = draw_labels(case, rng)
    class_weights = single(0.5 + torch.rand(case.classes, generator=rng))

    tensors = weights(model)
    tensors |= {"input": images, "labels": labels, "class_weights": class_weights}
    with torch.inference_mode():
        tensors["logits"] = model.eval()(images)
    require_clear(case, tensors["logits"])

    logits = model.train()(images)
    loss = cross_entropy(logits, labels)
    loss.backward()
    tensors["loss_mean"] = loss.detach()
    tensors["loss_sum"] = cross_entropy(logits, labels, "sum").detach()
    tensors["loss_weighted_mean"] = cross_entropy(logits, labels, weight=class_weights).detach()
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if model.batch_norm and name.startswith("conv") and name.endswith(".bias"):
            # Batch norm takes this bias away again: what is left of its gradient is rounding.
            p.grad.zero_()
        elif p.grad.abs().max() < 1e-7:
            raise SystemExit(f"{case.name()}: {name} has no gradient: a golden of zeros proves nothing")
        tensors[f"grad.{name}"] = p.grad
    for name, buffer in model.named_buffers():
        if "running" in name:
            tensors[f"after.{name}"] = buffer

    if case.optimizer:
        first = copy.deepcopy(start)
        tensors["losses"] = train(start, case.optimizer, images, labels)
        if case.batch > 1:
            tensors["losses_first"] = train(first, case.optimizer, images[:1], labels[:1])
    return {
        name: t if t.dtype == torch.uint8 else t.detach().to(torch.float32).contiguous()
        for name, t in tensors.items()
    }


def net(case: Case) -> FCN:
    return FCN(
        case.arch,
        case.encoder,
        case.classes,
        case.width,
        case.head,
        case.upsample,
        case.geometry,
        dropout=0.0,
        at_once=case.at_once,
    )


def autocast_errors(case: Case, tensors: dict[str, Tensor]) -> dict[str, float]:
    """How far PyTorch's autocast to bfloat16 is from the golden: the norm of the difference over that of what is
    right, of the logits and of all gradients together. Two digits: processors differ in the others."""
    model = net(case).float()
    model.load_state_dict(tensors, strict=False)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.inference_mode():
            logits = model.eval()(tensors["input"])
        loss = cross_entropy(model.train()(tensors["input"]), tensors["labels"])
    loss.backward()
    trained = [(tensors[f"grad.{name}"], p.grad) for name, p in model.named_parameters() if p.requires_grad]
    pairs = {"logits": (tensors["logits"], logits), "gradient": [torch.cat([g.flatten() for g in side]) for side in zip(*trained)]}
    return {name: float(f"{((got.float() - want).norm() / want.norm()).item():.1e}") for name, (want, got) in pairs.items()}


def require_clear(case: Case, logits: Tensor) -> None:
    """A mask that rounding decides says nothing about an implementation."""
    best, second = logits.topk(2, dim=1).values.unbind(1)
    margin = (best - second).min() / logits.abs().max()
    if margin < 1e-6:
        raise SystemExit(f"{case.name()}: two classes of a pixel are {margin:.0e} of the largest logit apart")


def randomise(model: FCN, case: Case, rng: torch.Generator) -> None:
    """Weights that let every layer count: nothing at zero, activations and logits around one."""
    for name, module in model.named_modules():
        if isinstance(module, nn.ConvTranspose2d):
            if case.upsample != "bilinear":
                # Each output sums four taps of each class (of its own only, when depthwise).
                fan = 4 * module.weight.shape[1]
                fill(module.weight, rng, 1 / math.sqrt(fan))
        elif isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            std = math.sqrt((1 if name.startswith("score_") else 2) / fan)
            # The fixed scales of the at-once net would hide its skips below any tolerance.
            if case.at_once:
                std *= {"score_pool4": 1e2, "score_pool3": 1e4}.get(name, 1)
            fill(module.weight, rng, std)
            # Narrow ReLU nets die easily: positive biases keep them alive.
            fill(module.bias, rng, 0.1, 0.2)
        elif isinstance(module, nn.BatchNorm2d):
            fill(module.weight, rng, 0.1, 1.0)
            fill(module.bias, rng, 0.1, 0.2)
            fill(module.running_mean, rng, 0.3)
            fill(module.running_var, rng, 0.2, 1.0)
            module.running_var.abs_()


@torch.no_grad()
def fill(p: Tensor, rng: torch.Generator, std: float, mean: float = 0.0) -> None:
    """Normal numbers, rounded to what the file will hold."""
    p.copy_(single(mean + std * torch.randn(p.shape, generator=rng)))


def single(x: Tensor) -> Tensor:
    """float64 -> the nearest float32, as float64."""
    return x.float().double()


def draw_labels(case: Case, rng: torch.Generator) -> Tensor:
    """[N,H,W] uint8 in 4x4 patches. Of image i, a share of 255 that grows with i: a mean taken
    image by image differs from the mean over all labelled pixels."""
    height, width = case.size
    coarse = torch.randint(case.classes, (case.batch, -(-height // 4), -(-width // 4)), generator=rng)
    labels = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :height, :width].clone()
    share = 0.1 + 0.3 * torch.arange(case.batch).reshape(-1, 1, 1)
    labels[torch.rand(labels.shape, generator=rng) < share] = 255
    return labels.to(torch.uint8)


def weights(model: FCN) -> dict[str, Tensor]:
    """The state dict without torch's count of batches."""
    return {k: v.detach().clone() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def train(model: FCN, how: Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """The losses [steps] of training on one batch, each taken before its step."""
    model.train()
    groups = parameter_groups(model, how.lr, how.weight_decay, how.bias_lr)
    if how.kind == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=how.momentum, nesterov=how.nesterov)
    else:
        optimizer = torch.optim.AdamW(groups, betas=(how.beta1, how.beta2), eps=how.epsilon)
    losses = []
    for _ in range(how.steps):
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    if losses[-1] >= losses[0] or not model.conv1_1.weight.grad.any():
        raise SystemExit(f"{how.kind}: the loss did not fall, or the net died: {losses[0]:.4f} to {losses[-1]:.4f}")
    return torch.stack(losses)


if __name__ == "__main__":
    main()
