"""Frames -> outputs of the LSTM with forget gates, all frames in one call of oneDNN or cuDNN."""

from __future__ import annotations

from torch import nn

from recognizer.layers.cell import HOLLOW, initialise


class FastLSTM(nn.LSTM):
    """`Forget` as torch.nn.LSTM computes it, several times faster; it begins in the same way.

    Args:
        inputs: D, features of a frame.
        width: units.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, batch_first=True)
        initialise(self, width, opened=1)

    def reset_parameters(self) -> None:
        """What torch draws first; a seed gives the same weights with it."""
        if not HOLLOW.get():
            super().reset_parameters()
