"""What a user of this room can do wrong."""

from codabench_rehearsal.console.errors import UserError


class EvaluationError(UserError):
    """An option or a combination of inputs that cannot be evaluated; the message says what to do."""
