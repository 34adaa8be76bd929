"""ImageNet networks on three copies of the data: RandAugment and AugMix twice, CutMix and MixUp once.

Source: report of the team Hidden Players, AN2DL 2024/25, challenge 1. On their own randomised
benchmark and on Codabench: 0.931 / 0.88, 0.940 / 0.89, 0.945 / 0.90; an ensemble of three 0.917.

They began with a small CNN and three sets of augmentations: A1 (flip, scale), A2 (rotate, translate,
shear), A3 (contrast, brightness, colour). The final pipeline trains ResNet50, ResNet152,
EfficientNetB5 and B6, VGG16 and MobileNet under Dense 1024 and 128: frozen first, then as a whole.

Cost: ResNet50 has 24 M parameters, and an epoch is three times the data: work for a GPU.
Ours, where the report says nothing: rates, epochs and patience, which three networks make the ensemble,
the small CNN's widths, and the chains of the benchmark.
"""

from codabench_rehearsal.recipes.system import Phase, System

BACKBONES = ("ResNet50", "ResNet152", "EfficientNetB5", "EfficientNetB6", "VGG16", "MobileNet")
HURT = ("flips", "aug_mix", "rand_augment")
THREE = ("ResNet152", "EfficientNetB5", "EfficientNetB6")

SYSTEM = System(
    name="hidden_players",
    summary="ResNet50 on three copies: RandAugment and AugMix twice, CutMix and MixUp once",
    source="report of the team Hidden Players, AN2DL 2024/25",
    reported="Codabench 0.88 to 0.90; ensemble of three 0.917",
    cost="25 M parameters, up to 60 epochs of three times the data: for a GPU",
    model="transfer",
    model_options={"backbone": "ResNet50", "head": "two_dense", "dense": (1024, 128)},
    copies=(HURT, HURT, ("cut_mix", "mix_up")),
    benchmark=(("rand_augment",), ("aug_mix",), ("a1", "a2", "a3")),
    phases=(
        Phase("frozen", epochs=20, learning_rate=1e-3, trainable=0.0, patience=5),
        Phase("fine-tune", epochs=40, learning_rate=1e-4, patience=10, plateau=4),
    ),
    options={
        "backbone": {name: {"model_options.backbone": name} for name in BACKBONES},
        "augmentation": {
            "none": {"copies": ((),)},
            "a1": {"copies": (("a1",),)},
            "a2": {"copies": (("a2",),)},
            "a3": {"copies": (("a3",),)},
            "all": {"copies": (("a1", "a2", "a3"),)},
        },
        "network": {
            "small": {
                "model": "plain_cnn",
                "model_options": {},
                "phases": (Phase("train", epochs=60, learning_rate=1e-3, patience=10),),
            }
        },
        "ensemble": {
            "three": {"members": tuple({"model_options.backbone": name} for name in THREE)}
        },
    },
    fast={
        "model_options": {"backbone": "MiniResNet", "head": "two_dense", "dense": (128, 64)},
        "side": 64,
        "phases": (
            Phase("frozen", epochs=2, learning_rate=2e-3, trainable=0.0),
            Phase("fine-tune", epochs=11, learning_rate=1e-3, decay="cosine"),
        ),
    },
    miniature="a small residual network, untrained before, on 64x64, with a narrower head; so both phases "
    "train all of it, for 13 epochs (of three copies) in place of 60",
)
