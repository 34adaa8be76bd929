"""Compiled batch loops: how the corruptions are computed. What they mean stands one folder up.

Every kernel takes C-contiguous arrays with the image axis first, and works without fused or
re-ordered arithmetic, so that its bytes do not depend on the processor. Kernels call only
functions of their own file: numba's cache does not notice a change in another one.

Rows are indexed flat, `row[3 * x + channel]`, and copied and filled by loops: numba vectorises
those, where `image[y, x, channel]` and `row[:] = other` cost up to fifty times as much.
"""
