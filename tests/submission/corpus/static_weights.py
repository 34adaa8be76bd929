"""Weights that are not opened, not there, not loadable or not fitting: seen without Keras."""

from __future__ import annotations

import pickle

from tests.submission.corpus import keras_layers as text
from tests.submission.corpus.case import INIT, Case, Content, files, only, page
from tests.submission.corpus.keras_page import INIT as LOAD
from tests.submission.corpus.keras_page import keras_page
from tests.submission.corpus.keras_zip import (
    LAMBDA,
    dense,
    entry,
    hdf5,
    keras_zip,
    layer,
    older_hdf5,
)
from tests.submission.corpus.pictures import CENTRES_NPY

GAIN = layer("Gain", "layers", "Gain", factor=1.0, dtype="float32")
GAIN_REGISTERED = layer("Gain", "layers", "Custom>Gain", factor=1.0, dtype="float32")
STRICT = layer("Strict", "layers", "Strict", factor=1.0, dtype="float32")
FORGETS = layer("Forgets", "layers", "Forgets", dtype="float32")
BACKBONE = layer("EfficientNetBackbone", "keras_cv.models", "keras_cv>EfficientNetBackbone")
LOSS = {
    "loss": {
        "module": "builtins",
        "class_name": "function",
        "config": "focal",
        "registered_name": "function",
    }
}
OPENED = "open({!r}).close()"
H5 = LOAD.replace("w.keras", "w.h5")
WEIGHTS_H5 = LOAD.replace("w.keras", "w.weights.h5")
CHDIR_LATE = 'self.centres = np.load("weights.npy")\nimport os\nos.chdir(os.path.dirname(__file__))'


def _loads(name: str, path: str, *codes: str, **fields: object) -> Case:
    return Case(name, files(page(init=path)), codes, **fields)  # type: ignore[arg-type]  # as Case has them


def _keras(name: str, weights: bytes, *codes: str, model: str = "", **fields: object) -> Case:
    more: dict[str, Content] = fields.pop("more", {})  # type: ignore[assignment]  # only files
    contents: dict[str, Content] = {"model.py": model or keras_page(), "w.keras": weights, **more}
    return Case(name, contents, codes, **fields)  # type: ignore[arg-type]  # as Case has them


def _h5(
    name: str, file: str, weights: bytes, *codes: str, init: str = H5, **fields: object
) -> Case:
    contents: dict[str, Content] = {"model.py": keras_page(init=init), file: weights}
    return Case(name, contents, codes, **fields)  # type: ignore[arg-type]  # as Case has them


