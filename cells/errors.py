"""What can be wrong with a file of images."""

from codabench_rehearsal.console.errors import UserError


class DataError(UserError):
    """Missing, damaged or misshapen data; the message says what was expected and what to do."""
