"""Checks of what `predict` returns, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.flow import is_network_call
from submission.checks.modules import Function, Module, own_nodes
from submission.checks.subject import Subject, check
from submission.findings import Said

TENSORS = frozenset(
    f"{home}.{name}"
    for home in ("tensorflow", "tensorflow.math", "keras.ops", "keras.backend", "tensorflow.experimental.numpy")
    for name in ("argmax", "cast", "convert_to_tensor", "squeeze", "reshape", "stack", "concat", "concatenate", "constant", "identity")
)  # fmt: skip
FLOATS = ("float", "double", "half")
PERSON = frozenset(("input", "breakpoint", "pdb.set_trace", "getpass.getpass", "code.interact", "IPython.embed"))  # fmt: skip
DEEPEST = 6


class _Answers:
    """The expressions that `predict` returns; names that are bound once stand for their values."""

    def __init__(self, subject: Subject, main: Module, predict: Function) -> None:
        self.main, self.predict = main, predict
        self.networks = subject.networks
        self.nodes = list(own_nodes(predict))
        self.values: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            for target in _targets(node):
                self.values.setdefault(target, []).append(getattr(node, "value", None) or ast.Constant(None))  # fmt: skip

    def returned(self) -> Iterator[tuple[ast.Return, ast.expr]]:
        """Each return statement with a value, and what it gives."""
        for node in self.nodes:
            if isinstance(node, ast.Return) and node.value is not None:
                yield node, self.meant(node.value)

    def meant(self, node: ast.expr, depth: int = 0) -> ast.expr:
        """The expression that a name bound once stands for."""
        bound = self.values.get(node.id, []) if isinstance(node, ast.Name) else []
        return self.meant(bound[0], depth + 1) if len(bound) == 1 and depth < DEEPEST else node

    def is_scores(self, node: ast.expr) -> bool:
        """Whether it is what a network gives."""
        return is_network_call(self.meant(node), self.networks)


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            if isinstance(target, ast.Tuple | ast.List):
                yield from (
                    n.id for n in ast.walk(target) if isinstance(n, ast.Name)
                )  # twice: unknown
    elif isinstance(
        node, ast.AugAssign | ast.AnnAssign | ast.For | ast.comprehension | ast.NamedExpr
    ):
        for name in (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)):
            yield from (name, name)


def _answers(subject: Subject) -> list[_Answers]:
    """One where the module defines `predict` itself, and labels are asked for, else none."""
    labels = subject.challenge.answers != "probabilities"
    if subject.main is None or subject.predict is None or not labels:
        return []
    return [_Answers(subject, subject.main, subject.predict)]


def _returned(subject: Subject) -> Iterator[tuple[_Answers, ast.Return, ast.expr]]:
    for answers in _answers(subject):
        yield from ((answers, node, value) for node, value in answers.returned())


@check("S222", "warning")
def no_labels(subject: Subject) -> Iterator[str]:
    """Return labels, whole numbers in a numpy array of shape (n,): scores.argmax(axis=1)."""
    for answers, node, value in _returned(subject):
        if what := _other_than_labels(answers, value):
            yield f"{answers.main.line(node)}: returns {what}"


def _other_than_labels(answers: _Answers, value: ast.expr) -> str:
    if answers.is_scores(value):
        return "the network's scores, not labels"
    if isinstance(value, ast.List | ast.ListComp | ast.GeneratorExp | ast.Dict | ast.Set):
        return f"a {type(value).__name__.replace('Comp', '').replace('Exp', '').lower()}, not a numpy array"
    if not isinstance(value, ast.Call):
        return ""
    last = getattr(value.func, "attr", getattr(value.func, "id", ""))
    if last == "to_categorical" or last == "one_hot":
        return "one-hot rows, not labels"
    if last == "tolist" or (last in ("list", "tuple") and isinstance(value.func, ast.Name)):
        return "a list, not a numpy array"
    if (
        last == "astype"
        and value.args
        and any(word in ast.unparse(value.args[0]) for word in FLOATS)
    ):
        return "floats, not whole numbers"
    return ""


@check("S223", "error")
def argmax_over_the_images(subject: Subject) -> Iterator[str]:
    """Take argmax over the classes, axis=1: over axis 0 it gives one image number for each class."""
    for answers in _answers(subject):
        for node in answers.nodes:
            if (
                isinstance(node, ast.Call)
                and _name(node) == "argmax"
                and _is_over_images(answers, node)
            ):
                yield f"{answers.main.line(node)}: argmax over the images, not over the classes"


def _is_over_images(answers: _Answers, call: ast.Call) -> bool:
    scores = _reduced(answers, call)
    return bool(scores) and _axis(call, 1 if scores == "argument" else 0) == 0


def _reduced(answers: _Answers, call: ast.Call) -> str:
    """Where the scores are that an argmax goes over: "argument", "object", or ""."""
    if call.args and answers.is_scores(call.args[0]):
        return "argument"
    held = isinstance(call.func, ast.Attribute) and answers.is_scores(call.func.value)
    return "object" if held else ""


def _axis(call: ast.Call, place: int) -> object:
    axis = next((k.value for k in call.keywords if k.arg == "axis"), None)
    if axis is None and len(call.args) > place:
        axis = call.args[place]
    return axis.value if isinstance(axis, ast.Constant) else None


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


@check("S224", "warning")
def returns_tensor(subject: Subject) -> Iterator[Said]:
    """Return a numpy array: add .numpy(), or np.asarray(...) around it."""
    strict = subject.challenge.answers == "strict"
    for answers, node, value in _returned(subject):
        if isinstance(value, ast.Call) and answers.main.full_name(value.func) in TENSORS:
            name = answers.main.full_name(value.func)
            message = f"{answers.main.line(node)}: returns a tensor ({name}), not a numpy array"
            yield Said(message, "error" if strict else None)


@check("S225", "error")
def returns_nothing(subject: Subject) -> Iterator[str]:
    """Add the return statement: what predict computes is lost without it."""
    predict, main = subject.predict, subject.main
    if predict is None or main is None or isinstance(predict, ast.AsyncFunctionDef):
        return
    nodes = list(own_nodes(predict))
    gives = any(isinstance(n, ast.Return) and n.value is not None for n in nodes)
    yields = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes)
    if not gives and not yields and not predict.decorator_list:
        yield f"{main.line(predict)}: {predict.name} returns nothing"


@check("S226", "warning")
def waits_for_a_person(subject: Subject) -> Iterator[str]:
    """Remove it: nobody sits before the platform's keyboard."""
    for module, call in subject.live.calls:
        name = module.full_name(call.func)
        if name in PERSON and module.stores.get(name, 0) == 0:
            yield f"{module.line(call)}: {name}() waits for somebody to type"


# Checks for downloads: an operator can switch the network off, and the facts do not say who did.


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
