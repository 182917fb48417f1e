"""What a package holds, and how it is read, written and told of."""
