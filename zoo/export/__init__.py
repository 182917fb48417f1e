"""Models for other places than Python: one folder or file a kind of export."""
