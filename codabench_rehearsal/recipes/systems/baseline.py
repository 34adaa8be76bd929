"""A small CNN on flipped images: where most participants start.

Ours, not a team's. It reaches high validation accuracy in a few minutes on a laptop and falls far
on corrupted images, as the teams' first submissions did (validation 0.98, hidden set 0.36 to 0.6).
"""

from codabench_rehearsal.recipes.system import Phase, System

SYSTEM = System(
    name="baseline",
    summary="small CNN from scratch, flips only",
    source="ours",
    reported="-",
    cost="about 2 minutes on 2 cores for 4,700 images of 96x96",
    model="small_cnn",
    model_options={"widths": (16, 32, 64, 96)},
    copies=(("flips",),),
    phases=(Phase("train", epochs=12, learning_rate=2e-3, decay="cosine", patience=6),),
)
