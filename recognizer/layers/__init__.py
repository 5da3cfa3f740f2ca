"""The network's parts by name: stems shorten time, layers remember."""

from __future__ import annotations

from recognizer.layers.base import Layer
from recognizer.layers.blstm import BLSTM
from recognizer.layers.conv1d import Conv1d
from recognizer.layers.conv2d import Conv2d
from recognizer.layers.stack import Stack

STEMS: dict[str, type[Layer]] = {"conv1d": Conv1d, "conv2d": Conv2d, "stack": Stack}
LAYERS: dict[str, type[Layer]] = {"blstm": BLSTM}

__all__ = ["LAYERS", "STEMS", "Layer"]
