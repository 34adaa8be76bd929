"""The subcommands of `local-eval`, one a module: `parser()` and `run(options, words) -> exit code`."""
