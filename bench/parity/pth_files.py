"""Write the files that checkpoints/weights/pth is tested with, and the values they hold.

    python pth_files.py --out checkpoints/weights/pth/testdata

Each NAME.pth is a file that torch.save wrote (two are put together by hand, as
versions of torch that no longer run here wrote them, and read back by torch.load);
NAME.safetensors has the tensors that a reader has to find in it, as torch.load gives
them. What comes after the first hyphen says how it was written, and all of the
same name hold the same. refused-NAME.pth are what torch.save writes and no state dict is. torch puts a random serialization id and addresses of
memory into its files, so that two runs differ in those bytes and in nothing that a
reader sees. large.pth, 528 MB, is written on request only:

    python pth_files.py --large /tmp/large.pth
"""

import argparse
import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

VGG11 = [1, "M", 2, "M", 2, 2, "M", 2, 2, "M", 2, 2, "M"]


def vgg(batch_norm: bool) -> nn.Module:
    """torchvision's VGG-11 with its names, and one or two channels instead of 64 to 512."""
    layers, inputs = [], 3
    for v in VGG11:
        if v == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(inputs, v, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(v))
        layers.append(nn.ReLU())
        inputs = v
    net = nn.Module()
    net.features = nn.Sequential(*layers)
    net.classifier = nn.Sequential(
        nn.Linear(2 * 7 * 7, 2), nn.ReLU(), nn.Dropout(), nn.Linear(2, 2), nn.ReLU(), nn.Dropout(), nn.Linear(2, 3)
    )
    for i, m in enumerate(net.modules()):
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
            m.num_batches_tracked += 1000 + i
    return net


def dtypes() -> dict[str, Tensor]:
    """Every dtype that is read, with its extremes."""
    floats = torch.tensor([0.0, -0.0, 1.5, -3.25, 1e30, 1e-30, float("inf"), float("nan")], dtype=torch.float64)
    state = {}
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        state[str(dtype).removeprefix("torch.")] = floats.to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64):
        info = torch.iinfo(dtype)
        state[str(dtype).removeprefix("torch.")] = torch.tensor([info.min, 0, 1, info.max], dtype=dtype)
    state["bool"] = torch.tensor([True, False, True])
    state["complex64"] = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex64)
    state["counter"] = torch.tensor(123456789012345)
    state["empty"] = torch.empty(0)
    state["none of three"] = torch.empty(3, 0, 2)
    return state


def views() -> dict[str, Tensor]:
    """Tensors that are not the whole of their storages in its order."""
    x = torch.arange(24.0).reshape(4, 6)
    kernel = torch.randn(2, 3, 3, 5)
    shared = torch.randn(7)
    parameter = nn.Parameter(torch.randn(2, 2))
    marked = nn.Parameter(torch.randn(3))
    marked.note = "of mine"
    attributed = torch.randn(3)
    attributed.note = "of mine"
    return {
        "whole": x,
        "transposed": x.t(),
        "rows": x[1:3],
        "columns": x[:, 2:5],
        "every other": x[::2, 1::3],
        "column": x[:, 4],
        "element": x[2, 3],
        "expanded": x[1, :2].unsqueeze(1).expand(2, 3),
        "channels last": kernel.contiguous(memory_format=torch.channels_last),
        "permuted": kernel.permute(2, 3, 1, 0),
        "ones in between": x.t().unsqueeze(1).unsqueeze(3),
        "shared": shared,
        "shared too": shared,
        "shared in part": shared[2:5],
        "strided": torch.as_strided(shared, (3, 3), (1, 2)),
        "half of them": torch.arange(6, dtype=torch.float16).reshape(2, 3).t(),
        "int16 of them": torch.arange(6, dtype=torch.int16)[1::2],
        "uint16 of them": torch.arange(6, dtype=torch.int32).to(torch.uint16)[1::2],
        "parameter": parameter,
        "marked parameter": marked,
        "attributed": attributed,
    }


