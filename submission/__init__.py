"""The zip: look into it, build it. Nothing in it is executed in this process."""
