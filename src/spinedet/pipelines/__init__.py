"""The work behind the commands: training, testing and prediction over whole cohorts."""
