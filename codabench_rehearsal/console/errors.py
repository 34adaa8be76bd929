"""The one base of what a user can mend."""


class UserError(ValueError):
    """A mistake of the user's; the message says what was expected, what was received, what to do.

    It is told in one line. keeps_lines: where it has several of its own, the further ones marked.
    """

    keeps_lines = False
