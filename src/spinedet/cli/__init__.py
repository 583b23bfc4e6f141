"""What every command shares: settings, exit statuses, terminal output and experiment tracking."""
