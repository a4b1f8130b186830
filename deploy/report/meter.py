"""A bar in which every budget ends at the same place, so that a glance down the column finds what crosses it."""

from __future__ import annotations

from typing import Any

from deploy.report.markup import Markup, share, tag

# how far the bar reaches, in budgets
REACH = 1.5


def meter(latency: dict[str, Any], statistic: str, budget: float | None, *, broken: bool) -> Markup:
    """Median, 99th percentile and largest of durations against their budget.

    Args:
        latency: `n`, `p50_ms`, `p99_ms`, `max_ms`.
        statistic: Which of them the budget is about: `p50`, `p99`, `max`.
        budget: The budget, if there is one [ms].
        broken: Whether the bar shall warn.
    """
    if not latency["n"] or not budget:
        return tag("span", "no clause" if not budget else "never ran", class_="quiet")
    parts = {name: latency[f"{name}_ms"] / budget for name in ("p50", "p99", "max")}
    return tag(
        "span",
        tag(
            "span",
            tag("i", class_="p99", style=f"width:{_percent(parts['p99'])}"),
            tag("i", class_="p50", style=f"width:{_percent(parts['p50'])}"),
            tag("i", class_="max beyond" if parts["max"] > REACH else "max", style=f"left:{_percent(parts['max'])}"),
            tag("i", class_="limit", style=f"left:{_percent(1.0)}"),
            class_="meter",
            role="img",
            aria_label=", ".join(f"{name} {share(part)} of the budget" for name, part in parts.items()),
        ),
        tag("span", share(parts[statistic]), class_="share", title=f"the {statistic} as a part of the budget"),
        class_="gauge over" if broken else "gauge",
    )


def _percent(part: float) -> str:
    return f"{100 * min(part / REACH, 1.0):.2f}%"
