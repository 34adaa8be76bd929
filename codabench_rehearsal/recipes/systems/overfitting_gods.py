"""ConvNeXt under an Inception head, focal loss, thawed little by little: the best of the five.

Source: report of the team Overfitting Gods, AN2DL 2024/25, challenge 1. Codabench 0.96.

Data: classes balanced with rotated and flipped copies; AugMix, then RandAugment, drawn anew in every
epoch, and once, the same way, for the validation images. Head: max-pooling, three convolution paths
behind 1x1 bottlenecks and a pooled one, concatenated, global average pooling, dropout, dense. Focal
loss with smoothed labels: y' = (1 - S) y + S / K, FL = -sum_k alpha y'_k (1 - p_k)^gamma log p_k with
S = 0.05, alpha = 1, gamma = 0.5. The head trains for as many epochs as cross-validation finds, without
validation; then the backbone is thawed from the top in short phases, each with a lower rate and its
own early stopping. Predictions average flips and rotations.

By option: their masking layer (threshold, erosion and dilation by pooling); their recovery of the
picture that was blended into outliers, C = (A - a B) / (1 - a), which is then laid over the training
images; their first, light pipeline. `train-recipe picture` draws class activation maps.

Cost: ConvNeXtBase has 88 M parameters, and the head trains once for each fold: work for a large GPU.
Ours, where the report says nothing: rates, epochs, the shares thawed, five folds. The team trained its
head on all images in the end; here the validation side stays out, so that local-eval has
images to judge by.
"""

from codabench_rehearsal.recipes.system import Phase, System

BACKBONES = ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge")
THAWED = ((0.1, 1e-4), (0.25, 5e-5), (0.5, 2.5e-5), (1.0, 1.25e-5))  # share, learning rate


def _micro(share: float, rate: float) -> Phase:
    return Phase(f"thaw {share:.0%}", epochs=10, learning_rate=rate, trainable=share, patience=3)


SYSTEM = System(
    name="overfitting_gods",
    summary="ConvNeXt, Inception head, focal loss, thawed little by little, views averaged",
    source="report of the team Overfitting Gods, AN2DL 2024/25",
    reported="Codabench 0.96",
    cost="88 M parameters, six trainings of the head: for a large GPU",
    model="transfer",
    model_options={"backbone": "ConvNeXtBase", "head": "inception"},
    balance=("rotations", "flips"),
    copies=(("aug_mix", "rand_augment"),),
    hurt_validation=True,
    loss="focal",
    loss_options={"label_smoothing": 0.05, "alpha": 1.0, "gamma": 0.5},
    phases=(
        Phase("head", epochs=30, learning_rate=1e-3, trainable=0.0, patience=5, folds=5),
        *(_micro(share, rate) for share, rate in THAWED),
    ),
    tta="d4",
    options={
        "backbone": {name: {"model_options.backbone": name} for name in BACKBONES},
        "mask": {"yes": {"model_options.mask": True}},
        "recover": {
            "yes": {"recover": True, "copies": (("overlay_convex", "aug_mix", "rand_augment"),)}
        },
        "augmentation": {"first": {"copies": (("first_light",),), "hurt_validation": False}},
        "tta": {"none": {"tta": "none"}},
    },
    fast={
        "model_options.backbone": "MiniConvNeXt",
        "side": 64,
        "phases": (
            Phase("head", epochs=4, learning_rate=2e-3, trainable=0.0, patience=2, folds=2),
            Phase("thaw 50%", epochs=7, learning_rate=2e-3, trainable=0.5, patience=3),
            Phase("thaw 100%", epochs=12, learning_rate=1e-3, decay="cosine", patience=4),
        ),
    },
    miniature="a network of the same blocks with a hundredth of the weights, untrained before, on 64x64; so "
    "every phase trains all of it; two folds for five and two thaws for four",
)
