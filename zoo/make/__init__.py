"""Making models: training, searching, specialising, publishing."""
