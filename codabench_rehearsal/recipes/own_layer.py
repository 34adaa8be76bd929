"""The one layer of our own. The file goes into the zip as it is, so it needs nothing but Keras."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("recipes")
class OverlayMask(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Finds dark bars and strips on images in 0..255 and puts each image's mean colour there.

    Pixels darker than `threshold` (mean of the three colours) are the first guess. An erosion by
    `size` pixels takes what is thinner out of it, specks and the edges of nuclei; a dilation by
    two pixels more gives the rest its old extent and a pixel around it, where resizing has mixed
    bar and cell. Both are poolings, so that it runs with the network, on any backend. After
    overfitting_gods; threshold, size and the colour are ours.
    """

    def __init__(self, threshold: float = 40.0, size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise ValueError(f"size has to be an odd number of pixels, not {size}")
        self.threshold = float(threshold)
        self.size = int(size)

    def call(self, inputs: Any) -> Any:
        """Return the images (n, h, w, 3) with the overlay blanked, in the layer's dtype."""
        # Sums over an image go beyond what half precision holds.
        images = keras.ops.cast(inputs, "float32")
        mask = self.mask(images)
        seen = 1.0 - mask
        count = keras.ops.maximum(keras.ops.sum(seen, axis=(1, 2), keepdims=True), 1.0)
        colour = keras.ops.sum(images * seen, axis=(1, 2), keepdims=True) / count
        return keras.ops.cast(images * seen + colour * mask, self.compute_dtype)

    def mask(self, images: Any) -> Any:
        """Return the overlay's mask (n, h, w, 1), 1.0 where it lies, of float32 images."""
        grey = keras.ops.mean(images, axis=-1, keepdims=True)
        dark = keras.ops.cast(grey < self.threshold, "float32")
        eroded = 1.0 - self.widest(1.0 - dark, self.size)
        return self.widest(eroded, self.size + 2)

    def widest(self, values: Any, size: int) -> Any:
        """Return each pixel's maximum over a square of `size` pixels."""
        return keras.ops.max_pool(
            values, size, strides=1, padding="same", data_format="channels_last"
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the images, which stays."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same layer again."""
        return {**super().get_config(), "threshold": self.threshold, "size": self.size}
