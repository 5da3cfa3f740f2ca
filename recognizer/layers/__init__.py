"""The network's parts by name: stems shorten time, layers remember; a cell is one direction of a layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from recognizer.layers.base import Layer, Streaming
from recognizer.layers.bidirectional import Bidirectional
from recognizer.layers.cell import HOLLOW
from recognizer.layers.conv1d import Conv1d
from recognizer.layers.conv2d import Conv2d
from recognizer.layers.fast import FastLSTM
from recognizer.layers.gru import GRU
from recognizer.layers.lcblstm import LatencyControlled
from recognizer.layers.lookahead import Lookahead
from recognizer.layers.lstm import LSTM97, Forget, Peephole
from recognizer.layers.rnn import RNN
from recognizer.layers.stack import Stack

STEMS: dict[str, type[Layer]] = {"conv1d": Conv1d, "conv2d": Conv2d, "stack": Stack}
CELLS: dict[str, Callable[[int, int], nn.Module]] = {
    "blstm": FastLSTM,
    "lstm97": LSTM97,
    "truncated": partial(LSTM97, truncate=True),
    "forget": Forget,
    "peephole": Peephole,
    "rnn": RNN,
    "gru": GRU,
}
SIBLINGS: dict[str, Callable[..., Streaming]] = {
    "lcblstm": partial(LatencyControlled, FastLSTM),
    "lookahead": partial(Lookahead, FastLSTM),
}
"""The layers that can stream."""
LAYERS: dict[str, Callable[..., Layer]] = {
    **{name: partial(Bidirectional, cell) for name, cell in CELLS.items()},
    **SIBLINGS,
}

__all__ = ["CELLS", "HOLLOW", "LAYERS", "SIBLINGS", "STEMS", "Layer", "Streaming"]
