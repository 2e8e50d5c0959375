"""Who does what with whom, who leads, who is owed what, and when a group agrees: networks, and pure functions that decide."""
