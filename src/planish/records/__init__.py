"""The typed rows that pass between rooms, and their JSON Lines files."""
