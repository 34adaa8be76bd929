"""What a caller of this room can do wrong."""

from codabench_rehearsal.console.errors import UserError


class CorruptionError(UserError):
    """Wrong name, severity, seed, shape or preset; the message says what to do."""
