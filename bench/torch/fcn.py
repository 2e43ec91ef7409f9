"""FCN-32s, FCN-16s and FCN-8s in PyTorch: the twin that fcnx is measured against.

Submodules carry the paper's layer names, so a state dict of this module and an
export of fcnx have the same keys and the same layout.

Source: Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic
Segmentation", and the prototxts that its authors released.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Convolutions in each of the five stages, a 2x2 pooling after each stage.
STAGES = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}

# The transposed convolutions of each net, (name, stride), coarse to fine.
UPSAMPLING = {
    "fcn32s": (("upscore", 32),),
    "fcn16s": (("upscore2", 2), ("upscore16", 16)),
    "fcn8s": (("upscore2", 2), ("upscore_pool4", 2), ("upscore8", 8)),
}

# The poolings that are fused after each but the last of these, and what the
# at-once net scales them by.
SKIPS = {
    "fcn32s": (),
    "fcn16s": (("pool4", 0.01),),
    "fcn8s": (("pool4", 0.01), ("pool3", 0.0001)),
}

# What the paper's geometry cuts off at the top and at the left: of each skip,
# and of the output.
SKIP_CROP = {"pool4": 5, "pool3": 9}
OUTPUT_CROP = {"fcn32s": 19, "fcn16s": 27, "fcn8s": 31}


class FCN(nn.Module):
    """One network for the three: a VGG encoder, fc6 and fc7 as convolutions, skips and upsampling.

    arch       fcn32s | fcn16s | fcn8s
    encoder    vgg11 | vgg13 | vgg16 | vgg19, with "_bn" for batch norm between convolution and ReLU
    width      channels of stage 1; the stages have 1, 2, 4, 8 and 8 times as many
    head       channels of fc6 and fc7
    upsample   learned: dense kernels [C,C,k,k]; depthwise: [C,1,k,k]; bilinear: dense, diagonal and frozen
    geometry   same: padded to a multiple of 32, cropped back; paper: padded by 100, ceil-mode pooling, fixed crops
    at_once    scale pool4 by 0.01 and pool3 by 0.0001, as in the net that the authors trained in one stage
    """

    def __init__(
        self,
        arch: str = "fcn8s",
        encoder: str = "vgg16",
        classes: int = 21,
        width: int = 64,
        head: int = 4096,
        upsample: str = "learned",
        geometry: str = "same",
        dropout: float = 0.5,
        at_once: bool = False,
    ):
        super().__init__()
        if upsample not in ("learned", "depthwise", "bilinear"):
            raise ValueError(f"upsample {upsample!r}: learned, depthwise or bilinear")
        if geometry not in ("same", "paper"):
            raise ValueError(f"geometry {geometry!r}: same or paper")
        self.arch, self.paper, self.at_once = arch, geometry == "paper", at_once
        self.depths = STAGES[encoder.removesuffix("_bn")]
        self.batch_norm = encoder.endswith("_bn")

        before, pooled = 3, {}
        for stage, depth in enumerate(self.depths, 1):
            channels = width * min(2 ** (stage - 1), 8)
            for i in range(1, depth + 1):
                first = (stage, i) == (1, 1)
                conv = nn.Conv2d(before, channels, 3, padding=100 if self.paper and first else 1)
                self.add_module(f"conv{stage}_{i}", conv)
                if self.batch_norm:
                    self.add_module(f"bn{stage}_{i}", nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1))
                before = channels
            pooled[f"pool{stage}"] = channels

        self.fc6 = nn.Conv2d(before, head, 7, padding=0 if self.paper else 3)
        self.fc7 = nn.Conv2d(head, head, 1)
        self.dropout = nn.Dropout(dropout)
        self.score_fr = nn.Conv2d(head, classes, 1)
        for name, _ in SKIPS[arch]:
            self.add_module(f"score_{name}", nn.Conv2d(pooled[name], classes, 1))
        for name, stride in UPSAMPLING[arch]:
            up = nn.ConvTranspose2d(
                classes,
                classes,
                2 * stride,
                stride,
                padding=0 if self.paper else stride // 2,
                groups=classes if upsample == "depthwise" else 1,
                bias=False,
            )
            up.weight.requires_grad_(upsample != "bilinear")
            self.add_module(name, up)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He's initialisation, biases and score layers at zero, upsampling bilinear."""
        for name, module in self.named_modules():
            if isinstance(module, nn.ConvTranspose2d):
                bilinear_(module.weight)
            elif isinstance(module, nn.Conv2d):
                if name.startswith("score_"):
                    nn.init.zeros_(module.weight)
                else:
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """[N,3,H,W], normalised -> logits [N,C,H,W]."""
        height, width = images.shape[2:]
        if not self.paper:
            images = F.pad(images, (0, -width % 32, 0, -height % 32))
        pools = self.encode(images)
        x = self.dropout(F.relu(self.fc6(pools["pool5"])))
        x = self.dropout(F.relu(self.fc7(x)))
        x = self.score_fr(x)

        *coarse, (last, _) = UPSAMPLING[self.arch]
        for (name, _), (pool, scale) in zip(coarse, SKIPS[self.arch]):
            x = getattr(self, name)(x)
            skip = pools[pool] * scale if self.at_once else pools[pool]
            skip = getattr(self, f"score_{pool}")(skip)
            x = x + crop(skip, SKIP_CROP[pool] if self.paper else 0, *x.shape[2:])
        x = getattr(self, last)(x)
        return crop(x, OUTPUT_CROP[self.arch] if self.paper else 0, height, width)

    def encode(self, x: Tensor) -> dict[str, Tensor]:
        """[N,3,H,W] -> pool1 to pool5, [N,channels,h,w]."""
        pools = {}
        for stage, depth in enumerate(self.depths, 1):
            for i in range(1, depth + 1):
                x = getattr(self, f"conv{stage}_{i}")(x)
                if self.batch_norm:
                    x = getattr(self, f"bn{stage}_{i}")(x)
                x = F.relu(x, inplace=True)
            x = F.max_pool2d(x, 2, 2, ceil_mode=self.paper)
            pools[f"pool{stage}"] = x
        return pools


