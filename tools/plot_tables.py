"""How strong each severity table is at 96x96: `python tools/plot_tables.py`.

Mean structural similarity (SSIM) to the clean image over drawn cells, for every corruption of every
table at every severity: the figures as docs/ssim_tables.csv, the picture as docs/ssim_tables.png.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.metrics import structural_similarity

from codabench_rehearsal.images import synthetic
from corruptions.registry import FAMILIES, OWN_TABLE, Corruption, Images, all_operators, run

DOCS = Path(__file__).parent.parent / "docs"
CELLS, SEED, COLUMNS = 40, 0, 7
STYLES: dict[str, dict[str, Any]] = {
    "imagecorruptions": {"color": "#aaaaaa", "marker": "o", "linewidth": 4, "markersize": 7},
    "tiny": {"color": "#0072b2", "marker": "s", "linewidth": 2.4, "markersize": 5},
    "pcam": {"color": "#d55e00", "marker": "^", "linewidth": 1.5, "markersize": 5},
    "medmnist-blood": {"color": "#009e73", "marker": "v", "linewidth": 0.9, "markersize": 4},
}  # thinner and thinner: lines that coincide stay visible
Curves = dict[str, dict[str, list[float]]]  # corruption -> table -> five means


def measure(images: Images) -> Curves:
    """The mean SSIM of every corruption that belongs to a table, family by family."""
    tabled = [op for op in all_operators() if op.table != OWN_TABLE]
    curves: Curves = {}
    for op in sorted(tabled, key=lambda op: (FAMILIES.index(op.family), op.name)):
        curves.setdefault(op.name, {})[op.table] = list(similarities(op, images))
    return curves


def similarities(op: Corruption, images: Images) -> Iterator[float]:
    """The mean SSIM at each severity."""
    for params in op.severities:
        pairs = zip(images, run(op, params, images, SEED), strict=True)
        yield float(np.mean([structural_similarity(*pair, channel_axis=2) for pair in pairs]))


def write_figures(curves: Curves, path: Path) -> None:
    """One row a table, corruption and severity."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("corruption", "table", "severity", "mean_ssim"))
        for name, tables in curves.items():
            for table in STYLES:
                for severity, mean in enumerate(tables.get(table, ()), start=1):
                    out.writerow((name, table, severity, f"{mean:.3f}"))


def draw(curves: Curves, path: Path) -> None:
    """One panel a corruption, one line a table; the empty panel holds the legend."""
    rows = -(-(len(curves) + 1) // COLUMNS)
    figure = Figure(figsize=(2 * COLUMNS, 1.75 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).flat
    for axis, (name, tables) in zip(axes, curves.items(), strict=False):
        draw_panel(axis, name, tables)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    lines = [axes[0].plot([], [], label=table, **style)[0] for table, style in STYLES.items()]
    axes[-1].legend(handles=lines, loc="center", frameon=False, fontsize=11, title="severity table")
    figure.supxlabel("severity", fontsize=12)
    figure.supylabel(f"mean SSIM to the clean image ({CELLS} drawn cells, 96x96)", fontsize=12)
    figure.savefig(path, dpi=110)


def draw_panel(axis: Axes, name: str, tables: dict[str, list[float]]) -> None:
    """The lines of the tables that have this corruption."""
    for table, style in STYLES.items():
        if table in tables:
            axis.plot(range(1, 6), tables[table], **style)
    axis.set_title(name, fontsize=11)
    axis.set_ylim(-0.05, 1.05)
    axis.set_xticks(range(1, 6))
    axis.set_yticks((0, 0.5, 1))
    axis.grid(alpha=0.25)


def main() -> int:
    """Measure, write, draw."""
    curves = measure(synthetic(CELLS, seed=SEED).images)
    write_figures(curves, DOCS / "ssim_tables.csv")
    draw(curves, DOCS / "ssim_tables.png")
    print(f"{len(curves)} corruptions in {DOCS / 'ssim_tables.csv'} and .png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
