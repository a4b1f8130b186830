"""The worst frames, each a bar of what its time went to; drawn without a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.report.markup import Markup, figure, limit, milliseconds, tag


def worst_frames(series: dict[str, Any], reaction_ms: float | None) -> Markup:
    """The section of the page.

    Args:
        series: Its `worst` frames, the longest first.
        reaction_ms: The deadline, if there is one [ms].
    """
    frames = series.get("worst", [])
    cameras = len({frame["camera"] for frame in frames}) > 1
    reach = 1.02 * max([frame["total_ms"] for frame in frames] + [(reaction_ms or 0.0), 1e-9])
    worst = f"the {len(frames)} slowest frames" if len(frames) > 1 else "the only frame"
    body: tuple[Markup, ...] = (
        tag("p", "No command followed a frame in this run: there is no path to show.", class_="empty"),
    )
    if frames:
        body = (
            tag("ul", *_legend(frames), class_="legend"),
            tag(
                "ol",
                *(_frame(i, frame, reach, reaction_ms, cameras) for i, frame in enumerate(frames)),
                class_="paths",
            ),
        )
    return tag(
        "section",
        tag("h2", "Critical path of the worst frames"),
        tag(
            "p",
            f"From the photons to the end of the first command because of them, {worst}; hatched is waiting. "
            if frames
            else "",
            f"The line is the deadline of {limit(reaction_ms)} ms." if frames and reaction_ms is not None else "",
            class_="how",
        ),
        *body,
        id="worst",
    )


def _legend(frames: list[dict[str, Any]]) -> Iterator[Markup]:
    kinds = {segment["kind"] for frame in frames for segment in frame["segments"]}
    for kind in ("capture", "detect", "localize", "track", "plan", "ik", "send", "wait", "lost"):
        if kind in kinds:
            yield tag("li", tag("i", class_=f"swatch stage-{kind}"), "not in the ledger" if kind == "lost" else kind)


def _frame(index: int, frame: dict[str, Any], reach: float, reaction_ms: float | None, cameras: bool) -> Markup:
    total = frame["total_ms"]
    return tag(
        "li",
        tag(
            "p",
            tag("b", f"frame {frame['frame']}", f", camera {frame['camera']}" if cameras else None),
            tag("a", f"at {frame['t_s']:.2f} s", href="#timeline", data_from=frame["t_s"], data_to=frame["end_s"]),
            tag("span", "fallback engine") if frame["engine"] else None,
            tag("span", _blame(frame), class_="blame"),
            tag(
                "span",
                figure("b", f"worst.{index}.total_ms", total, milliseconds(total)),
                " ms",
                class_="total over" if frame["over"] else "total",
            ),
            class_="what",
        ),
        tag(
            "div",
            *(_segment(segment, reach) for segment in frame["segments"]),
            tag("i", class_="deadline", style=f"left:{_percent(reaction_ms, reach)}")
            if reaction_ms is not None
            else None,
            class_="path",
        ),
        tag(
            "details",
            tag("summary", "segments"),
            tag(
                "table",
                tag("thead", tag("tr", *(tag("th", text, scope="col") for text in ("", "from", "took", "budget")))),
                tag("tbody", *(_row(index, i, segment) for i, segment in enumerate(frame["segments"]))),
            ),
        ),
    )


def _blame(frame: dict[str, Any]) -> str:
    """The piece that says most: of those over their budget the one that is farthest over, else the longest."""
    over = [segment for segment in frame["segments"] if segment["over"]]
    if over:
        worst = max(over, key=lambda segment: segment["ms"] - segment["budget_ms"])
        return f"{worst['name']} {milliseconds(worst['ms'])} of {limit(worst['budget_ms'])} ms"
    longest = max(frame["segments"], key=lambda segment: segment["ms"])
    return f"longest: {longest['name']} {milliseconds(longest['ms'])} ms"


def _segment(segment: dict[str, Any], reach: float) -> Markup:
    took = milliseconds(segment["ms"])
    budget = f" of {limit(segment['budget_ms'])}" if segment["budget_ms"] is not None else ""
    return tag(
        "span",
        tag("b", segment["name"]) if segment["kind"] not in ("wait", "lost") else None,
        tag("em", took),
        class_=f"stage-{segment['kind']}" + (" over" if segment["over"] else ""),
        style=f"left:{_percent(segment['start_ms'], reach)};width:{_percent(segment['ms'], reach)}",
        title=f"{segment['name']}: {took}{budget} ms" + (", over its budget" if segment["over"] else ""),
    )


def _row(frame: int, index: int, segment: dict[str, Any]) -> Markup:
    key, budget = f"worst.{frame}.segments.{index}", segment["budget_ms"]
    return tag(
        "tr",
        tag("th", tag("i", class_=f"swatch stage-{segment['kind']}"), segment["name"], scope="row"),
        figure("td", f"{key}.start_ms", segment["start_ms"], milliseconds(segment["start_ms"])),
        figure(
            "td", f"{key}.ms", segment["ms"], milliseconds(segment["ms"]), class_="over" if segment["over"] else None
        ),
        figure("td", f"{key}.budget_ms", budget, limit(budget)),
    )


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3f}%"
