"""The pages for readers: their text, the names in it, and the tables and pictures of what is bundled."""
