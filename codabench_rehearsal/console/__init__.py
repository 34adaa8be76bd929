"""The ground room: what every command and every writer of files shares. Standard library only."""
