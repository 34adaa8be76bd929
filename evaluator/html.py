"""A report inside a notebook: the page's parts in one `<div>`.

Not in an `<iframe>`: a frame without a script cannot grow to its content, nor know the notebook's
theme, and Jupyter drops it from notebooks that it does not trust. Styles stay under one class, and
where a notebook drops them too, headings, sentences and tables still read in order.
"""

from __future__ import annotations

from evaluator.page.page import body
from evaluator.page.style import notebook_style
from evaluator.page.tags import tag
from evaluator.result import Report


def to_html(report: Report) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return str(tag("div", notebook_style(), *body(report), class_="rehearsal notebook"))
