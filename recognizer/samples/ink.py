"""Words in single-stroke Hershey letters -> pen strokes as many made-up hands write them.

Synthetic: for a first run and for tests only. The PyPI package `Hershey-Fonts` carries the letters, so nothing is
downloaded. A. V. Hershey's alphabets (1967) were drawn for plotters, hence as lines that a pen can follow; of the
package's fonts only two have every letter and digit in single strokes: `rowmans` (print) and `cursive` (joined).

Lengths are in Hershey units: capitals are 21 high, the base line is y = 0, y points up.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy
from HersheyFonts import HersheyFonts
from numpy.typing import NDArray
from tqdm import tqdm

from recognizer import manifest
from recognizer.manifest import Utterance
from recognizer.samples import base

Points = NDArray[numpy.float64]

COUNT = 3000
HANDS = {"train": 60, "val": 8, "test": 8}
SEED = 20_241
VERSION = 1
"""Raised whenever the same count would give other files, so that corpora made before are made again."""

_LIST = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty fifty sixty
seventy eighty ninety hundred thousand million first second third half quarter dozen double January February March April
May June July August September October November December Monday Tuesday Wednesday Thursday Friday Saturday Sunday spring
summer autumn winter day week month year hour minute morning evening night today tomorrow yesterday always never often
a able about above across after again air all almost along also among and animal answer any apple arm around ask at
away back ball bank be bear beautiful because bed before begin behind believe below best better between big bird black
blue boat body book both box boy bread bring brother brown build busy but buy by call can car carry cat catch change
child choose city clean clear climb close cold colour come cook corner could country cross cut dance dark dear deep dog
door down draw dream drink drive dry each ear early earth east easy eat egg end enough equal even every example eye face
fall family far fast father feel few field fill find fine fire fish flower fly follow food foot for forest free fresh
friend from full game garden girl give glass go gold good great green ground grow hand happy hard have head hear heart
heavy help here high hold home hope horse hot house how hundredweight ice idea if in inside island jacket job join joke
jump just keep key kind king kitchen know lake land language large last late laugh learn leave left letter life light
like line list listen little live long look love low make man many map mark market matter mean measure meet middle milk
mind money moon more mother mountain mouth move much music name near neck need new next nice noise north nose not number
ocean off old on once only open orange order other our out over own page paint paper part pass pay peace pen people
phone picture piece place plant play please point power press proud pull pure push put question queen quick quiet quite
rain reach read ready real red rest rich ride right ring river road rock room round run sad safe sail salt same sand say
school sea see seed sell send sentence shape sharp ship shoe shop short should shout show side silver sing sister sit
size skin sky sleep slow small smile snow soft some song soon sound south speak square stand star start stay step still
stone stop storm story street strong such sugar sun sure sweet swim table take talk tall teach tell thank that the then
there these thick thin thing think this through time tired together top touch town train travel tree true try turn
under until up use valley very village visit voice wait walk wall want warm wash watch water wave way wear weather
well west wet what wheel when where which white who whole why wide wife wild will wind window wing wish with woman
wonder wood word work world would write wrong xylophone yard yellow yes yet you young your zebra zone
"""
WORDS = _LIST.split()


def make(folder: Path, count: int = COUNT) -> None:
    """Write train.jsonl, val.jsonl, test.jsonl and manifests of `count` training words into `folder`.

    A line of a file is `{"text": ..., "writer": ..., "strokes": [[[x, y], ...], ...]}`, y upwards. Deterministic; a
    finished folder is kept. No hand of one part writes in another.

    Raises:
        SampleError: the folder cannot be used.
    """
    base.make(folder, f"ink {VERSION} {count}", lambda building: _fill(building, count))


def _fill(folder: Path, count: int) -> None:
    sizes = base.sizes(count)
    with tqdm(total=sum(sizes.values()), desc="making ink", unit="word", delay=1, leave=False, disable=None) as bar:
        for number, part in enumerate(base.PARTS):
            path = folder / f"{part}.jsonl"
            utterances = []
            with path.open("w", encoding="utf-8", newline="\n") as file:
                for index in range(sizes[part]):
                    chance = numpy.random.default_rng([SEED, number, index])
                    hand, text = hands(part)[index % HANDS[part]], word(chance)
                    strokes = [numpy.round(points * hand.device).astype(int) for points in write(text, hand, chance)]
                    entry = {"text": text, "writer": hand.name, "strokes": [points.tolist() for points in strokes]}
                    file.write(json.dumps(entry, separators=(",", ":")) + "\n")
                    length = float(sum(len(points) for points in strokes))
                    utterances.append(Utterance(f"{path}#{index}", text, duration=length, speaker=hand.name))
                    bar.update()
            manifest.write(folder / f"{part}.tsv", utterances)