def crop(x: Tensor, offset: int, height: int, width: int) -> Tensor:
    """[N,C,h,w] -> [N,C,height,width], from row and column offset on."""
    return x[:, :, offset : offset + height, offset : offset + width]


@torch.no_grad()
def bilinear_(kernel: Tensor) -> None:
    """Fill [C,C,k,k] (diagonal) or [C,1,k,k] with bilinear interpolation by k/2; k is even."""
    classes, per_group, size, _ = kernel.shape
    factor = size // 2
    row = 1 - (torch.arange(size, dtype=torch.float64) - (factor - 0.5)).abs() / factor
    kernel.zero_()
    for c in range(classes):
        kernel[c, c if per_group > 1 else 0] = torch.outer(row, row).to(kernel)


def cross_entropy(logits: Tensor, labels: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Logits [N,C,H,W] and labels [N,H,W], uint8 or long, 255 where nothing is known -> the loss."""
    return F.cross_entropy(logits, labels.long(), weight=weight, ignore_index=255, reduction=reduction)


def parameter_groups(model: FCN, lr: float, weight_decay: float, bias_lr: float) -> list[dict]:
    """Groups for a torch optimiser: kernels decay; biases do not, at bias_lr times the rate.

    Batch norm does not decay either, and its shift counts as a bias.
    Frozen parameters are left out.
    """
    kernels, gains, biases = [], [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if name.endswith(".bias"):
            biases.append(p)
        elif name.startswith("bn"):
            gains.append(p)
        else:
            kernels.append(p)
    groups = [
        {"params": kernels, "lr": lr, "weight_decay": weight_decay},
        {"params": gains, "lr": lr, "weight_decay": 0.0},
        {"params": biases, "lr": lr * bias_lr, "weight_decay": 0.0},
    ]
    return [g for g in groups if g["params"]]
