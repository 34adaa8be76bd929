"""Data drawn to the shapes that public bundles' programs read, where their repositories hold none.

Random numbers, seeded: a run shows that the programs reach a status, never how good anything is.
A key is OWNER/NAME/FOLDER of competition.yaml. A drawer writes what `/app/input_data` and
`/app/input/ref` hold; where it takes a part from the repository, it says so.
"""

from __future__ import annotations

import csv
import json
import shutil
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.bundles_known import GROUP, SAMPLES

# The bundle's folder, input_data, reference_data -> where it is from, if it is not drawn.
Draw = Callable[[Path, Path, Path], str | None]
Columns = Mapping[str, Sequence[object] | NDArray[np.generic]]
ROWS, SPLITS = 60, ("train", "test", "private_test")
_WEATHER = (
    *("LAMBX", "LAMBY", "T", "TINF_H", "TSUP_H", "PRENEI", "PRELIQ", "FF", "SSI", "DLI", "HU", "Q"),
    *("ETP", "HTEURNEIGE", "RESR_NEIGE", "SNOW_FRAC", "ECOULEMENT", "SWI"),
)
_MACRO = (
    *("GDP_USD", "HighTech_Export", "Research_Spend", "Unemployment", "Trade_Openness"),
    *("Population", "Inflation", "Internet_Users", "FDI_Inflow"),
)
_WALL, _CASES = 260_774, 2  # points of an aircraft's wall, flights


def _dice() -> np.random.Generator:
    return np.random.default_rng(17)


def _table(path: Path, columns: Columns, *, header: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        if header:
            rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def _numbers(names: Sequence[str], rows: int = ROWS) -> dict[str, NDArray[np.float64]]:
    dice = _dice()
    return {name: dice.normal(size=rows).round(4) for name in names}


def _kinds(rows: int = ROWS) -> NDArray[np.int64]:
    """Two classes, in turn."""
    return np.arange(rows) % 2


def _template(features: Columns, labels: Columns, *, reference: str = "{0}_labels.csv") -> Draw:
    """The course template that many repositories began with: three splits of two CSV files."""

    def draw(_: Path, data: Path, ref: Path) -> None:
        for split in SPLITS:
            _table(data / split / f"{split}_features.csv", features)
            _table(ref / reference.format(split), labels)
        _table(data / "train" / "train_labels.csv", labels)

    return draw


def _snow(_: Path, data: Path, ref: Path) -> None:
    days = [f"2020-01-{day % 28 + 1:02d}" for day in range(ROWS)]
    columns: Columns = {"DATE": days, **_numbers(_WEATHER)}
    depth: Columns = {"DATE": days, **_numbers(["HTEURNEIGE_J7"])}
    _table(data / "X_train.csv", columns)
    _table(data / "y_train.csv", depth)
    for split in SPLITS[1:]:
        _table(data / split / "X_test.csv", columns)
        _table(ref / f"{split}_labels.csv", depth)


def _audio(_: Path, data: Path, ref: Path) -> None:
    names = [f"clip{number}" for number in range(6)]
    features: Columns = {"sample_id": names, "audio_path": [f"{name}.wav" for name in names]}
    loud: Columns = {"sample_id": names[:3], "start": [0.25] * 3, "end": [0.75] * 3}
    for split in SPLITS:
        _table(data / split / f"{split}_features.csv", features)
        _table(ref / f"{split}_features.csv", features)
        _table(ref / f"{split}_labels.csv", loud)
        for at, name in enumerate(names):
            _clip(data / split / f"{name}.wav", is_loud=at < len(loud["sample_id"]))
    _table(data / "train" / "train_labels.csv", loud)


def _clip(path: Path, *, is_loud: bool) -> None:
    """A second of noise at 8 kHz, its middle louder."""
    sound = _dice().normal(0, 300, 8000)
    if is_loud:
        sound[2000:6000] *= 30
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())


