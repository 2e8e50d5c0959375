"""Conversations in which a group thinks: who speaks and when it ends, debates and panels, boards, fields and hidden roles."""
