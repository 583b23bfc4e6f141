"""What each command on radiographs does: each reads like a table of contents."""
