"""What `tests/benchmark.py` is made of: many hosts on this machine, and what is run against them."""
