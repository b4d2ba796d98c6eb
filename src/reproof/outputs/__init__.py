"""What a run has put out, and how two runs' outputs are compared: lines printed, files, objects saved."""
