"""Recipes: find it, steer it, train it out, prove it. Each is one short chain of the rooms below."""