def checkpoint() -> dict[str, object]:
    """What training scripts put beside a state dict, DataParallel's prefix included."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 1, 2, 2)).sum().backward()
    optimizer.step()
    return {
        "epoch": 12,
        "loss": torch.tensor(0.25),
        "best": np.float64(0.5),
        "seen": np.int64(1 << 40),
        "history": np.arange(4.0),
        "args": argparse.Namespace(lr=0.1, out=Path("runs/1")),
        "classes": ("a", "b", None, True, 2**70, -5, 1e300, 1j, b"bytes", bytearray(b"more"), {1, 2}, frozenset("x"), "ä" * 300),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
        "sparse": torch.eye(2).to_sparse(),
        "optimizer": optimizer.state_dict(),
        "state_dict": nn.DataParallel(net).state_dict(),
    }


def pytorch_fcn() -> dict[str, object]:
    """The checkpoint of github.com/wkentaro/pytorch-fcn."""
    net = nn.Module()
    net.conv1_1 = nn.Conv2d(3, 1, 3, padding=100)
    net.score_fr = nn.Conv2d(1, 2, 1)
    net.upscore = nn.ConvTranspose2d(2, 2, 4, stride=2, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-10, momentum=0.99)
    return {
        "epoch": 3,
        "iteration": 12000,
        "arch": "FCN32s",
        "optim_state_dict": optimizer.state_dict(),
        "model_state_dict": net.state_dict(),
        "best_mean_iu": np.float64(0.63),
    }


class Python2:
    """The opcodes that cPickle of Python 2 wrote, as far as torch 0.1 to 0.3 needed them."""

    def __init__(self) -> None:
        self.out = b"\x80\x02"
        self.memo = 0

    def op(self, b: bytes) -> "Python2":
        self.out += b
        return self

    def put(self) -> "Python2":
        self.memo += 1  # it counts from 1
        return self.op(b"q" + bytes([self.memo]))

    def str(self, s: str) -> "Python2":
        return self.op(b"U" + bytes([len(s)]) + s.encode()).put()

    def long(self, n: int) -> "Python2":
        b = n.to_bytes((n.bit_length() + 8) // 8, "little", signed=True) if n else b""
        return self.op(b"\x8a" + bytes([len(b)]) + b)

    def name(self, module: str, name: str) -> "Python2":
        return self.op(f"c{module}\n{name}\n".encode()).put()


def python2(state: dict[str, Tensor]) -> bytes:
    """A state dict as torch 0.1 wrote it under Python 2: _rebuild_tensor, byte strings, longs, and an
    OrderedDict of a list of lists. Storages are views of one."""
    out = b"".join(
        pickle.dumps(v, protocol=2)
        for v in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}})
    )
    total = sum(t.numel() for t in state.values())
    p = Python2().name("collections", "OrderedDict").op(b"(](")
    first = 0
    for i, (name, t) in enumerate(state.items()):
        p.op(b"](").str(name)
        p.name("torch._utils", "_rebuild_tensor").op(b"((").str("storage").name("torch", "FloatStorage").str("1234")
        p.str("cuda:0").long(total).op(b"(").str(f"view{i}").long(first).long(t.numel()).op(b"ttQ").long(0)
        for numbers in (t.shape, t.stride()):
            p.op(b"(")
            for n in numbers:
                p.long(n)
            p.op(b"t")
        p.op(b"tRe")
        first += t.numel()
    p.op(b"etR.")
    out += p.out + pickle.dumps(["1234"], protocol=2) + struct.pack("<q", total)
    return out + b"".join(t.contiguous().numpy().tobytes() for t in state.values())


def refused() -> dict[str, object]:
    """What torch.save writes and no state dict is."""
    return {
        "module": nn.Sequential(nn.Linear(1, 1)),
        "tensor": torch.ones(2),
        "list": [torch.ones(2)],
        "numbers": {"epoch": 3},
        "two": {"generator": {"w": torch.ones(1)}, "discriminator": {"w": torch.ones(1)}},
        "sparse": {"w": torch.eye(2).to_sparse()},
        "conjugated": {"w": torch.ones(2, dtype=torch.complex64).conj()},
        "complex128": {"w": torch.ones(2, dtype=torch.complex128)},
        "meta": {"w": torch.empty(2, device="meta")},
    }


def written(obj: object, **kwargs: object) -> bytes:
    f = io.BytesIO()
    torch.save(obj, f, **kwargs)
    return f.getvalue()


def expect(out: Path, name: str, state: dict[str, Tensor]) -> None:
    save_file({k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in state.items()}, out / f"{name}.safetensors")


def big_endian() -> bytes:
    """A zip file as a big-endian machine would begin it; its numbers do not matter."""
    source = zipfile.ZipFile(io.BytesIO(written({"w": torch.ones(1)})))
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w") as z:
        for info in source.infolist():
            data = b"big" if info.filename == "archive/byteorder" else source.read(info)
            z.writestr(zipfile.ZipInfo(info.filename), data)
    return f.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--large", type=Path, help="write torchvision's own VGG-16 with random weights, and its older kind beside it")
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.large:
        import torchvision

        state = torchvision.models.vgg16(weights=None).state_dict()
        torch.save(state, args.large)
        torch.save(state, args.large.with_suffix(".legacy.pth"), _use_new_zipfile_serialization=False)
    if not args.out:
        return
    args.out.mkdir(parents=True, exist_ok=True)

    save = {
        "zip": {},
        "legacy": {"_use_new_zipfile_serialization": False},
        "protocol4": {"pickle_protocol": 4},
        "protocol4-legacy": {"pickle_protocol": 4, "_use_new_zipfile_serialization": False},
    }
    cases = {
        "vgg11": (vgg(False).state_dict(), None, ("zip", "legacy")),
        "vgg11_bn": (vgg(True).state_dict(), None, ("zip", "legacy")),
        "dtypes": (dtypes(), None, ("zip", "legacy")),
        "views": (views(), None, ("zip", "legacy")),
        "checkpoint": (checkpoint(), "state_dict", ("zip", "legacy", "protocol4", "protocol4-legacy")),
        "pytorch_fcn": (pytorch_fcn(), "model_state_dict", ("zip", "legacy")),
    }
    for name, (obj, entry, kinds) in cases.items():
        for kind in kinds:
            (args.out / f"{name}-{kind}.pth").write_bytes(written(obj, **save[kind]))
        expect(args.out, name, obj[entry] if entry else obj)

    old = OrderedDict([("conv1_1.weight", torch.randn(2, 3, 3, 3)), ("conv1_1.bias", torch.randn(2)), ("t", torch.randn(2, 300).t())])
    # The numbers of a transposed tensor are in its storage as they were before.
    data = python2(OrderedDict((k, v.t().contiguous().t() if k == "t" else v) for k, v in old.items()))
    data = data[: -4 * 600] + old["t"].t().contiguous().numpy().tobytes()
    loaded = torch.load(io.BytesIO(data), map_location="cpu", encoding="ascii", weights_only=False)
    assert all(torch.equal(loaded[k], v) for k, v in old.items()), "torch reads something else"
    (args.out / "python2-legacy.pth").write_bytes(data)
    expect(args.out, "python2", old)

    torch.serialization.set_crc32_options(False)
    (args.out / "pytorch_fcn-nosums.pth").write_bytes(written(cases["pytorch_fcn"][0]))
    torch.serialization.set_crc32_options(True)

    for name, obj in refused().items():
        (args.out / f"refused-{name}.pth").write_bytes(written(obj))
    (args.out / "refused-big-endian.pth").write_bytes(big_endian())
    script = torch.jit.script(nn.Linear(1, 1))
    f = io.BytesIO()
    torch.jit.save(script, f)
    (args.out / "refused-script.pth").write_bytes(f.getvalue())


if __name__ == "__main__":
    main()
