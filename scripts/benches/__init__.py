"""Benches: studies of speed, which measure anew each time."""
