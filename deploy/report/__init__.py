"""The latency report as one page for a browser, with nothing to load from anywhere.

Owns: what the page shows of a report, its looks, its plots, the plotting library that is in it.

Does not own: figures and series (they come as plain data), what the ladder's rungs do.
"""

from __future__ import annotations

from deploy.report.page import html_page

__all__ = ["html_page"]
