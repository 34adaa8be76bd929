"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

# Started in the background by a shell, a process ignores Ctrl-C, and so do its children: then the
# tests of interruptions would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
