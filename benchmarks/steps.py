"""One model of speech, its frames closer together or further apart than those that it learnt from -> error rates.

    python benchmarks/steps.py corpora/speechocean762/val.tsv corpora/an4/val.tsv corpora/librispeech/val.tsv

Nothing is trained and no weight is sought anew: the front end's `step` changes, and what the beam is told stays as it
was packed. What reads best here goes into a model by `recognizer.release --frontend step=...`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import recognizer
from recognizer import frontends, manifest
from recognizer.release import readings

# isort: split
from origin import origin, table

STEPS = (0.011, 0.01, 0.0095, 0.009, 0.0085, 0.008)


def main() -> int:
    """Read every manifest with every step, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+")
    parser.add_argument("--model", default="speech", help="of the package, or a checkpoint (%(default)s)")
    parser.add_argument("--steps", nargs="+", type=float, default=STEPS, help="in seconds")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/steps.md"))
    options = parser.parse_args()
    texts = [manifest.read(name) for name in options.manifests]
    rows = []
    for step in options.steps:
        model = recognizer.load(options.model)
        model.frontend = frontends.build(model.frontend.config() | {"step": step})
        usual, beam = model.usual
        readers = (model, model.greedy), (usual, beam)
        rates = [readings(reader, one).counts(decoder).wer for one in texts for reader, decoder in readers]
        rows.append(f"| {1000 * step:g} | {' | '.join(f'{100 * rate:.1f}' for rate in rates)} |")
        print(rows[-1], flush=True)
    names = [f"{Path(name).parent.name}, {kind}" for name in options.manifests for kind in ("greedy", "usual")]
    head = f"| ms from frame to frame | {' | '.join(f'{name}, WER %' for name in names)} |"
    about = "- *usual*: as the model is read if nothing else is said, with its language model"
    lines = ["# Speech in smaller steps", "", *origin("torch"), about, "", *table(head, rows), ""]
    options.output.write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