def word(chance: numpy.random.Generator) -> str:
    """A word, as it is, with a capital, or in capitals; a number; now and then with a mark behind it."""
    kind = chance.random()
    if kind < 0.15:
        text = "".join(str(digit) for digit in chance.integers(0, 10, size=chance.integers(1, 6)))
    else:
        text = str(chance.choice(WORDS))
        text = text.capitalize() if kind < 0.35 else text.upper() if kind < 0.42 else text
    if chance.random() < 0.15:
        text += str(chance.choice(list(".,!?")))
    return text


@dataclasses.dataclass(frozen=True)
class Hand:
    """How one made-up person writes.

    Attributes:
        name: the writer's name in manifests.
        seed: of the shapes that are this person's own: every letter is bent in one way, each time a little otherwise.
        small, capital: the fonts of small letters and of capitals; digits and marks are always print.
        joined: share of the joints between letters of the joined font that are not broken.
        slant: x gained by one unit of height.
        width, space: factors of the letters' width and of what lies between words.
        turn: of the base line, in radians.
        bend: how far letters are bent from the font's, in units.
        tremor: of the pen, in units.
        smooth: how much corners are rounded, in units along the line.
        step: between neighbouring points, in units.
        device: what a unit is in the counts of the tablet.
    """

    name: str
    seed: int
    small: str
    capital: str
    joined: float
    slant: float
    width: float
    space: float
    turn: float
    bend: float
    tremor: float
    smooth: float
    step: float
    device: float


@functools.cache
def hands(part: str) -> list[Hand]:
    """The writers of one part of the corpus."""
    first = sum(HANDS[earlier] for earlier in base.PARTS[: base.PARTS.index(part)])
    return [_hand(number) for number in range(first, first + HANDS[part])]


def _hand(number: int) -> Hand:
    chance = numpy.random.default_rng([SEED, 99, number])
    small = "cursive" if number % 2 else "rowmans"
    return Hand(
        name=f"hand{number:03d}",
        seed=number,
        small=small,
        capital=small if chance.random() < 0.6 else "rowmans",
        joined=chance.uniform(0.6, 1),
        slant=chance.uniform(-0.15, 0.35) - (0.15 if small == "cursive" else 0),  # the joined font has its own
        width=chance.uniform(0.75, 1.25),
        space=chance.uniform(0.8, 1.3),
        turn=chance.normal(0, 0.03),
        bend=chance.uniform(0.4, 1.0),
        tremor=chance.uniform(0.03, 0.12),
        smooth=chance.uniform(0.4, 1.4),
        step=chance.uniform(1.0, 2.2),
        device=chance.uniform(8, 60),
    )


def write(text: str, hand: Hand, chance: numpy.random.Generator) -> list[Points]:
    """The strokes [n, 2] of `text` in one hand, in the order in which the pen draws them, in Hershey units."""
    strokes = [_even(points, hand.smooth) for points in _joined(_placed(text, hand, chance), hand, chance)]
    waves = _Waves(chance, wavelength=60, size=0.5 * hand.bend)
    turn = hand.turn + chance.normal(0, 0.01)
    matrix = numpy.array([[numpy.cos(turn), numpy.sin(turn)], [-numpy.sin(turn), numpy.cos(turn)]])
    drawn = []
    for points in strokes:
        points = points + waves(points)
        points = numpy.stack([points[:, 0] + hand.slant * points[:, 1], points[:, 1]], 1) @ matrix
        kept = _thinned(points, hand.step * chance.uniform(0.9, 1.1))
        drawn.append(kept + chance.normal(0, hand.tremor, kept.shape))
    return drawn


