"""Models at work: answers, streams, evaluation."""
