"""Free Spoken Digits, each speaker left out in turn -> error rates on voices that were never heard.

    python benchmarks/digits.py SOURCE --from CHECKPOINT [--output benchmarks/results/digits.md] [flags of train.py]

For each speaker: manifests without that speaker (data.fsdd), a training by configs/fsdd.yaml, beside the voices of
voices.py, that begins with CHECKPOINT (which must not have heard any of them), and what its last epoch reads of the
speaker's recordings: greedily, and with a beam that may only write the ten words; each file by itself, and after
getting accustomed to the speaker (transcribe.py --per-speaker, no text is told). No epoch is chosen by the speaker, but
the settings of fsdd.yaml were, with an eye on these four. A speaker whose training is finished, runs/fsdd-SPEAKER,
is not trained again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import torch
import yaml
from origin import origin, table

from recognizer import Recognizer, manifest, reading
from recognizer.arguments import folder
from recognizer.decoders import Beam
from recognizer.metrics import Counts
from recognizer.speakers import Speakers

HEAD = (
    "| left out | recordings | greedy WER % | ten words only, WER % | per speaker: greedy WER % | ten words only, WER %"
    " | most often misread then |"
)


def main() -> int:
    """Train what is missing, measure every speaker, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--from", dest="base", required=True)
    parser.add_argument("--speakers", nargs="*", default=["george", "jackson", "nicolas", "yweweler"])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/digits.md"))
    options, flags = parser.parse_known_args()  # what is not known here is for train.py
    torch.set_num_threads(1)
    rows, sums = [], [Counts()] * 4
    for speaker in options.speakers:
        checkpoint = trained(options.source, speaker, options.base, flags)
        counts, misread, size = measured(checkpoint, Path(f"corpora/fsdd/{speaker}/val.tsv"))
        rows.append(row(speaker, size, counts, misread))
        sums = [total + one for total, one in zip(sums, counts, strict=True)]
        print(rows[-1], flush=True)
    rows.append(row("all", sums[0].words.reference, sums, Counter()))
    options.output.write_text(document(rows), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def trained(source: Path, speaker: str, base: str, rest: list[str]) -> Path:
    """The checkpoint of the last epoch of a training without the speaker."""
    done = Path(f"runs/fsdd-{speaker}/done")
    if done.exists():
        return Path(done.read_text())
    out = Path("corpora/fsdd") / speaker
    call("-m", "data.fsdd", str(source), "--leave-out", speaker, "--out", str(out))
    beside = yaml.safe_load((folder() / "fsdd.yaml").read_text(encoding="utf-8"))["data"]["train"][1:]
    train = f"[{', '.join([f'{out}/train.tsv', *beside])}]"
    flags = ["--config", "fsdd", "--name", f"fsdd-{speaker}", "--from", base, *rest]
    call("train.py", *flags, "--data.train", train, "--data.val", f"{out}/val.tsv")
    newest = max(done.parent.glob("version_*"), key=lambda path: int(path.name[8:]))
    checkpoint = newest / "checkpoints" / "last.ckpt"
    done.write_text(str(checkpoint))
    return checkpoint


def call(*arguments: str) -> None:
    """Run Python, and stop with it."""
    subprocess.run([sys.executable, *arguments], check=True)


def measured(checkpoint: Path, table: Path) -> tuple[list[Counts], Counter[str], int]:
    """Counts of the greedy reading and of the closed one, of each file by itself and then of both per speaker; what the
    last takes for what; number of recordings."""
    model = Recognizer.load(checkpoint)
    utterances = manifest.read(table)
    closed = Beam(model.alphabet, lexicon={str(row.text): [str(row.text)] for row in utterances})  # ten
    counts: list[Counts] = []
    misread = Counter[str]()
    for hearing in (None, Speakers(model.frontend, utterances)):
        for decoder in (model.greedy, closed):
            answers = reading.transcripts(model, utterances, decoder, 24_000, hearing)
            counts.append(Counts())
            for utterance, answer in zip(utterances, answers, strict=True):
                assert utterance.text and not isinstance(answer, Exception), answer
                counts[-1] += Counts.of(utterance.text, answer.text)
                if hearing and decoder is closed and answer.text != utterance.text:
                    misread[f"{utterance.text} as {answer.text}"] += 1
    return counts, misread, len(utterances)


def row(speaker: str, size: int, counts: list[Counts], misread: Counter[str]) -> str:
    """One line of the table."""
    listed = ", ".join(f"{pair} x {count}" for pair, count in misread.most_common(3))
    return f"| {speaker} | {size} | {' | '.join(f'{100 * one.wer:.1f}' for one in counts)} | {listed} |"


def document(rows: list[str]) -> str:
    """The table with what is needed to make it again."""
    lines = [
        "# Free Spoken Digits, one speaker left out",
        "",
        *origin("torch"),
        "",
        *table(HEAD, rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
