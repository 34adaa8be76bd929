"""Make .venv and install the locked dependencies; does nothing when they are there already.

Runs on whatever Python the machine has, so it keeps to old syntax until the version is checked.
"""

from __future__ import print_function

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - old Pythons
NO_NETWORK = (
    "NewConnectionError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "ConnectTimeoutError",
    "No matching distribution found",
)


def stop(message):
    """End with one line."""
    sys.stderr.write("setup: " + message + "\n")
    sys.exit(2)


def check_python():
    """Stop unless this Python can run the project and make a virtual environment."""
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        stop(
            "Python 3.11, 3.12 or 3.13 is needed (TensorFlow has no others); this is %d.%d. "
            "Install one (Debian/Ubuntu: apt install python3 python3-venv) and run "
            "make PYTHON=python3.12 ..." % here
        )
    try:
        import ensurepip  # noqa: F401 - Debian keeps it in a package of its own
        import venv  # noqa: F401
    except ImportError:
        stop(
            "this Python has no venv module. Debian/Ubuntu: apt install python%d.%d-venv, "
            "then run make again." % here
        )


def stamp_text():
    """What the environment depends on: the lock, the project file, the Python, the place."""
    import hashlib

    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:  # noqa: PTH118, PTH123
            digest.update(file.read())
    digest.update(repr((sys.version, ROOT)).encode())
    return digest.hexdigest()


def pip(python, *arguments):
    """Run pip, show its progress, and stop with one line when it fails."""
    import subprocess

    command = [python, "-m", "pip", "--disable-pip-version-check", "--retries", "1"]
    if not sys.stdout.isatty():
        command.append("-q")
    done = subprocess.run(command + list(arguments), stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return
    if any(sign in done.stderr for sign in NO_NETWORK):
        stop("could not download the dependencies: is there a network? Then run make again.")
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    stop("pip failed: " + (lines[0] if lines else done.stderr.strip()[-300:]))


def main():
    """Bring .venv up to date."""
    check_python()
    import shutil
    import subprocess
    import venv
    from pathlib import Path

    folder = Path(ROOT) / ".venv"
    stamp, python = folder / "stamp", folder / "bin" / "python"
    expected = stamp_text()
    if stamp.exists() and stamp.read_text() == expected:
        return
    print("setup: installing the locked dependencies into .venv (about 1 GB to download, once)")
    if (
        not python.exists()
        or subprocess.run(
            [python, "-m", "pip", "--version"], capture_output=True, check=False
        ).returncode
    ):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
    lock = str(Path(ROOT) / "requirements.lock")
    pip(str(python), "install", "--no-deps", "--require-hashes", "-r", lock)
    pip(str(python), "install", "--no-deps", "--no-build-isolation", "-e", ROOT)
    stamp.write_text(expected)


if __name__ == "__main__":
    main()
