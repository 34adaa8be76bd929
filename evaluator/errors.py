"""What a user of this room can do wrong."""


class EvaluationError(ValueError):
    """An option or a combination of inputs that cannot be evaluated; the message says what to do."""
