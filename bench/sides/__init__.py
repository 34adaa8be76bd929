"""The sides: one module a library, each with a function `contenders()`.

A side's module imports its own library, `bench.contender` and numpy: it runs in the environment
that holds the library, which need not have ours.
"""
