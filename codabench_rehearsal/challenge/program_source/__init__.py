"""What a bundle's programs import, call and need: read from their source, never run."""
