"""Chance -> noise of any colour, and transforms of any length that are fast."""

from __future__ import annotations

import numpy
import torch
from numpy.typing import NDArray

Wave = NDArray[numpy.float32]


def hiss(count: int, chance: numpy.random.Generator) -> Wave:
    """Noise [count] of power 1, from bright hiss to deep rumble: a leaky sum, the deeper the longer it remembers."""
    size = smooth(count)
    kept = 1 - 10 ** chance.uniform(-2.5, 0.2)
    turn = numpy.linspace(0, numpy.pi, size // 2 + 1, dtype=numpy.float32)
    gain = (1 + kept * kept - 2 * kept * numpy.cos(turn)) ** -0.5  # of y[n] = x[n] + kept y[n - 1]
    gain *= numpy.sqrt(size * (1 - kept * kept) / 2)
    spectrum = chance.standard_normal(2 * len(turn), dtype=numpy.float32).view(numpy.complex64) * gain
    return torch.fft.irfft(torch.from_numpy(spectrum), size)[:count].numpy()


def smooth(count: int) -> int:
    """At least `count`, and of small factors, for which the Fourier transform is fast."""
    grain = 2 ** max(5, count.bit_length() - 3)
    return -(-count // grain) * grain
