"""Quantisation: training with quantisers, the integer form of a network, and its packing."""
