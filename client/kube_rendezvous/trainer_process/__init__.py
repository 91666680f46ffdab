"""The trainer as a process: started for a round, ended when that is over. `lifecycle` decides, `runner` does."""