CASES: list[Case] = [
    # opened, but where
    Case("another name", {"model.py": page(), "best.npy": CENTRES_NPY}, ("S301",)),
    Case("another case", {"model.py": page(), "Weights.npy": CENTRES_NPY}, ("S327",)),
    Case("in a folder", {"model.py": page(), "weights/weights.npy": CENTRES_NPY}, ("S301",)),
    _loads("joined path", 'import os\nself.centres = np.load(os.path.join(os.path.dirname(__file__), "models", "best.npy"))', "S301"),
    _loads("name in a constant", 'NAME = "best"\nself.centres = np.load(Path(__file__).parent / f"{NAME}.npy")', "S301"),
    _loads("with_name", 'self.centres = np.load(Path(__file__).with_name("best.npy"))', "S301"),
    Case("name at the top of the module", files(page(init="self.centres = np.load(PATH)", top='FOLDER = Path(__file__).resolve().parent\nPATH = FOLDER / "best.npy"')), ("S301",)),
    Case("opened in a helper", files(page(top="import helper"), helper_py='import numpy as np\nfrom pathlib import Path\nTABLE = np.load(Path(__file__).parent / "table.npy")\n'), ("S301",)),
    Case("no weights", only(page(init="self.centres = np.arange(8)")), ("S302",), "warning"),
    _loads("path of Colab", 'self.centres = np.load("/content/drive/MyDrive/weights.npy")', "S305"),
    _loads("path of Kaggle", 'ROOT = Path("/kaggle/working")\nself.centres = np.load(ROOT / "weights.npy")', "S305"),
    _loads("path of Windows", 'self.centres = np.load(r"C:\\Users\\me\\weights.npy")', "S305"),
    _loads("home folder", 'self.centres = np.load(Path.home() / "weights.npy")', "S305"),
    _loads("working folder", 'self.centres = np.load("weights.npy")', "S306", severity="warning"),
    _loads("working folder by os.getcwd", 'import os\nself.centres = np.load(os.path.join(os.getcwd(), "weights.npy"))', "S306", severity="warning"),
    _loads("working folder by a dot", 'self.centres = np.load(Path("./weights.npy"))', "S306", severity="warning"),
    _loads("changes directory too late", CHDIR_LATE, "S306", severity="warning"),
    Case("weights that nothing opens", {**files(page()), "old.npy": CENTRES_NPY}, ("S318",), "note"),
    # .keras, by the server's Keras
    _keras("a newer Keras", keras_zip(entry(), dense(quantization_config=None), version="3.15.1"), "S303"),
    _keras("a newer layer", keras_zip(entry(), layer("RMSNormalization"), dense(), version="3.15.1"), "S303"),
    _keras("optimizer state", keras_zip(optimizer=20_000), "S304", severity="note"),
    _keras("a lambda", keras_zip(entry(), LAMBDA, dense()), "S307"),
    _keras("a lambda of a newer Keras", keras_zip(entry(), LAMBDA, dense(), version="3.15.1"), "S307"),
    _keras("a lambda, let in", keras_zip(entry(), LAMBDA, dense()), "S316", severity="warning", model=keras_page(init=LOAD.replace('"w.keras")', '"w.keras", safe_mode=False)'))),
    _keras("a class of nowhere", keras_zip(entry(), GAIN, dense()), "S308"),
    _keras("a registered class of nowhere", keras_zip(entry(), GAIN_REGISTERED, dense()), "S308"),
    _keras("defined, but not registered", keras_zip(entry(), layer("Gain", "train", "Gain"), dense()), "S308", model=keras_page(top=text.GAIN)),
    _keras("registered where nobody imports it", keras_zip(entry(), layer("Gain", "train", "Custom>Gain"), dense()), "S308", more={"gain.py": text.HEAD + text.REGISTERED}),
    _keras("a layer of another package", keras_zip(entry(), BACKBONE, dense()), "S309", severity="warning"),
    _keras("a loss of its own", keras_zip(compile_config=LOSS), "S308"),
    _keras("a custom class inside another layer", keras_zip(entry(), layer("TimeDistributed", layer=GAIN), dense()), "S308"),
    _keras("takes no name", keras_zip(entry(), STRICT, dense()), "S310", allowed=frozenset({"S309"}), more={"layers.py": text.HEAD + text.STRICT}),
    _keras("its config lacks an argument", keras_zip(entry(), FORGETS, dense()), "S310", allowed=frozenset({"S309"}), more={"layers.py": text.HEAD + text.FORGETS}),
    _keras("another image size", keras_zip(entry(64), dense()), "S311", severity="warning"),
    _keras("grey images", keras_zip(entry(96, 1), dense()), "S311", severity="warning"),
    _keras("ten classes", keras_zip(entry(), dense(10)), "S312", severity="warning"),
    _keras("no zip", b"not a zip", "S315"),
    _keras("HDF5 under the name .keras", older_hdf5(), "S315"),
    _keras("no config in it", b"PK\x05\x06" + bytes(18), "S315"),
    _keras("weights inside cut short", keras_zip(weights=hdf5()[:900]), "S315"),
    _keras("empty file", b"", "S315"),
    _keras("load_model would delete its neighbour", keras_zip(), "S314", more={"model.weights.h5": hdf5()}, model=keras_page(init=f'{LOAD}\nself.net.load_weights(HERE / "model.weights.h5")')),
    _keras("arrays of 2.4 GB", keras_zip(weights=hdf5(values=600_000_000)), "S406", severity="warning"),
    # .h5
    _h5("HDF5 of a newer Keras", "w.h5", older_hdf5([entry(), dense(quantization_config=None)], "3.15.1"), "S313"),
    _h5("HDF5 with optimizer state", "w.h5", older_hdf5(optimizer=20_000), "S304", severity="note"),
    _h5("HDF5 with ten classes", "w.h5", older_hdf5([entry(), dense(10)]), "S312", severity="warning"),
    _h5("HDF5 with a custom class", "w.h5", older_hdf5([entry(), GAIN, dense()]), "S308"),
    _h5("HDF5 cut short", "w.h5", older_hdf5()[:1500], "S315"),
    _h5("weights without their network", "w.weights.h5", hdf5(), "S319", init=WEIGHTS_H5),
    _h5("a SavedModel folder", "net/saved_model.pb", b"\x08\x01", "S320", init=LOAD.replace("w.keras", "net")),
    _h5("load_model of a pickle", "w.pkl", pickle.dumps(1), "S320", "S316", init=LOAD.replace("w.keras", "w.pkl")),
    # others
    Case("a name that nothing is seen to open", {**files(page(init=f"{INIT}\nself.names = ['best.keras']"))}, ("S322",), "warning"),
    Case("a pickle", {**files(page(init=f'{INIT}\nimport pickle\nself.scaler = pickle.load(open(Path(__file__).with_name("s.pkl"), "rb"))')), "s.pkl": pickle.dumps(1)}, ("S316",), "warning"),
    Case("a joblib file", {**files(page()), "s.joblib": pickle.dumps(1)}, ("S316",), "warning"),
    Case("PyTorch weights", {**files(page(top="import torch")), "w.pt": b"PK"}, ("S317", "S211"), "warning"),
    Case("a .npy file cut short", {"model.py": page(), "weights.npy": CENTRES_NPY[:100]}, ("S315",)),
    Case("a .npy file that is none", {"model.py": page(), "weights.npy": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, ("S315",)),
    Case("a .npz file that is none", {"model.py": page(init='self.centres = np.load(Path(__file__).with_name("a.npz"))["x"]'), "a.npz": b"PK\x03\x04"}, ("S315",)),
    _keras("a pointer instead of weights", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "S315"),
    _loads("path of one worker's output", 'self.centres = np.load("/app/output/weights.npy")', "S326", severity="warning"),
    Case("path of one worker's output, the other worker", files(page(init='self.centres = np.load("/app/output/weights.npy")')), ("S326",), challenge={"worker": "2026-10"}),
    Case("a pickle called .keras", files(page(init=f'{INIT}\nimport pickle\nself.more = pickle.loads((Path(__file__).parent / "w.keras").read_bytes())'), **{"w.keras": pickle.dumps(1)}), ("S315",), "warning"),
]  # fmt: skip
