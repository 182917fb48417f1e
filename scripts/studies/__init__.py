"""Studies: one file a question. `base` says what a study is, and how one is added."""
