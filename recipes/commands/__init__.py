"""One module a subcommand of `train-recipe`."""
