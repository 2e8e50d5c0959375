"""Who does what with whom, who leads, who is owed what, and when a group agrees. Pure functions, no messages."""
