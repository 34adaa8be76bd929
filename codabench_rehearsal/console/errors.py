"""The one base of what a user can mend."""


class UserError(ValueError):
    """A mistake of the user's; the message says what was expected, what was received, what to do."""
