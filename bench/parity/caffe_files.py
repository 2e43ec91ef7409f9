"""Write the files that checkpoints/weights/caffe is tested with, from Caffe's own proto.

    git clone --depth 1 https://github.com/BVLC/caffe
    pip install grpcio-tools numpy safetensors
    python caffe_files.py --proto caffe/src/caffe/proto/caffe.proto --out checkpoints/weights/caffe/testdata
    python caffe_files.py --proto caffe/src/caffe/proto/caffe.proto --big DIR

X.caffemodel has the layers of the net that it is named after, with few channels, and
X.safetensors what the reader must find in it: the tensors, and in the metadata
"expected", which is JSON of the layers' "types" and the "mean" (values and scale, or
null). v1_types.json has the numbers of all types of V1 layers. --big writes
vgg16.caffemodel (528 MB) and vgg16_unpacked.caffemodel (660 MB) with VGG-16's sizes, to
measure the reader with. Made with the proto of BVLC/caffe at 9b891540, grpcio-tools
1.85.1, protobuf 7.36.2 and numpy 2.4.6; the same versions write the same bytes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
from safetensors.numpy import save_file

STAGES = [2, 2, 3, 3, 3]
PAPER_MEAN = "(104.00699, 116.66877, 122.67892)"


def load(proto: Path, packed: bool = True):
    """The messages of caffe.proto; without packed as files have them that a program wrote which does not pack."""
    with tempfile.TemporaryDirectory() as d:
        out = Path(d) / "caffe.pb"
        if protoc.main(["protoc", f"-I{proto.parent}", f"--descriptor_set_out={out}", str(proto)]) != 0:
            sys.exit(f"protoc cannot read {proto}")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        if not packed:
            for message in file.message_type:
                if message.name in ("BlobProto", "BlobShape"):
                    for field in message.field:
                        field.options.ClearField("packed")
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe." + name))


class Net:
    """A NetParameter and what is to be found in it."""

    def __init__(self, message, name: str, rng: np.random.Generator, v1: bool = False, double: bool = False):
        self.proto = message("NetParameter")(name=name)
        self.rng, self.v1, self.double = rng, v1, double
        self.tensors, self.types, self.mean = {}, {}, None

    def layer(self, name: str, kind: str, *shapes: tuple[int, ...], constant: float | None = None, **fields):
        """Adds a layer with random blobs, or ones of a constant. V1 files have the shape in four numbers, padded in front."""
        layer = self.proto.layers.add(name=name) if self.v1 else self.proto.layer.add(name=name)
        v1_types = {"InnerProduct": "INNER_PRODUCT", "ReLU": "RELU"}
        layer.type = layer.LayerType.Value(v1_types.get(kind, kind.upper())) if self.v1 else kind
        for key, value in fields.items():
            getattr(layer, key).MergeFrom(type(getattr(layer, key))(**value))
        if not self.v1:
            layer.phase = 0
        for i, shape in enumerate(shapes):
            blob = layer.blobs.add()
            if self.v1:
                shape = (1,) * (4 - len(shape)) + shape
                blob.num, blob.channels, blob.height, blob.width = shape
            else:
                blob.shape.dim.extend(shape)
            values = self.rng.standard_normal(shape, np.float64 if self.double else np.float32)
            if constant is not None:
                values[...] = constant
            (blob.double_data if self.double else blob.data).extend(values.ravel())
            self.tensors[f"{name}/{i}"] = values
        self.types.setdefault(name, kind)
        return layer

    def vgg(self, width: int) -> int:
        """The 13 convolutions with their ReLUs and pools; returns the channels of the last."""
        channels = 3
        for stage, n in enumerate(STAGES, 1):
            for i in range(1, n + 1):
                out = width * min(2 ** (stage - 1), 8)
                pad = 1 if self.v1 or out != width or i > 1 else 100  # the paper's conv1_1
                param = {"num_output": out, "kernel_size": [3], "pad": [pad]}
                self.layer(f"conv{stage}_{i}", "Convolution", (out, channels, 3, 3), (out,), convolution_param=param)
                self.layer(f"relu{stage}_{i}", "ReLU")
                channels = out
            self.layer(f"pool{stage}", "Pooling", pooling_param={"kernel_size": 2, "stride": 2})
        return channels

    def write(self, path: Path, serialized: bytes | None = None) -> None:
        path.with_suffix(".caffemodel").write_bytes(serialized or self.proto.SerializeToString())
        expected = json.dumps({"types": self.types, "mean": self.mean})
        save_file(self.tensors, path.with_suffix(".safetensors"), {"expected": expected})
        path.with_suffix(".safetensors").chmod(0o644)


def vgg16(message, rng, width: int, head: int, classes: int, side: int) -> Net:
    """The original of 2014: V1 layers, four numbers for every shape, classifier of InnerProduct."""
    net = Net(message, "VGG_ILSVRC_16_layers", rng, v1=True)
    net.proto.input.append("data")
    net.proto.input_dim.extend([10, 3, 224, 224])
    net.layer("data", "Data", transform_param={"mirror": True, "crop_size": 224, "mean_value": [103.939, 116.779, 123.68]})
    net.mean = {"values": [103.939, 116.779, 123.68], "scale": 1}
    channels = net.vgg(width)
    size = channels * side * side
    for name, out, into in [("fc6", head, size), ("fc7", head, head), ("fc8", classes, head)]:
        net.layer(name, "InnerProduct", (out, into), (out,), inner_product_param={"num_output": out})
        if name != "fc8":
            net.layer("relu" + name[2:], "ReLU")
            net.layer("drop" + name[2:], "Dropout", dropout_param={"dropout_ratio": 0.5})
    net.layer("prob", "Softmax")
    return net


def fcn8s(message, rng, at_once: bool, classes: int = 3) -> Net:
    """The paper's: fc6 and fc7 as convolutions, scores, upsampling without bias."""
    net = Net(message, "", rng)
    if at_once:
        fields = {"scale": 0.5, "mean_value": [104.00699, 116.66877, 122.67892]}
        net.layer("data", "Data", transform_param=fields)
        net.mean = {"values": fields["mean_value"], "scale": 0.5}
    else:
        param = f"{{'sbdd_dir': '../data/sbdd/dataset', 'seed': 1337, 'split': 'train', 'mean': {PAPER_MEAN}}}"
        net.layer("data", "Python", python_param={"module": "voc_layers", "layer": "SBDDSegDataLayer", "param_str": param})
        net.mean = {"values": [104.00699, 116.66877, 122.67892], "scale": 1}
    channels = net.vgg(1)
    net.layer("fc6", "Convolution", (4, channels, 7, 7), (4,))
    net.layer("fc7", "Convolution", (4, 4, 1, 1), (4,))
    net.layer("score_fr", "Convolution", (classes, 4, 1, 1), (classes,))
    net.layer("upscore2", "Deconvolution", (classes, classes, 4, 4))
    for pool, channels, up, kernel in [("pool4", 8, "upscore_pool4", 4), ("pool3", 4, "upscore8", 16)]:
        if at_once:
            constant = {"pool4": 0.01, "pool3": 0.0001}[pool]
            layer = net.layer("scale_" + pool, "Scale", (channels,), constant=constant, scale_param={"axis": 1})
            layer.param.add(lr_mult=0)
        net.layer("score_" + pool, "Convolution", (classes, channels, 1, 1), (classes,))
        net.layer("fuse_" + pool, "Eltwise")
        net.layer(up, "Deconvolution", (classes, classes, kernel, kernel))
    net.layer("loss", "SoftmaxWithLoss", loss_param={"normalize": False, "ignore_label": 255})
    return net


