"""Write `submission/backport_tables/keras-<target>.json` from the Keras versions themselves.

    python -m venv /opt/server217
    /opt/server217/bin/pip install tensorflow-cpu==2.17.0 keras==3.4.1
    .venv/bin/python tools/make_backport_table.py /opt/server217/bin/python

The first argument is a Python with the target's Keras. The sources are the Keras of the running
Python and the versions in SOURCES, whose wheels are downloaded and put on its path: importing
them needs no TensorFlow of their time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLES = HERE.parent / "submission" / "backport_tables"
SOURCES = (
    *("3.5.0", "3.6.0", "3.7.0", "3.8.0", "3.9.2", "3.10.0", "3.11.3", "3.12.0", "3.13.2"),
    "3.14.0",
)
COMMAND = ".venv/bin/python tools/make_backport_table.py PYTHON_WITH_THE_TARGET"
# What the base class Layer takes; "*" in a class's list stands for all of them.
LAYER_KEYS = ["activity_regularizer", "autocast", "dtype", "name", "trainable"]
FUNCTION_MODULES = ("keras.activations.", "keras.losses.", "keras.metrics.", "keras.ops.")
# Found by running models on both sides: read by the target, but not as it was meant.
DIFFERS = {
    "3.4.1": {
        "keras.initializers.IdentityInitializer": "is not read back, not even from its own files",
        "keras.layers.RandomCrop": "crops and resizes when it predicts; newer ones do nothing then",
        "keras.src.ops.image.ExtractPatches": "fails once it is loaded from a file",
    }
}

Dump = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Ask each Keras and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", help="a Python that imports the target's Keras")
    parser.add_argument("--sources", nargs="*", default=SOURCES, help="newer versions, from PyPI")
    options = parser.parse_args(argv)
    target = ask(options.target)
    with tempfile.TemporaryDirectory() as folder:
        sources = [ask(sys.executable, wheel(v, Path(folder))) for v in options.sources]
    sources.append(ask(sys.executable))
    path = TABLES / f"keras-{target['keras']}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(render(table(target, sources)), encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes from Keras {[s['keras'] for s in sources]}")
    return 0


def ask(python: str, path: Path | None = None) -> Dump:
    """Run `keras_api.py` under that Python, with that folder's Keras if given."""
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    done = subprocess.run(
        [python, str(HERE / "keras_api.py")],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    dump: Dump = json.loads(done.stdout)
    return dump


def wheel(version: str, folder: Path) -> Path:
    """Download and unpack Keras of that version."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    subprocess.run([*command, f"keras=={version}"], check=True, stderr=subprocess.DEVNULL)
    unpacked = folder / version
    zipfile.ZipFile(folder / f"keras-{version}-py3-none-any.whl").extractall(unpacked)
    return unpacked


def table(target: Dump, sources: list[Dump]) -> Dump:
    """Return what the target takes and what the sources write beyond it."""
    described = target["classes"] | {
        name: target["classes"][written]
        for name, written in target["aliases"].items()
        if name in merged(sources, "classes")
    }
    return {
        "schema": 1,
        "target": target["keras"],
        "sources": [source["keras"] for source in sources],
        "refresh": COMMAND,
        "differs": DIFFERS.get(target["keras"], {}),
        "layer_keys": LAYER_KEYS,
        "accepts": {name: shortened(described[name]["accepts"]) for name in sorted(described)},
        "operations": sorted(target["operations"]),
        "defaults": defaults(described, sources),
        "idle": idle(sources),
        "new_classes": sorted(merged(sources, "classes") - set(described)),
        "activations": target["activations"],
        "new_activations": sorted(merged(sources, "activations") - set(target["activations"])),
        "functions": [n for n in target["functions"] if n.startswith(FUNCTION_MODULES)],
    }


def shortened(keys: list[str]) -> list[str]:
    """Put "*" for the keys of the base class."""
    if not set(LAYER_KEYS) <= set(keys):
        return keys
    return ["*", *(key for key in keys if key not in LAYER_KEYS)]


def merged(sources: list[Dump], key: str) -> set[str]:
    """Return all names under that key in any source."""
    return set().union(*(source[key] for source in sources))


def idle(sources: list[Dump]) -> list[str]:
    """Return the augmentations that do nothing outside training in every source that has them."""
    return sorted(
        name
        for name in merged(sources, "idle")
        if all(name in source["idle"] for source in sources if name in source["classes"])
    )


def defaults(known: Dump, sources: list[Dump]) -> dict[str, dict[str, list[Any]]]:
    """Return, for keys of the sources that the target lacks, the values that mean nothing."""
    found: dict[str, dict[str, list[Any]]] = {}
    for source in sources:
        for name in set(source["classes"]) & set(known):
            described = source["classes"][name]
            for key in set(described["accepts"]) - set(known[name]["accepts"]):
                values = found.setdefault(name, {}).setdefault(key, [])
                values.extend(v for v in described["defaults"].get(key, []) if v not in values)
    return {name: dict(sorted(keys.items())) for name, keys in sorted(found.items())}


def render(content: Dump) -> str:
    """Return the table as JSON with one class a line, so that a difference can be read."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            rows = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{rows}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
