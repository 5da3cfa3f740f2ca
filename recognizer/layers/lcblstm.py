"""Frames -> what one net makes of them forwards and another one backwards from not far ahead: a layer that can stream.

Zhang et al. 2016, "Highway long short-term memory RNNs for distant speech recognition", section 4, where it is called
latency-controlled; Xue & Yan 2017, "Improving latency-controlled BLSTM acoustic models for online speech recognition".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recognizer.layers.base import State, Streaming
from recognizer.layers.bidirectional import Bidirectional


class LatencyControlled(Bidirectional, Streaming):
    """A bidirectional layer whose backward net begins anew for each chunk, a look-ahead behind the chunk's end.

    The forward net goes through all frames as ever. The weights are those of `Bidirectional`, so that either opens in
    the other, and where one chunk holds all frames the answer is the same.

    Args:
        cell: as in `Bidirectional`; called with the state of an earlier call, it goes on from there, as torch.nn.LSTM.
        inputs: D, features of a frame.
        width: units of each direction.
        projection: features after a linear map of both directions' outputs; 0 leaves 2 * width.
        norm: layer normalisation of the input.
        dropout: share of outputs set to zero while training.
        chunk: frames of a chunk, those of the layer: after the stem. The first frame of a chunk waits for its last.
        ahead: frames of the look-ahead. Several layers add theirs up, and each waits for chunks to be whole: the least
            is waited for where this is a multiple of `chunk`.
    """

    def __init__(
        self,
        cell: Callable[[int, int], nn.Module],
        inputs: int,
        width: int,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.0,
        chunk: int = 16,
        ahead: int = 16,
    ) -> None:
        super().__init__(cell, inputs, width, projection, norm, dropout)
        if chunk < 1 or ahead < 0:
            raise ValueError("chunk is at least 1, ahead at least 0")
        self.period = self.chunk = chunk
        self.sight = ahead

    def backwards(self, frames: Tensor, lengths: Tensor) -> Tensor:
        return self._chunks(frames, lengths, frames.shape[1])

    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        held, *carried = state or (frames[:, :0],)
        held = torch.cat([held, self.norm(frames)], 1)
        rows, longest, _ = held.shape
        ready = longest if last else max(0, longest - self.sight) // self.chunk * self.chunk
        if not ready:
            return frames.new_zeros(rows, 0, self.size), (held, *carried)
        back = self._chunks(held, torch.full((rows,), longest, device=held.device), ready)
        ahead, carried = self.ahead(held[:, :ready], tuple(carried) or None)
        return self.projection(torch.cat([ahead, back], -1)), (held[:, ready:], *carried)

    def reach(self, t: int) -> int:
        return (t // self.chunk + 1) * self.chunk - 1 + self.sight

    def _chunks(self, frames: Tensor, lengths: Tensor, ready: int) -> Tensor:
        """The backward net's outputs for the first `ready` frames: all chunks at once, each a row of its own."""
        rows, longest, features = frames.shape
        count = -(-ready // self.chunk)
        window = min(self.chunk + self.sight, longest)
        missing = max(0, (count - 1) * self.chunk + window - longest)
        folded = nn.functional.pad(frames, (0, 0, 0, missing)).unfold(1, window, self.chunk)[:, :count]
        starts = torch.arange(count, device=frames.device) * self.chunk
        ends = (lengths[:, None] - starts).clamp(0, window).flatten()
        outputs = super().backwards(folded.transpose(2, 3).reshape(-1, window, features), ends)
        return outputs[:, : self.chunk].reshape(rows, -1, outputs.shape[2])[:, :ready]
