"""What a run is made of: one file for each process, and the run that starts them all."""
