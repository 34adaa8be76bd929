"""Write tests/corruptions/kerascv_0_9_0.npz: what KerasCV's layers make of fixed images and values.

Run in an environment of its own: pip install keras-cv==0.9.0 tensorflow-cpu; python FILE OUT.npz
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
from keras_cv.src.layers import preprocessing as layers
from keras_cv.src.utils import preprocessing

SIDE, COUNT = 32, 4


def draw_images(rng: np.random.Generator) -> np.ndarray:
    """Smooth images with different ranges, float32 `(COUNT, SIDE, SIDE, 3)` of whole levels."""
    y, x = np.mgrid[:SIDE, :SIDE, :1][:2] / SIDE
    waves = [np.sin(f[0] * x + f[1] * y + f[2]) for f in rng.uniform(0, 9, (COUNT, 3, 3))]
    low, high = rng.uniform(0, 90, (COUNT, 1, 1, 3)), rng.uniform(150, 255, (COUNT, 1, 1, 3))
    return np.rint(low + (np.stack(waves) + 1) / 2 * (high - low)).astype(np.float32)


def run(images: np.ndarray, value: np.ndarray, pair: np.ndarray) -> dict[str, tf.Tensor]:
    """Each layer's output for values in -0.8..0.8 and (added, threshold) pairs."""
    batch, each = tf.constant(images), tf.constant(value.reshape(-1, 1, 1, 1))
    column, zero = tf.constant(value[:, None]), tf.zeros((COUNT, 1))
    shear, shift = layers.RandomShear(x_factor=0.5), layers.RandomTranslation(0.5, 0.5)
    turn = preprocessing.get_rotation_matrix(tf.constant(value * 4), float(SIDE), float(SIDE))
    across = {"width_translations": column, "height_translations": zero}
    down = {"width_translations": zero, "height_translations": column}
    solarize = layers.Solarization((0, 255), 0.5, 0.5)
    added, threshold = (tf.constant(part.reshape(-1, 1, 1, 1)) for part in pair.T)
    return {
        "autocontrast": layers.AutoContrast((0, 255)).augment_images(batch),
        "equalize": layers.Equalization((0, 255)).augment_images(batch),
        "solarize": solarize.augment_images(batch, {"additions": added, "thresholds": threshold}),
        "color": layers.RandomColorDegeneration(0.5).augment_images(batch, abs(each)),
        "adjust_contrast": layers.RandomContrast((0, 255), 0.5).augment_images(batch, 1 + each),
        "adjust_brightness": layers.RandomBrightness(0.5).augment_images(batch, each * 255),
        "shear_x": shear.augment_images(batch, {"shear_x": column, "shear_y": None}),
        "shear_y": shear.augment_images(batch, {"shear_x": None, "shear_y": column}),
        "translate_x": shift.augment_images(batch, across),
        "translate_y": shift.augment_images(batch, down),
        "rotate": preprocessing.transform(batch, turn),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    images = draw_images(rng)
    value = rng.uniform(-0.8, 0.8, COUNT).astype(np.float32)
    pair = rng.uniform((0, 0), (110, 255), (COUNT, 2)).astype(np.float32)
    outputs = {name: np.rint(out) for name, out in run(images, value, pair).items()}
    levels = {name: out.astype(np.uint8) for name, out in {"images": images, **outputs}.items()}
    np.savez_compressed(sys.argv[1], value=value, pair=pair, **levels)