def _placed(text: str, hand: Hand, chance: numpy.random.Generator) -> list[list[Points]]:
    """For each letter its strokes, bent and put in its place."""
    pen, letters = 0.0, []
    for letter in text:
        if letter == " ":
            pen += 16 * hand.space * chance.uniform(0.8, 1.2)
            continue
        strokes, advance = glyph(
            hand.small if letter.islower() else hand.capital if letter.isalpha() else "rowmans", letter
        )
        own = numpy.random.default_rng([SEED, hand.seed, ord(letter)])
        width, height = hand.width * own.uniform(0.9, 1.1) * chance.uniform(0.95, 1.05), own.uniform(0.92, 1.08)
        waves, today = _Waves(own, 18, hand.bend), _Waves(chance, 25, 0.4 * hand.bend)
        placed = []
        for points in strokes:
            scaled = points * [width, height]
            placed.append(scaled + waves(scaled) + today(scaled) + [pen, 0.0])
        letters.append(placed)
        pen += advance * width + (0.0 if hand.small == "cursive" else chance.normal(0, 0.5))
    return letters


def _joined(letters: Sequence[Sequence[Points]], hand: Hand, chance: numpy.random.Generator) -> list[Points]:
    """Strokes of the whole text: a stroke that begins where an earlier one of this or the last letter ends goes on."""
    strokes: list[Points] = []
    before: list[int] = []
    for letter in letters:
        reach = before if hand.small == "cursive" and chance.random() < hand.joined else []
        before = []
        for points in letter:
            near = [at for at in [*before, *reach] if numpy.abs(strokes[at][-1] - points[0]).max() < 3.5]
            if near and hand.small == "cursive":
                strokes[near[0]] = numpy.concatenate([strokes[near[0]], points])
                before.append(near[0])
            else:
                strokes.append(points)
                before.append(len(strokes) - 1)
    return strokes


@functools.cache
def glyph(font: str, letter: str) -> tuple[list[Points], float]:
    """The strokes [n, 2] of a letter, from x = 0, and how far the next letter stands."""
    if (font, letter) == ("rowmans", "I"):  # its I is its l: no reader could tell them apart
        return [
            numpy.array(bar, dtype=float) for bar in (((6, 21), (6, 0)), ((1, 21), (11, 21)), ((1, 0), (11, 0)))
        ], 12.0
    fonts = _font(font)
    strokes = [numpy.array(stroke, dtype=float) * [1, -1] + [0, 9] for stroke in fonts.strokes_for_text(letter)]
    (shape,) = fonts.glyphs_for_text(letter)
    return strokes, float(shape.char_width)


@functools.cache
def _font(name: str) -> HersheyFonts:
    font = HersheyFonts()
    font.load_default_font(name)
    return font


class _Waves:
    """A smooth random displacement of the plane: a sum of plane waves of random direction and phase."""

    def __init__(self, chance: numpy.random.Generator, wavelength: float, size: float, count: int = 4) -> None:
        angle = chance.uniform(0, 2 * numpy.pi, count)
        number = 2 * numpy.pi / (wavelength * chance.uniform(0.8, 2, count))
        self.vectors = numpy.stack([number * numpy.cos(angle), number * numpy.sin(angle)])
        self.phases = chance.uniform(0, 2 * numpy.pi, count)
        self.sizes = chance.normal(0, size / count**0.5, (count, 2))

    def __call__(self, points: Points) -> Points:
        moved: Points = numpy.sin(points @ self.vectors + self.phases) @ self.sizes
        return moved


def _even(points: Points, smooth: float, step: float = 0.5) -> Points:
    """A polygon as a round line: points every `step`, smoothed along the line, its ends kept."""
    along = numpy.concatenate([[0.0], numpy.cumsum(numpy.hypot(*numpy.diff(points, axis=0).T))])
    places = numpy.linspace(0, along[-1], max(2, int(along[-1] / step) + 1))
    line = numpy.stack([numpy.interp(places, along, points[:, axis]) for axis in (0, 1)], 1)
    reach = int(3 * smooth / step)
    if reach == 0 or len(line) < 4:
        return line
    kernel = numpy.exp(-0.5 * (numpy.arange(-reach, reach + 1) * step / smooth) ** 2)
    # Mirrored through its ends, the line goes straight on there, so that smoothing leaves them where they are.
    index = numpy.arange(reach) % (len(line) - 1) + 1
    longer = numpy.concatenate([2 * line[0] - line[index[::-1]], line, 2 * line[-1] - line[-1 - index]])
    return numpy.stack([numpy.convolve(longer[:, axis], kernel / kernel.sum(), "valid") for axis in (0, 1)], 1)


def _thinned(points: Points, step: float) -> Points:
    """Every so many points, so that about `step` lies between; the first and the last stay."""
    return points[
        numpy.unique(numpy.round(numpy.linspace(0, len(points) - 1, max(2, int(len(points) * 0.5 / step)))).astype(int))
    ]
