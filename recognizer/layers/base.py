"""The contract of every stem and layer: (frames [B, T, D], lengths [B]) -> (frames [B, T', D'], lengths [B]).

B batch, T frames, D features. The law that all of them keep: what stands behind a row's length never reaches what
stands before it, and comes out as zeros.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizer.lengths import inside

State = tuple[Tensor, ...]
"""What a layer keeps of the frames so far, each [B, ...]; () before the first."""


class Layer(nn.Module, abc.ABC):
    """A stem or a layer.

    Attributes:
        size: D', the number of features it gives out.
        reduction: how many frames become one; layers leave it at 1.
    """

    size: int
    reduction: int = 1

    @abc.abstractmethod
    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D], [B] -> [B, T', D'], [B]; T' = ceil(T / reduction) for stems, T for layers."""


class Streaming(Layer):
    """A stem or a layer that can answer before the end: fed bit by bit, it gives what `forward` gives of the whole.

    Attributes:
        period: after so many output frames, what they wait for repeats.
    """

    period: int = 1

    @abc.abstractmethod
    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        """The next frames [B, N, D] of B streams in step, N >= 0 -> the output frames [B, M, D'] now final, new state.

        It is for use, not for training: there is no dropout. The state handed in stays as it was.

        Args:
            state: as the last call gave it; () begins.
            last: no frames follow, so that what is still held back is final, too.
        """

    @abc.abstractmethod
    def reach(self, t: int) -> int:
        """The frame after which output frame t is given, both counted from 0; no later frame changes it."""


def silence(frames: Tensor, lengths: Tensor) -> Tensor:
    """The frames [B, T, ...] with zeros behind each row's end; NaN there is silenced, too."""
    keep = inside(lengths, frames.shape[1]).view(*frames.shape[:2], *([1] * (frames.dim() - 2)))
    return frames.masked_fill(~keep, 0.0)


def reverse(frames: Tensor, lengths: Tensor) -> Tensor:
    """Each row [T, D] read backwards within its own length; what stands behind it stays where it is."""
    places = torch.arange(frames.shape[1], device=frames.device)[None]
    mirrored = lengths[:, None] - 1 - places
    order = torch.where(mirrored >= 0, mirrored, places)
    return frames.gather(1, order[:, :, None].expand_as(frames))


def slide(held: Tensor, frames: Tensor, kernel: int, stride: int, end: int | None) -> tuple[Tensor, Tensor]:
    """Where a kernel can slide now, and what to hold for the next time: [B, N, ...], [B, M, ...] -> two of their kind.

    Args:
        held: frames that were held back; at first as many zeros as the kernel is to begin before frame 0.
        frames: those that follow.
        kernel: frames that one step sees; the first part returned has none, if it cannot take a single step.
        stride: frames from one step to the next.
        end: zeros to lay behind the last frame; None if it has not come yet.
    """
    frames = torch.cat([held, frames, frames.new_zeros(len(frames), end or 0, *frames.shape[2:])], 1)
    # A stride longer than the kernel would pass over frames that have not come, so it waits for them, unless none will.
    needed = max(kernel, stride) if end is None else kernel
    steps = max(0, (frames.shape[1] - needed) // stride + 1)
    return frames[:, : (steps - 1) * stride + kernel if steps else 0], frames[:, steps * stride :]


def fit(channels: Sequence[int], strides: Sequence[int], kernel: int) -> None:
    """See that convolutions of so many channels, by such strides and with such a kernel, can stand in a row.

    Raises:
        ValueError: they cannot.
    """
    if not channels or len(channels) != len(strides):
        raise ValueError(f"{len(strides)} strides for {len(channels)} channels")
    if min(*channels, *strides) < 1:
        raise ValueError(f"channels {list(channels)} and strides {list(strides)} must be at least 1")
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}, and must be odd")
