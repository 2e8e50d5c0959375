"""How bytes travel between the processes of one run. Each way is a file; none of them knows another."""
