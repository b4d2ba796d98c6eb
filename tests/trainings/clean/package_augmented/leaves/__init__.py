"""Leaf outlines: which species?"""
