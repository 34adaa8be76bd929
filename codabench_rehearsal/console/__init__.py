"""The ground room: what every command and every writer of files shares. Standard library only."""

# What commands take for granted where nobody says.
DEFAULT_CHALLENGE = "an2dl-2024"
DEFAULT_IMAGES = 1000
NO_STORE = "none"  # the store of who keeps nothing
PHASE = "dev"  # whose scores to expect
