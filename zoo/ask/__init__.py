"""What a look-up is: its limits, and how models are chosen by them."""
