"""Models as C: `export_c` writes a folder that gives the integers of the package, from samples to events."""
