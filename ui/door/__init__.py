"""The door of the server: who is let in, and what is refused before any page or route sees it."""
