"""Who goes with whom, or gets what, where no money changes hands: by preferences, or by cost."""
