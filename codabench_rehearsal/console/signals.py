"""Being ended from outside: SIGTERM and SIGHUP end a command like Ctrl-C, with everything put away."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from types import FrameType, TracebackType
from typing import Any

PATIENCE_SECONDS = 5.0  # that a first signal has for putting things away; a later one ends again
_USUAL: Mapping[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


class Ended(KeyboardInterrupt):
    """A signal ended the command. number: which; code: what a shell calls that, 128 + number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number


class Signals:
    """While it is entered, the three signals raise `Ended` in the main thread. A context manager.

    Only what nobody has changed is changed: a SIGHUP that nohup ignores stays ignored, and a script's
    own handlers stay its own. A second signal within `PATIENCE_SECONDS` is passed over, as the first
    is at work. last: the process ends after this, so that a late Ctrl-C may end it at once and in
    silence; otherwise all is as it was before.
    """

    def __init__(self, *, last: bool) -> None:
        self._last = last
        self._since: float | None = None
        self._changed: list[signal.Signals] = []

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number, usual in _USUAL.items():
                if signal.getsignal(number) is usual or signal.getsignal(number) == usual:
                    self._changed.append(number)
                    signal.signal(number, self._raise)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in self._changed:
            silent = self._last and self._since is not None
            signal.signal(number, signal.SIG_DFL if silent else _USUAL[number])

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is not None and now - self._since < PATIENCE_SECONDS:
            return
        self._since = now
        raise Ended(number)
