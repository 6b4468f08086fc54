"""Measurements that a person runs; never part of the tests."""
