"""What benchmarks/decoding.py measured -> a table with what is needed to make it again."""

from __future__ import annotations

from bench import Bench, Row
from origin import origin, table

HEAD = (
    "| decoder | LM weight, bonus | WER % | 95 % | CER % | ms of processor / s of audio | ms / s of audio |"
    " load s | LM MiB (at most) | all MiB |"
)


def document(bench: Bench, rows: list[Row]) -> str:
    """The whole file."""
    versions = {k: v for loaded in bench.loaded.values() for k, v in loaded["versions"].items() if k != "numpy"}
    people = len({bench.speakers[row] for row in bench.test})
    lines = [
        "# Decoders side by side",
        "",
        *origin(),
        f"- {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}",
        f"- reported: {len(bench.test)} utterances of {people} speakers, {bench.audio:.0f} s; LM weight and bonus (in"
        f" natural logarithms, for all) found on other speakers: {bench.tuned_on}",
        f"- beam {bench.options.width}; pruned alike: labels below e^-7 in a frame and prefixes e^-15 below the"
        f" best go; flashlight-text, which counts labels, keeps the {bench.tokens} likeliest, which is what that floor"
        " leaves in 99 % of the frames. Its own: all labels, threshold 50. pyctcdecode's own: e^-5 and e^-10",
        "- one core each unless it says otherwise, one utterance at a time; the fastest of"
        f" {bench.options.rounds} rounds in turns (pyctcdecode: of one); 95 %: bootstrap over speakers",
        "- load: language model and decoder from the ARPA file, of processor time; LM MiB: what the process grew by"
        " when it loaded the model alone (KenLM: its hash tables), and the most in between; all MiB: with the decoder",
        "",
        *table(HEAD, [line(bench, row) for row in rows]),
        "",
        *goals(bench, {row.name: row for row in rows}),
    ]
    return "\n".join(lines) + "\n"


def line(bench: Bench, row: Row) -> str:
    """One row of the table."""
    if not bench.measured[row.name]:
        return (
            f"| {row.name} | {bench.failed.get(row.name) or bench.failed.get(row.contender, 'gave no answer')} |"
            + " |" * (HEAD.count("|") - 3)
        )
    counts, (low, high) = bench.counts(row)
    loaded = bench.loaded[row.contender]
    weight, bonus = bench.settings[row.name]
    settings, costs = ("", " | | ") if row.contender == "greedy" else (
        f"{weight:g}, {bonus:g}",
        f"{loaded['seconds']:.1f} | {loaded['lm_memory']:.0f} ({loaded['lm_peak']:.0f}) | {loaded['memory']:.0f}",
    )  # fmt: skip
    return (
        f"| {row.name} | {settings} | {100 * counts.wer:.2f} | {100 * low:.1f}-{100 * high:.1f} |"
        f" {100 * counts.cer:.2f} | {pace(bench, row, 'processor'):.2f} | {pace(bench, row, 'wall'):.2f} | {costs} |"
    )


def pace(bench: Bench, row: Row, clock: str) -> float:
    """Milliseconds for a second of audio, in the fastest round."""
    return 1000 * min(found[clock] for found in bench.measured[row.name]) / bench.audio


def goals(bench: Bench, rows: dict[str, Row]) -> list[str]:
    """What was wanted, and what came out."""
    found = []
    ours, greedy = rows["Beam, one thread"], rows["greedy"]
    if not (bench.measured[ours.name] and bench.measured[greedy.name]):
        return found
    for name, factor in (("flashlight-text", 1), ("pyctcdecode", 10)):
        for peer in rows.values():
            if peer.name.startswith(name) and bench.measured[peer.name]:
                times = pace(bench, peer, "processor") / pace(bench, ours, "processor")
                wers = [100 * bench.counts(row)[0].wer for row in (ours, peer)]
                found.append(
                    f"- against {peer.name}: {times:.2f} times as fast (goal: {factor}),"
                    f" WER {wers[0]:.2f} % against {wers[1]:.2f} %"
                )
    for name in ("flashlight", "pyctcdecode"):
        if name in bench.loaded:
            mine, kenlm = (bench.loaded[which]["lm_memory"] for which in ("ours", name))
            found.append(f"- language model in memory: {mine / kenlm:.2f} times KenLM's in {name} (goal: at most 2)")
    before, after = (bench.counts(row)[0].wer for row in (greedy, ours))
    found.append(f"- WER against greedy: lower by {1 - after / max(before, 1e-9):.1%} (goal on speechocean762: 20 %)")
    found.append(f"- first call of Beam: {bench.loaded['ours']['first']:.1f} s (compiled code comes from its cache if"
                 " there is one)")  # fmt: skip
    return found