def _days(_: Path, data: Path, ref: Path) -> None:
    index: Columns = {"": range(ROWS)}
    for split in SPLITS:
        features: Columns = {**index, **_numbers(["Close", "Volume", "Return"])}
        _table(data / split / f"{split}_features.csv", features)
        _table(ref / f"{split}_labels.csv", {**index, "Target": _kinds()})
    _table(data / "train" / "train_labels.csv", {**index, "Target": _kinds()})


def _masks(_: Path, data: Path, ref: Path) -> None:
    names = [f"s{number}" for number in range(4)]
    columns: Columns = {
        "sample_id": names,
        "image_path": [f"{name}.png" for name in names],
        "mask_path": [f"{name}_mask.png" for name in names],
        "class_label": ["benign"] * len(names),
    }
    for split in SPLITS:
        for folder in (data / split, ref / split):
            _table(folder / "metadata.csv", columns)
            for name in names:
                _disc(folder / f"{name}.png", folder / f"{name}_mask.png")


def _disc(picture: Path, mask: Path) -> None:
    from PIL import Image

    y, x = np.mgrid[:48, :48]
    inside = (x - 24) ** 2 + (y - 20) ** 2 < 100
    Image.fromarray(np.where(inside, 60, 190).astype(np.uint8)).save(picture)
    Image.fromarray((inside * 255).astype(np.uint8)).save(mask)


def _trade(_: Path, data: Path, ref: Path) -> None:
    years = [year for year in range(2010, 2021) for _ in range(4)]
    keys: Columns = {
        "Year": years,
        "Source_Country": ["A", "A", "B", "B"] * 11,
        "Target_Country": ["C", "D", "C", "D"] * 11,
        "Sector_Code": ["S1", "S2", "S2", "S1"] * 11,
    }
    sides = [f"{name}_{side}" for name in _MACRO for side in ("Source", "Target")]
    macro = {name: np.abs(v) + 1 for name, v in _numbers(sides, len(years)).items()}
    target = np.abs(_numbers(["t"], len(years))["t"]) * 100
    every: Columns = {**keys, **macro}
    _table(data / "X_train.csv", _where(every, years, 2010, 2015))
    _table(data / "y_train.csv", _where({"TiVA_Value_Target": target}, years, 2010, 2015))
    _table(data / "X_test.csv", _where(every, years, 2016, 2020))
    for name, first, last in (("public", 2016, 2018), ("private", 2019, 2020)):
        labels: Columns = {**keys, "TiVA_Value_Target": target}
        _table(ref / f"labels_{name}.csv", _where(labels, years, first, last))


def _where(columns: Columns, years: Sequence[int], first: int, last: int) -> Columns:
    kept = [at for at, year in enumerate(years) if first <= year <= last]
    return {name: [values[at] for at in kept] for name, values in columns.items()}


def _crystals(_: Path, data: Path, ref: Path) -> None:
    for split in SPLITS:
        (data / split).mkdir(parents=True)
        np.save(data / split / f"X_{split}.npy", _dice().normal(size=(ROWS, 8)))
        np.save(ref / f"y_{split}.npy", _dice().normal(size=ROWS))
    np.save(data / "train" / "y_train.npy", _dice().normal(size=ROWS))


def _detector(_: Path, data: Path, ref: Path) -> None:
    steps = np.arange(0, 502, 2)
    edges = _dice().uniform(160, 300, ROWS)
    curves = 1000 / (1 + np.exp((steps - edges[:, None]) / 15)) + _dice().normal(size=(ROWS, 251))
    for name in ("train", "train_DA", "test"):
        np.savetxt(data / f"{name}.csv", curves, delimiter=",")
    np.savetxt(data / "train_labels.csv", edges)
    np.savetxt(ref / "test_labels.csv", edges)


def _unseen(_: Path, data: Path, ref: Path) -> None:
    about = {"codename": "drawn", "num_classes": 2, "benchmark": 50, "input_shape": [40, 1, 8, 8]}
    for folder in (data / "drawn", ref / "drawn"):
        folder.mkdir()
        (folder / "metadata").write_text(json.dumps(about))
        for part in ("train", "valid", "test"):
            np.save(folder / f"{part}_x.npy", _dice().normal(size=(40, 1, 8, 8)).astype("f4"))
            np.save(folder / f"{part}_y.npy", _kinds(40))


