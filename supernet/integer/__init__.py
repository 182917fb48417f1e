"""The integer form of networks: what a package holds, and the NumPy runtime that answers with it. No torch here."""
