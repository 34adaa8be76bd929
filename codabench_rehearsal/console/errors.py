"""The one base of what a user can mend."""


class UserError(ValueError):
    """A mistake of the user's; the message says what was expected, what was received, what to do.

    It is told in one line. keeps_lines: where it has several of its own, the further ones marked.
    """

    keeps_lines = False


class DataError(UserError):
    """Missing, damaged or misshapen data; the message says what was expected and what to do."""


class CorruptionError(UserError):
    """Wrong name, severity, seed, shape or preset; the message says what to do."""


class SubmissionError(UserError):
    """A zip, weights file, recipe or profile that cannot be used; the message says what to do."""


class EvaluationError(UserError):
    """An option or a combination of inputs that cannot be evaluated; the message says what to do."""
