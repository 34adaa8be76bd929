"""What a user of this room can do wrong."""


class SubmissionError(ValueError):
    """A zip, weights file, recipe or profile that cannot be used; the message says what to do."""
