"""What each command does once its settings are known; `spinedet.COMMAND` holds the settings."""
