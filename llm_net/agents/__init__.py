"""Architectures of agents, each in a module of its own. Knows none of them: import the one you want."""
