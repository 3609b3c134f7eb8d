"""What people come to do, end to end: the same journeys on the embedded lab and on real Linux nodes."""
