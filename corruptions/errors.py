"""What a caller of this room can do wrong."""


class CorruptionError(ValueError):
    """Wrong name, severity, seed, shape or preset; the message says what to do."""
