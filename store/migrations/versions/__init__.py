"""One file for each step, oldest first. A step that was released is never edited."""
