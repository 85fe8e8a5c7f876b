"""Verifiers: programs that models write to check an instruction, and what makes them trustworthy."""
