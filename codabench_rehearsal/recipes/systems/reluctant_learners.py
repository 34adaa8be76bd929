"""An ImageNet network under a small attention head, trained on filled-up classes and RandAugment.

Source: report of the team Reluctant Learners, AN2DL 2024/25, challenge 1. They compared nine
backbones; EfficientNetV2S did best and got 0.90 on Codabench.

Data: duplicates and blended outliers out, small classes filled up with rotated, flipped and
stretched copies, 80/10/10. Head: global average pooling, squeeze-and-excitation, Dense 128,
dropout 0.4 and 0.2. First the head alone (Adam 2e-4), then everything (Lion 5e-5), batch 64.

Cost: EfficientNetV2S has 20 M parameters; up to 160 epochs are work for a GPU.
Ours, where the report says nothing: KerasCV's defaults for RandAugment, the places of the dropouts, and
the squeeze to a sixteenth.
"""

from codabench_rehearsal.recipes.system import Phase, System

BACKBONES = (
    *("MobileNetV3Small", "EfficientNetB2", "EfficientNetB3", "EfficientNetV2B2"),
    *("EfficientNetV2B3", "EfficientNetV2S", "EfficientNetV2M"),
)

SYSTEM = System(
    name="reluctant_learners",
    summary="EfficientNetV2S, squeeze-and-excitation head, RandAugment, classes filled up",
    source="report of the team Reluctant Learners, AN2DL 2024/25",
    reported="Codabench 0.90",
    cost="20 M parameters, up to 160 epochs: for a GPU",
    model="transfer",
    model_options={
        "backbone": "EfficientNetV2S",
        "head": "excited",
        "dense": 128,
        "dropouts": (0.4, 0.2),
    },
    validation=0.1,
    test=0.1,
    balance=("rotations", "flips", "stretch"),
    copies=(("rand_augment",),),
    phases=(
        Phase("warm-up", epochs=40, learning_rate=2e-4, trainable=0.0, patience=5),
        Phase("fine-tune", epochs=120, learning_rate=5e-5, optimizer="lion", patience=13),
    ),
    batch=64,
    options={"backbone": {name: {"model_options.backbone": name} for name in BACKBONES}},
    fast={
        "model_options.backbone": "MiniEfficientNetV2",
        "side": 64,
        "phases": (
            Phase("warm-up", epochs=4, learning_rate=2e-3, trainable=0.0),
            Phase("fine-tune", epochs=20, learning_rate=4e-4, optimizer="lion", decay="cosine"),
        ),
    },
    miniature="a network of the same blocks with two hundredths of the weights, untrained before, on "
    "64x64; so both phases train all of it, at higher rates, for 24 epochs in place of 160",
)
