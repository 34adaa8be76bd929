"""What can be wrong with a file of images."""


class DataError(ValueError):
    """Missing, damaged or misshapen data; the message says what was expected and what to do."""
