"""Writes reference.safetensors by the reference implementation of the format.

    pip install torch safetensors
    python make_fixture.py

Made with torch 2.15.0 and safetensors 0.8.0.
"""

import pathlib

import torch
from safetensors.torch import save_file

save_file(
    {
        "f32": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "f16": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "i64": torch.tensor(-7),
        "u8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 5),
    },
    pathlib.Path(__file__).with_name("reference.safetensors"),
    metadata={"format": "pt", "made by": "make_fixture.py"},
)