def _wall(_: Path, data: Path, ref: Path) -> None:
    points = _WALL * _CASES
    for name in ("train_data", "test_data"):
        np.save(data / f"{name}.npy", _dice().normal(size=(points, 3)).astype("f4"))
    for folder, name in ((data, "train_labels"), (ref, "test_labels")):
        np.save(folder / f"{name}.npy", _dice().normal(1, 0.1, size=(points, 1)).astype("f4"))
    np.save(ref / "test_weights.npy", np.ones(_CASES))
    np.save(ref / "test_conditions.npy", np.ones((_CASES, 3)))
    np.save(ref / "component_labels_unique.npy", np.arange(_WALL) % 4)
    parts = ("wing", "pylon", "fuselage", "nacelle")
    (ref / "component_map.json").write_text(json.dumps(dict(enumerate(parts))))


def _butterflies(folder: Path, data: Path, ref: Path) -> str:
    from PIL import Image

    shutil.copy(folder / "reference_data" / "ref_val.csv", ref)
    with (ref / "ref_val.csv").open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            picture = _dice().integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(picture).save(data / row["filename"])
    return "pictures drawn, reference theirs"


def _grains(folder: Path, data: Path, ref: Path) -> str:
    shutil.copy(folder / "reference_data" / "test_labels.json", ref)
    labels: dict[str, int] = json.loads((ref / "test_labels.json").read_text(encoding="utf-8"))
    for part in ("train", "test"):
        (data / part).mkdir()
        for name, label in labels.items():
            picture = _dice().integers(0, 255, (64, 64, 3)).astype(np.uint8)
            np.savez(data / part / name, x=picture, y=label)
    return "pictures drawn, reference theirs"


def _insects(_: Path, data: Path, ref: Path) -> None:
    import h5py

    for part in ("train", "test"):
        with h5py.File(data / f"{part}_data.h5", "w") as file:
            file["images"] = _dice().integers(0, 255, (ROWS, 32, 32, 3)).astype(np.uint8)
    np.save(data / "train_labels.npy", _kinds())
    np.save(ref / "test_labels.npy", _kinds())