def tiny(message, rng, double: bool = False) -> Net:
    """A layer of each kind that has other blobs than weights and bias, small enough to cut at every byte."""
    net = Net(message, "tiny", rng, double=double)
    net.layer("conv1_1", "Convolution", (2, 3, 1, 1), (2,))
    net.layer("bn1_1", "BatchNorm", (2,), (2,), (1,))
    net.layer("scale1_1", "Scale", (2,), (2,))
    net.layer("scalar", "Scale", ())
    return net


def mean_image(message, rng, double: bool = False) -> tuple[bytes, list[float]]:
    values = (rng.integers(0, 256, (3, 4, 5)) + np.array([0.25, 0.5, 0.75])[:, None, None]).astype(np.float32)
    blob = message("BlobProto")()
    if double:
        blob.shape.dim.extend(values.shape)
        blob.double_data.extend(values.ravel().astype(np.float64))
    else:
        blob.num, (blob.channels, blob.height, blob.width) = 1, values.shape
        blob.data.extend(values.ravel())
    return blob.SerializeToString(), [float(v) for v in values.astype(np.float64).mean((1, 2))]


def write(proto: Path, out: Path) -> None:
    packed, unpacked = load(proto), load(proto, packed=False)
    rng = np.random.default_rng(1)
    vgg16(packed, rng, width=1, head=4, classes=5, side=7).write(out / "vgg16_v1")
    fcn8s(packed, rng, at_once=False).write(out / "fcn8s_v2")
    fcn8s(packed, rng, at_once=True).write(out / "fcn8s_atonce_v2")
    tiny(packed, rng).write(out / "tiny")
    tiny(packed, rng, double=True).write(out / "tiny_double")
    vgg16(unpacked, rng, width=1, head=4, classes=5, side=7).write(out / "vgg16_unpacked")
    tiny(unpacked, rng).write(out / "tiny_unpacked")
    # A snapshot of a solver has the differences, too, and more layers may follow in pieces:
    # two messages of the same kind, one after the other, are one.
    half = tiny(packed, rng)
    for layer in half.proto.layer:
        for blob in layer.blobs:
            blob.diff.extend(blob.data)
    a, b = packed("NetParameter")(), packed("NetParameter")()
    a.layer.extend(half.proto.layer[:1])
    b.layer.extend(half.proto.layer[1:])
    half.write(out / "tiny_diff", a.SerializeToString() + b.SerializeToString())
    means = {}
    for name, double in [("mean", False), ("mean_double", True)]:
        serialized, means[name] = mean_image(packed, rng, double)
        (out / f"{name}.binaryproto").write_bytes(serialized)
    v1_types = packed("V1LayerParameter").LayerType.items()
    (out / "v1_types.json").write_text(json.dumps(dict(v1_types), indent=1) + "\n")
    (out / "means.json").write_text(json.dumps(means, indent=1) + "\n")


def write_big(proto: Path, out: Path) -> None:
    for name, packed in [("vgg16", True), ("vgg16_unpacked", False)]:
        net = vgg16(load(proto, packed), np.random.default_rng(1), width=64, head=4096, classes=1000, side=7)
        (out / f"{name}.caffemodel").write_bytes(net.proto.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proto", type=Path, required=True, help="Caffe's caffe.proto")
    parser.add_argument("--out", type=Path, help="where the small files go")
    parser.add_argument("--big", type=Path, help="where the large files go")
    args = parser.parse_args()
    if not (args.out or args.big):
        parser.error("--out or --big is needed")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        write(args.proto, args.out)
    if args.big:
        write_big(args.proto, args.big)


if __name__ == "__main__":
    main()
