"""What trains: the operators in torch."""
