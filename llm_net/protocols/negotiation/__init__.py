"""What reasonable parties would agree on: solutions of bargaining problems, splits by patience, how fast to concede."""
