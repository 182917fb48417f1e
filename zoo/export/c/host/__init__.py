"""C for the processor that Python runs on: other code for the same integers, which no exported folder has.

Kernels need AVX2, and take four products in one instruction where there is VNNI. Weights stand as 8 bits in blocks of
eight outputs, `(blocks, groups, 8, 4)`: of each group of four values the weights of eight outputs.
"""
