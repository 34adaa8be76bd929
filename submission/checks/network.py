"""Checks for downloads: an operator can switch the network off, and the facts do not say who did."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.modules import Module
from submission.checks.registry import Subject, check

CALLS = (
    "urllib.request.urlopen", "urllib.request.urlretrieve", "requests.get", "requests.post",
    "requests.request", "requests.Session", "urllib3.PoolManager", "http.client.HTTPConnection",
    "http.client.HTTPSConnection", "socket.create_connection", "ftplib.FTP", "wget.download",
    "gdown.download", "gdown.download_folder", "gdown.cached_download", "kagglehub.model_download",
    "kagglehub.dataset_download", "keras.utils.get_file", "keras.utils.data_utils.get_file",
    "tensorflow_hub.load", "tensorflow_hub.KerasLayer", "torch.hub.load",
    "torch.hub.load_state_dict_from_url", "huggingface_hub.hf_hub_download",
    "huggingface_hub.snapshot_download", "keras.saving.load_model_from_hub", "timm.create_model",
)  # fmt: skip
COMMANDS = ("os.system", "os.popen", "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen", "subprocess.getoutput")  # fmt: skip
TOOLS = ("pip", "pip3", "wget", "curl", "git", "gdown", "kaggle", "conda", "apt", "apt-get")


@check("S216", "warning")
def network_access(subject: Subject) -> Iterator[str]:
    """Put what it downloads into the zip: the platform may have no network, and each run would wait for it."""
    for module, call in subject.live.calls:
        if what := _reaches_out(module, call):
            yield f"{module.line(call)}: {what}"


def _reaches_out(module: Module, call: ast.Call) -> str:
    name = module.full_name(call.func)
    last = name.rpartition(".")[2] or getattr(call.func, "attr", "")
    if name in CALLS and not _is_false(call, "pretrained"):
        return f"{name} needs the network"
    if last in ("from_pretrained", "from_preset") and not _given(call, "local_files_only"):
        return f"{last} downloads weights" if not _is_own_path(call) else ""
    if name.startswith("keras.applications.") and last[:1].isupper() and _downloads(call):
        return f"{last} downloads its weights: say weights=None before loading your own"
    if name in COMMANDS and (tool := _tool(call)):
        return f"{name} starts {tool}"
    return ""


def _downloads(call: ast.Call) -> bool:
    """Whether a Keras application is given no weights of its own, or ImageNet's by name."""
    if any(keyword.arg is None for keyword in call.keywords):
        return False
    value = _given(call, "weights") or (call.args[1] if len(call.args) > 1 else None)
    return value is None or (isinstance(value, ast.Constant) and value.value in ("imagenet", "noisy-student"))  # fmt: skip


def _given(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _is_false(call: ast.Call, name: str) -> bool:
    value = _given(call, name)
    return isinstance(value, ast.Constant) and value.value is False


def _is_own_path(call: ast.Call) -> bool:
    """Whether it is given something computed, which may be a folder of the zip."""
    return not call.args or not isinstance(call.args[0], ast.Constant)


def _tool(call: ast.Call) -> str:
    """The downloading tool that a command starts, or ""."""
    texts = [n.value for arg in call.args[:1] for n in ast.walk(arg) if isinstance(n, ast.Constant)]
    words = [word for text in texts if isinstance(text, str) for word in text.split()]
    return next((word for word in words if word.rpartition("/")[2] in TOOLS), "")