def _wells(_: Path, data: Path, ref: Path) -> None:
    columns: Columns = {"station": ["a", "b"] * (ROWS // 2), **_numbers(["rain", "heat"])}
    level = _numbers(["GWL"])
    _table(data / "train" / "train.csv", {**columns, **level})
    _table(data / "test" / "test_features.csv", columns)
    _table(ref / "test_labels.csv", level)


def _people(_: Path, data: Path, ref: Path) -> None:
    columns = ("first_name", "last_name", "address", "date")
    for kind in ("easy", "hard"):
        people = {str(n): {name: f"{name}{n}" for name in columns} for n in range(10)}
        lines = [",".join((n, *person.values())) for n, person in people.items()]
        text = "\n".join(["id,first_name,last_name,address,date", *lines])
        (data / f"file_{kind}_0.csv").write_text(text)
        (ref / f"truth_{kind}.json").write_text(json.dumps(people))


def _higgs(folder: Path, data: Path, ref: Path) -> str:
    """All is there but two tables."""
    shutil.copytree(folder / "input_data", data, dirs_exist_ok=True)
    shutil.copytree(folder / "reference_data", ref, dirs_exist_ok=True)
    for part in ("train", "test"):
        rows = len((data / part / "labels" / "data.labels").read_text().splitlines())
        _table(data / part / "data" / "data.csv", _numbers(["DER_mass_vis", "PRI_met"], rows))
    return "two tables drawn"


def _stability(_: Path, data: Path, ref: Path) -> None:
    events = _numbers(["DER_mass_vis", "PRI_met"])
    ones = "1.0\n" * ROWS
    train = data / "train"
    _table(train / "data" / "data.csv", events)
    for kind, name, text in (
        ("labels", "data.labels", "0\n1\n" * (ROWS // 2)),
        *(("weights", "data.weights", ones), ("settings", "data.json", "{}")),
    ):
        (train / kind).mkdir()
        (train / kind / name).write_text(text)
    for which in range(10):
        place = data / "test" / f"set_{which}"
        (place / "weights").mkdir(parents=True)
        for number in range(100):
            _table(place / "data" / f"data_{number}.csv", events)
            (place / "weights" / f"data_{number}.weights").write_text(ones)
        (ref / f"set_{which}" / "settings").mkdir(parents=True)
        truth = json.dumps({"ground_truth_mu": 1.0})
        (ref / f"set_{which}" / "settings" / "data.json").write_text(truth)


def _two_dimensions(folder: Path, data: Path, ref: Path) -> str:
    shutil.copytree(folder / "sample_data", data, dirs_exist_ok=True)
    shutil.copytree(folder / "sample_data" / "test" / "labels", ref, dirs_exist_ok=True)
    return "its own sample_data"


def _weak_labels(folder: Path, data: Path, ref: Path) -> str:
    shutil.copytree(folder / "input_data_1", data, dirs_exist_ok=True)
    rows = sum(1 for _ in (data / "test.data").open(encoding="utf-8")) - 1
    _table(ref / "drawn.solution", {"label": _kinds(rows)})
    return "reference drawn"


def _data_sent_in(folder: Path, data: Path, ref: Path) -> str:
    """The submission is the data set, the input data are the model."""
    shutil.copytree(folder / "input_data_1", data, dirs_exist_ok=True)
    sent = folder / SAMPLES[f"{GROUP}/autowsl/dataset_submission/{folder.name}"]
    rows = sum(1 for _ in (sent / "test.data").open(encoding="utf-8")) - 1
    _table(ref / "drawn.solution", {"label": _kinds(rows)})
    return "reference drawn"


_FAIR = "ihsaan-ullah/fair-universe/Competition_Bundles"
_PLAIN: Columns = _numbers(["a", "b", "c"])
_LETTERS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
_PROTEINS = ["".join(_LETTERS[np.random.default_rng(n).integers(0, 20, 40)]) for n in range(ROWS)]
DRAWN: Mapping[str, Draw] = {
    "Akawalid/nas_automl_challenge/bundle": _unseen,
    "Akawalid/onera_468_crm_wall_distribution_regression_challenge_v2/bundle": _wall,
    "AntoineGilsonGH/DataChallengeCreation": _snow,
    "Imageomics/HDR-anomaly-challenge": _butterflies,
    "LubinLgp/CreationAiChallenge_Group1/Competition_Bundle": _grains,
    "Nazim-fad/Emergency-Audio-Event-Detection-Challenge": _audio,
    "Nazim-fad/codabench-bundle-for-ML-competition": _audio,
    "NicolasNoya/Autoregressive_Forecasting_SP500": _days,
    "Thomas-Daniel/Codabench_Oncosegment": _masks,
    "Yossarian-ipp/audenciel": _template(_PLAIN, {"label": _kinds()}),
    "axelsjrn/template_codabench": _trade,
    f"{GROUP}/autowsl/code_submission/code_submission_bundle": _weak_labels,
    f"{GROUP}/autowsl/dataset_submission/dataset_submission_bundle": _data_sent_in,
    "fasfous92/Underground_water_level_prediction_competition": _wells,
    "gbus23/datachallenge_codabench": _template(
        _PLAIN, _numbers(["value"]), reference="{0}/{0}_labels.csv"
    ),
    f"{_FAIR}/HEP": _higgs,
    f"{_FAIR}/HEP_Scores_Stability": _stability,
    f"{_FAIR}/ML_2D": _two_dimensions,
    "kenichisutan/xray_detector": _detector,
    "nardi-xhepi/template_codabench": _template({"sequence": _PROTEINS}, _numbers(["fitness"])),
    "nardi-xhepi/template_codabench/template_codabench": _template(_PLAIN, {"label": _kinds()}),
    "nicomy/DC-CSV-parsing/bundle": _people,
    "vladihnat/AI-Challenge-2025-26-Group-3-/Competition_Bundle": _insects,
    "w-h02/template_codabench": _crystals,
}
