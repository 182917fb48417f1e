"""The machine of a page: the C of all operators and front ends in one WebAssembly file, which runs plans of models."""
