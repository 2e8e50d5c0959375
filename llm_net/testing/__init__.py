"""What tests of agents, and of what is built for them, need. Knows everything, and nothing knows it."""
