"""What happens on a host: looking, changing, proving, over SSH."""
