"""Real Linux nodes for the tests: systemd-nspawn containers on one bridge that leads nowhere."""
