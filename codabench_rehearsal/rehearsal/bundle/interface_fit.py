"""Whether a submission defines what an ingestion program asks for, and takes what it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codabench_rehearsal.challenge.program_source.needs import Need, Needs, Use
from codabench_rehearsal.console.words import few
from submission.checks.calls import Signature
from submission.checks.modules import Module, own_nodes
from submission.checks.resolved import (
    Found,
    Told,
    classes_given,
    gives_nothing,
    method_of,
    method_signature,
    resolve,
    signature,
)
from submission.checks.subject import Subject
from submission.findings import Finding

_ANSWERS = ("predict", "get_", "transform", "act", "solve")  # starts of names that give something
_SIMILAR = 4


def misfits(subject: Subject, needs: Needs) -> Iterator[Finding]:
    """What the zip's modules lack of what the program takes; nothing of what is not told."""
    made: dict[str, Found] = {}
    for need in needs.imports:
        module = subject.module_named(need.module)
        if module is None or not need.name:
            continue
        told = resolve(subject, module, need.name)
        if told == "absent":
            yield _no_name(module, need)
        elif isinstance(told, Found):
            made[need.name] = told
    for use in needs.made:
        if use.name in made:
            yield from _of_call(subject, made[use.name], use, has_methods=bool(needs.methods))
    yield from _of_methods(subject, needs, made)


def _no_name(module: Module, need: Need) -> Finding:
    has = sorted(name for name in module.definitions if not name.startswith("_"))
    defines = f"; it defines {few(has, _SIMILAR)}" if has else ""
    message = f"{module.file} defines no {need.name}, which {need.place} imports{defines}"
    return Finding("S202", "error", message, "Define it with this very name.", kind="fails")


def _of_call(subject: Subject, found: Found, use: Use, *, has_methods: bool) -> Iterator[Finding]:
    """The call of a class or function itself."""
    is_class = isinstance(found.node, ast.ClassDef)
    code = "S203" if is_class or has_methods else "S204"
    yield from _of_signature(code, found, use, signature(subject, found), use.name)
    if not is_class and isinstance(found.node, ast.AsyncFunctionDef):
        yield _coroutine(code, found, use)
    elif not is_class and use.is_used and gives_nothing(found):
        yield _nothing(found, use)


def _of_methods(subject: Subject, needs: Needs, made: dict[str, Found]) -> Iterator[Finding]:
    """The methods that the program asks of what its calls gave."""
    makers = [made[use.name] for use in needs.made if use.name in made]
    known = {use.name for use in needs.made} == {one.name for one in needs.interface.made}
    classes = [one for maker in makers for one in classes_given(subject, maker)]
    if not known or len(makers) != len(needs.made) or len(classes) < len(makers) or not classes:
        return  # something else may have given the object
    missing: set[str] = set()
    for use in needs.methods:
        told = [(cls, method_of(subject, cls, use.name)) for cls in classes]
        if all(one == "absent" for _, one in told):
            if use.name not in missing:
                missing.add(use.name)
                yield _no_method(classes, use)
        elif len(told) == 1:
            yield from _of_method(told[0][0], told[0][1], use)


def _no_method(classes: list[Found], use: Use) -> Finding:
    names = few(list(dict.fromkeys(one.node.name for one in classes)), _SIMILAR)
    message = f"{classes[0].place}: {names} has no {use.name}, which {use.place} calls: {use.text}"
    advice = f"Define {use.name} in the class, or in one that it derives from."
    return Finding("S204", "error", message, advice, kind="fails")


def _of_method(cls: Found, told: Told, use: Use) -> Iterator[Finding]:
    name = f"{cls.node.name}.{use.name}"
    yield from _of_signature("S204", told, use, method_signature(told), name)
    if not isinstance(told, Found) or not use.is_used:
        return
    if isinstance(told.node, ast.AsyncFunctionDef) and not _is_wrapped(told):
        yield _coroutine("S204", told, use)
    elif use.name.startswith(_ANSWERS) and gives_nothing(told):
        yield _nothing(told, use)


def _is_wrapped(told: Found) -> bool:
    """Whether decorators may make something else of it, or it is a generator."""
    if isinstance(told.node, ast.ClassDef) or told.node.decorator_list:
        return True
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(told.node))


def _of_signature(
    code: str, told: Told, use: Use, takes: Signature | None, name: str
) -> Iterator[Finding]:
    fault = takes.fault(use.count, use.keywords) if takes else ""
    if fault and isinstance(told, Found):
        message = f"{told.place}: {name} {fault}, but {use.place} calls {use.text}"
        advice = "Let it take what the challenge's program gives, and give all else a default."
        yield Finding(code, "error", message, advice, kind="fails")


def _coroutine(code: str, found: Found, use: Use) -> Finding:
    message = f"{found.place}: {use.name} is a coroutine, and {use.place} does not wait for it"
    return Finding(code, "error", message, "Write def in the place of async def.", kind="fails")


def _nothing(found: Found, use: Use) -> Finding:
    message = f"{found.place}: {use.name} returns nothing, and {use.place} uses what it gives"
    advice = "Add the return statement: what it computes is lost without it."
    return Finding("S225", "error", message, advice, kind="fails")
