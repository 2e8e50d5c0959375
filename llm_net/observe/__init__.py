"""Observers: who watches a run. Each module here knows one way to show it, and nothing of agents or runtimes."""
