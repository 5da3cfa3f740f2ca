"""Error rates: jiwer's numbers, empty texts, sums over parts and devices, and the interval around them."""

from __future__ import annotations

import jiwer
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recognizer.metrics import Counts, Edits, ErrorRates, Ratio, alignment, bootstrap

texts = st.lists(st.sampled_from(["a", "bc", "ünï", "שלום", "d"]), max_size=6).map(" ".join)
PAIRS = [
    ("the quick brown fox", "the quik fox jumps"),
    ("one two three", "one two three"),
    ("yes", "no no no"),
    ("été à la plage", "ete a la plage"),
    ("שלום עולם", "שלום"),
]


@given(st.lists(st.tuples(texts.filter(bool), texts), min_size=1, max_size=5))
def test_the_numbers_are_those_of_jiwer(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = (list(side) for side in zip(*pairs, strict=True))
    ours = Counts.over(references, hypotheses)
    theirs = jiwer.process_words(references, hypotheses)
    assert ours.rates() == pytest.approx(
        {
            "wer": theirs.wer,
            "cer": jiwer.cer(references, hypotheses),
            "mer": theirs.mer,
            "wil": theirs.wil,
        }
    )
    assert ours.words == Edits(theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions)


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_counts_add_up(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    single = [Counts.of(reference, hypothesis) for reference, hypothesis in pairs]
    assert sum(single, Counts()) == Counts.over(references, hypotheses)
    for counts, reference, hypothesis in zip(single, references, hypotheses, strict=True):
        assert counts.words.reference == len(reference.split())
        assert counts.words.hypothesis == len(hypothesis.split())
        assert 0 <= counts.mer <= 1 and 0 <= counts.wil <= 1


def test_known_by_hand() -> None:
    counts = Counts.of("a b c d", "a x c d e")
    assert counts.words == Edits(hits=3, substitutions=1, deletions=0, insertions=1)
    assert counts.rates() == pytest.approx({"wer": 2 / 4, "cer": 3 / 7, "mer": 2 / 5, "wil": 1 - 3 / 4 * 3 / 5})


@pytest.mark.parametrize(
    ("reference", "hypothesis", "wer", "cer", "mer", "wil"),
    [
        ("", "", 0, 0, 0, 0),
        (" \t", "\n", 0, 0, 0, 0),
        ("", "two words", 2, 9, 1, 1),
        ("two words", "", 1, 1, 1, 1),
    ],
)
def test_empty_texts(reference: str, hypothesis: str, wer: float, cer: float, mer: float, wil: float) -> None:
    assert Counts.of(reference, hypothesis).rates() == {"wer": wer, "cer": cer, "mer": mer, "wil": wil}
    assert Counts.of(reference, hypothesis).wer == jiwer.wer(reference.strip(), hypothesis.strip())


def test_white_space_is_folded() -> None:
    assert Counts.of(" a\tb\nc ", "a  b c") == Counts.of("a b c", "a b c")


def test_the_metric_is_the_counts() -> None:
    references, hypotheses = (list(side) for side in zip(*PAIRS, strict=True))
    metric = ErrorRates()
    metric.update(references[:2], hypotheses[:2])
    metric.update([], [])
    metric.update(references[2:], hypotheses[2:])
    expected = Counts.over(references, hypotheses)
    assert metric.counts() == expected
    assert {name: rate.item() for name, rate in metric.compute().items()} == pytest.approx(expected.rates())
    metric.reset()
    assert metric.counts() == Counts()


def test_the_metric_sums_over_devices() -> None:
    """What torchmetrics does between processes: stack every state, then reduce it as the state says."""
    import torch

    parts = [ErrorRates(), ErrorRates()]
    parts[0].update(["a b c", "d"], ["a c", "d"])
    parts[1].update(["e f"], ["f e g"])
    whole = ErrorRates()
    for name, reduce in whole._reductions.items():
        assert callable(reduce)
        setattr(whole, name, reduce(torch.stack([getattr(part, name) for part in parts])))
    assert whole.counts() == Counts.over(["a b c", "d", "e f"], ["a c", "d", "f e g"])


def test_the_metric_wants_as_many_texts_as_references() -> None:
    with pytest.raises(ValueError):
        ErrorRates().update(["a", "b"], ["a"])


def test_the_listing_puts_word_under_word() -> None:
    lines = alignment("one two three", "one too three four").split("\n")
    assert [line.split() for line in lines] == [
        ["REF:", "one", "two", "three", "****"],
        ["HYP:", "one", "too", "three", "four"],
        ["S", "I"],
    ]
    assert lines[2].index("S") == lines[1].index("too") + 2
    assert alignment("same", "same") == "" == alignment("", "")
    assert alignment("", "a").split() == ["REF:", "*", "HYP:", "a", "I"]
    assert alignment("a", "").split() == ["REF:", "a", "HYP:", "*", "D"]


def test_the_interval_holds_the_rate_and_narrows_with_more_files() -> None:
    def spread(files: int) -> tuple[float, float]:
        return bootstrap([Counts(Edits(hits=9, substitutions=index % 3)) for index in range(files)])

    few, many = spread(30), spread(3000)
    truth = 1 / 10
    assert few[0] < truth < few[1] and many[0] < truth < many[1]
    assert many[1] - many[0] < (few[1] - few[0]) / 5
    # The standard error of a mean of 3000 draws from {0, 1, 2} errors a file, over 10 words.
    assert many[1] - many[0] == pytest.approx(2 * 1.96 * (2 / 3 / 3000) ** 0.5 / 10, rel=0.15)


def test_the_interval_at_its_edges() -> None:
    same = Counts(Edits(hits=3, deletions=1))
    assert bootstrap([same] * 5) == (0.25, 0.25)
    assert bootstrap([]) == (0.0, 0.0)
    assert bootstrap([Counts.of("", "")]) == (0.0, 0.0)
    parts = [Counts.of(*pair) for pair in PAIRS]
    assert bootstrap(parts, seed=3) == bootstrap(parts, seed=3)


def test_a_ratio_is_that_of_the_sums():
    ratio = Ratio()
    for over, under in ((3.0, 2.0), (0.0, 0.0), (5.0, 6.0)):
        ratio.update(torch.tensor(over), under)
    assert float(ratio.compute()) == 1.0
    ratio.reset()
    ratio.update(torch.tensor(0.25), 0.0)
    assert float(ratio.compute()) == 0.25  # a loss without labels still counts
