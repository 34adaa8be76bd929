"""A network of their own, from scratch: Inception blocks inside skip connections, heavy augmentation.

Source: report of the team Los Pollos Hermanos, AN2DL 2024/25, challenge 1. Their second data set
gave 0.88 on Codabench, the final submission 0.885, the light variant 0.82.

Network: two convolutional blocks, two custom blocks (several Inception blocks inside one skip
connection), downsampling after each, global average pooling, a hidden dense layer, dropout, batch
norm after every convolution; 1.9 M parameters. Adam 1e-3, a fifth of the rate after 20 epochs
without a better validation accuracy, the end after 40. Validation images are augmented as well.

Cost: on 2 cores a night and more; on a GPU under an hour.
Ours, where the report says nothing: widths (chosen to meet the parameters), at most 300 epochs, and
what the heavy augmentation holds.
"""

from codabench_rehearsal.recipes.system import Phase, System

HEAVY = ("flips", "rotations", "aug_mix", "rand_augment")

SYSTEM = System(
    name="los_pollos_hermanos",
    summary="own CNN of 1.9 M parameters, Inception blocks inside skip connections",
    source="report of the team Los Pollos Hermanos, AN2DL 2024/25",
    reported="Codabench 0.88, final 0.885; light 0.82",
    cost="1.9 M parameters, up to 300 epochs: a night on 2 cores",
    model="inception_residual",
    copies=(HEAVY,),
    hurt_validation=True,
    phases=(Phase("train", epochs=300, learning_rate=1e-3, patience=40, plateau=20, factor=0.2),),
    options={
        "overlays": {
            "convex": {"copies": ((*HEAVY, "overlay_convex"),)},
            "multiplicative": {"copies": ((*HEAVY, "overlay_multiplicative"),)},
        },
        "light": {"yes": {"model_options.light": True}},
        "average": {"5": {"average": 5}, "10": {"average": 10}},
        "ensemble": {"vote": {"members": ({}, {}, {}), "ensemble": "vote"}},
    },
    fast={
        "model_options.light": True,
        "side": 64,
        "phases": (Phase("train", epochs=30, learning_rate=3e-3, decay="cosine"),),
    },
    miniature="their light variant on 64x64, for 30 epochs with a falling rate in place of 300",
)
