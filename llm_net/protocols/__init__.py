"""Conversations with rules: typed messages, who may say what and when, and the mechanisms that decide who wins what."""
