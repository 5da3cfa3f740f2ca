"""InkML (W3C 2011) -> entries: dicts of strokes, text, writer and direction of y, as JSON ink has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

VALUE = re.compile(r"""\s*([!'"]?)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\#[0-9A-Fa-f]+|[*?TF])""")
TEXTS = ("truth", "transcription", "text", "label", "groundtruth")
WRITERS = ("writer", "writerid", "author")


def entries(data: bytes) -> list[dict[str, Any]]:
    """The inks of an InkML file: one, or one for each `traceGroup` where several stand side by side.

    X and Y are found by the `traceFormat` that is in force; other channels are passed over, and so are traces of the
    raised pen. Y runs downwards unless its channel has `orientation="-ve"` (section 3.1.2).

    Raises:
        ValueError: (what, remedy); not XML, not InkML, or a value that InkML does not have.
    """
    try:
        root = fromstring(data)
    except ParseError as error:
        line, column = error.position
        what = str(error).partition(":")[0]
        raise ValueError(f"broken XML in line {line}, column {column} ({what})", "export it again") from error
    except LookupError as error:
        raise ValueError(f"is XML that cannot be read ({error})", "export it in UTF-8") from error
    except DefusedXmlException as error:
        raise ValueError("defines XML entities, which may be harmful", "write it without a DOCTYPE") from error
    if _tag(root) != "ink":
        raise ValueError(f"is XML of another kind, <{_tag(root)}>", "give InkML, which begins with <ink>")
    named = {value: node for node in root.iter() for key, value in node.attrib.items() if key.endswith("id")}
    groups = [group for group in root if _tag(group) == "traceGroup" and _traces(group)]
    loose = [node for node in root if _tag(node) == "trace"]
    if len(groups) < 2 or loose:
        groups = [root]
    return [_entry(root, group, named) for group in groups]


def _entry(root: Element, group: Element, named: dict[str, Element]) -> dict[str, Any]:
    strokes: list[np.ndarray] = []
    places: dict[str, int] = {}
    ratios = []
    for trace, context in _traces(group, group.get("contextRef") or _current(root)):
        if trace.get("type", "penDown") != "penDown":
            continue
        order, turned, ratio = _format(root, context, named)
        points = _points(trace.text or "", order)
        if turned:
            points[:, 1] = -points[:, 1]
        ratios.append(ratio)
        prior = places.get(trace.get("priorRef", "").lstrip("#"))
        if trace.get("continuation") in ("middle", "end") and prior is not None:
            strokes[prior] = np.concatenate([strokes[prior], points])
        else:
            prior = len(strokes)
            strokes.append(points)
        places[next((value for key, value in trace.attrib.items() if key.endswith("id")), "")] = prior
    only = len(list(_traces(root))) == len(list(_traces(group)))
    told = [*_annotations(group), *(_annotations(root) if only else [])]
    return {
        "text": next((value for kind in TEXTS for key, value in told if key == kind), None),
        "writer": next((value for key, value in [*told, *_annotations(root)] if key in WRITERS), None),
        "strokes": strokes,
        "xppi": ratios[0] if ratios else 1.0,
        "yppi": 1.0,
        "y": "down",
    }


def _tag(node: Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _traces(node: Element, context: str | None = None) -> list[tuple[Element, str | None]]:
    """All traces below `node`, each with the reference to the context that holds there."""
    found: list[tuple[Element, str | None]] = []
    waiting = [(child, context) for child in reversed(node)]
    while waiting:  # groups may lie deeper in each other than Python's stack is
        child, around = waiting.pop()
        here = child.get("contextRef", around)
        if _tag(child) == "trace":
            found.append((child, here))
        elif _tag(child) == "traceGroup":
            waiting += [(inner, here) for inner in reversed(child)]
    return found


def _current(root: Element) -> str | None:
    """The context that stands free in the ink, if it is the only one."""
    contexts = [node for node in root if _tag(node) == "context"]
    return next(iter(contexts[0].attrib.values()), None) if len(contexts) == 1 else None


def _annotations(node: Element) -> Iterator[tuple[str, str]]:
    for child in node:
        if _tag(child) == "annotation" and (child.text or "").strip():
            yield child.get("type", "").lower(), " ".join((child.text or "").split())


def _format(root: Element, context: str | None, named: dict[str, Element]) -> tuple[list[str], bool, float]:
    """Names of the channels, whether y runs upwards, and units of x in one of y: as the context says, or the ink."""
    scope = named.get((context or "").lstrip("#"), root)
    for reference in ("traceFormatRef", "inkSourceRef"):
        scope = named.get(scope.get(reference, "").lstrip("#"), scope)
    form = next((node for node in scope.iter() if _tag(node) == "traceFormat"), None)
    if form is None and scope is not root:
        scope = root
        form = next((node for node in root.iter() if _tag(node) == "traceFormat"), None)
    channels = [node for node in form.iter() if _tag(node) == "channel"] if form is not None else []
    order = [channel.get("name", "") for channel in channels] or ["X", "Y"]
    if not {"X", "Y"} <= set(order):
        raise ValueError(f"has the channels {' '.join(order)}", "give ink with channels X and Y")
    turned = any(channel.get("name") == "Y" and channel.get("orientation") == "-ve" for channel in channels)
    density = {
        node.get("channel"): (node.get("units"), float(node.get("value", "nan")))
        for node in scope.iter()
        if _tag(node) == "channelProperty" and node.get("name") == "resolution"
    }
    (one, across), (other, along) = density.get("X", ("", 1.0)), density.get("Y", ("", 1.0))
    return order, turned, across / along if one == other and across > 0 and along > 0 else 1.0


def _points(text: str, order: list[str]) -> np.ndarray:
    """[n, 2] X and Y of the points of a trace (section 3.2.1): as they are, as differences ', or as their own ".

    A `*` goes on as before; a point whose X or Y is unknown (`?`) is left out.
    """
    x, y = order.index("X"), order.index("Y")
    state = [["!", 0.0, 0.0, 0.0] for _ in order]
    found = []
    for number, point in enumerate(text.split(",")):
        if not point.strip():
            continue
        at, values = 0, []
        for channel in state:
            match = VALUE.match(point, at)
            if match is None:
                break
            at = match.end()
            values.append(_value(channel, *match.groups()))
        if point[at:].strip() or len(values) <= max(x, y):
            what = f"point {number} of a trace is {point.strip()[:40]!r}, which is not {' '.join(order)}"
            raise ValueError(what, "correct it, or the traceFormat")
        found.append((values[x], values[y]))
    points = np.array([point for point in found if None not in point], dtype=np.float64)
    return points.reshape(-1, 2)


def _value(channel: list[Any], prefix: str, value: str) -> float | None:
    """Moves `channel` (mode, value, difference, its difference) on by one written value."""
    mode = channel[0] = prefix or channel[0]
    if value in "?TF":
        return None
    step = None if value == "*" else float(int(value.replace("#", ""), 16)) if "#" in value else float(value)
    before = channel[1]
    if mode == "!":
        channel[1] = before if step is None else step
        channel[2] = channel[1] - before
    elif mode == "'":
        channel[2] = channel[2] if step is None else step
        channel[1] += channel[2]
    else:
        channel[3] = channel[3] if step is None else step
        channel[2] += channel[3]
        channel[1] += channel[2]
    return float(channel[1])
