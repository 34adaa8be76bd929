"""What a user of this room can do wrong."""

from codabench_rehearsal.console.errors import UserError


class SubmissionError(UserError):
    """A zip, weights file, recipe or profile that cannot be used; the message says what to do."""
