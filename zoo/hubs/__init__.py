"""Hubs: packages with an index, in a folder or on the Hugging Face Hub."""
