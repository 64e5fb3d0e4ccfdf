"""What `make bench` measures. Nothing here asserts; figures are for people."""
