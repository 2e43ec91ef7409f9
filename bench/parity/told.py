"""What fcnx is told of weights that say nothing of themselves."""

import json

# In the order of the channels: torchvision's, and that of the authors' nets.
RGB = {"order": "rgb", "scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
BGR = {"order": "bgr", "scale": 1.0, "mean": [104.00699, 116.66877, 122.67892], "std": [1.0, 1.0, 1.0]}


def flags(net, classes: int, width: int, head: int, preprocess: dict) -> list[str]:
    """net has arch, encoder, geometry, upsample and at_once."""
    sets = {"width": width, "head": head, "upsample": net.upsample, "at_once": str(net.at_once).lower()}
    told = ["--model", net.arch, "--encoder", net.encoder, "--classes", str(classes), "--geometry", net.geometry]
    for key, value in sets.items():
        told += ["--set", f"model.{key}={value}"]
    for key, value in preprocess.items():
        told += ["--set", f"preprocess.{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return told
