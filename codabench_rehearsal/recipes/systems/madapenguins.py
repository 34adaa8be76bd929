"""A pretrained network on carefully cleaned, hardly augmented images: the negative control.

Source: report of the team MadaPenguins, AN2DL 2024/25, challenge 1. Validation accuracy 0.9818,
Codabench 0.51: whoever trains on clean images learns nothing about damaged ones.

Data: duplicates out, outliers by an isolation forest, 80/20, classes weighted inversely to their
frequency. Augmentation: slight rotation, flip, zoom, brightness, noise. ResNet50 (also Xception,
InceptionV3, InceptionResNetV2), global average pooling, Dense 512 and 256 with L2 and dropout 0.5;
Lion 1e-4 on the head, then 1e-5 with the last block, 30 and 70 epochs, batch 64, the rate lowered
on plateaus, patience 15.

Cost: 25 M parameters, of which the first phase trains 1.2 M; hours on 2 cores, minutes on a GPU.
Ours, where the report says nothing: the share the forest drops, L2's strength, the plateau's patience
and factor.
"""

from codabench_rehearsal.recipes.system import Phase, System

BACKBONES = ("ResNet50", "Xception", "InceptionV3", "InceptionResNetV2")

SYSTEM = System(
    name="madapenguins",
    summary="ResNet50 on clean, lightly augmented images: the negative control",
    source="report of the team MadaPenguins, AN2DL 2024/25",
    reported="validation 0.9818, Codabench 0.51",
    cost="25 M parameters, up to 100 epochs: for a GPU",
    model="transfer",
    model_options={
        "backbone": "ResNet50",
        "head": "two_dense",
        "dense": (512, 256),
        "l2": 1e-4,
        "dropout": 0.5,
    },
    isolation=0.01,
    validation=0.2,
    class_weights=True,
    copies=(("light",),),
    phases=(
        Phase(
            "head", epochs=30, learning_rate=1e-4, optimizer="lion", trainable=0.0,
            patience=15, plateau=5,
        ),
        Phase(
            "last block", epochs=70, learning_rate=1e-5, optimizer="lion", trainable="last",
            patience=15, plateau=5,
        ),
    ),
    batch=64,
    options={"backbone": {name: {"model_options.backbone": name} for name in BACKBONES}},
    fast={
        "model_options.backbone": "MiniResNet",
        "model_options.dense": (128, 64),
        "side": 64,
        "phases": (
            Phase("head", epochs=4, learning_rate=1e-3, optimizer="lion", trainable=0.0),
            Phase(
                "last block", epochs=28, learning_rate=3e-4, optimizer="lion", trainable="last",
                decay="cosine",
            ),
        ),
    },
    miniature="a small residual network, untrained before, on 64x64, with a narrower head; so both phases "
    "train all of it, at higher rates, for 32 epochs in place of 100",
)  # fmt: skip
