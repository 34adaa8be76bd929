"""A stand-in for docker: writes down how it was called, and runs the command as a local process.

Beside it lie `calls`, a JSON list a line, `plan.json`: subcommand -> {"code": int, "say": str}, and
while a container runs its process number in `NAME.pid`. As with docker, killing this client does
not end the container.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
VALUED = ("--config", "--host", "--context")


def without_settings(words: list[str]) -> list[str]:
    """The words from the subcommand on."""
    while words[0] in VALUED:
        words = words[2:]
    return words


def places(options: list[str], scratch: str) -> dict[str, str]:
    """A path inside -> where it lies here; a tmpfs becomes an empty folder of its own."""
    found = {}
    for option in options:
        name, _, value = option.partition("=")
        if name == "--mount":
            keys = dict(word.split("=", 1) for word in next(csv.reader([value])) if "=" in word)
            found[keys["target"]] = keys["source"]
        elif name == "--tmpfs" and not value.startswith("/tmp:"):
            found[value.split(":")[0]] = tempfile.mkdtemp(dir=scratch)
    return found


def local(word: str, mounted: dict[str, str]) -> str:
    """A word with paths inside replaced by those here."""
    for inside in sorted(mounted, key=len, reverse=True):
        if word.startswith(inside):
            return mounted[inside] + word[len(inside) :]
    return sys.executable if word == "python3" else word


def run(words: list[str]) -> int:
    """Run a container's command here, without its walls."""
    options = [word for word in words[: words.index("an/image:1")] if word.startswith("--")]
    given = [option.partition("=")[::2] for option in options]
    values = dict(given)
    environment = dict(value.split("=", 1) for name, value in given if name == "--env")
    with tempfile.TemporaryDirectory() as scratch:
        mounted = places(options, scratch)
        process = subprocess.Popen(
            [local(word, mounted) for word in words[words.index("an/image:1") + 1 :]],
            cwd=local(values["--workdir"], mounted),
            env={"PATH": "/usr/bin:/bin"}
            | {name: local(value, mounted) for name, value in environment.items()},
            start_new_session=True,
        )
        (HERE / f"{values['--name']}.pid").write_text(str(process.pid))
        return process.wait()


def remove(name: str) -> int:
    """End a container."""
    try:
        os.killpg(int((HERE / f"{name}.pid").read_text()), signal.SIGKILL)
    except OSError:
        return 1
    return 0


def main() -> int:
    """What docker would do, in small."""
    words = without_settings(sys.argv[1:])
    with (HERE / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    plan = json.loads((HERE / "plan.json").read_text()).get(words[0], {})
    if words[0] == "run":
        return run(words)
    if words[0] == "rm":
        return remove(words[-1])
    print(plan.get("say", ""), file=sys.stderr if plan.get("code") else sys.stdout)
    return int(plan.get("code", 0))


if __name__ == "__main__":
    sys.exit(main())
