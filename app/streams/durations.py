"""Lengths of time in ms, the one unit of the engine: `Tumbling(minutes(5), grace=seconds(30))`."""

from __future__ import annotations


def seconds(number: float) -> int:
    return round(number * 1000)


def minutes(number: float) -> int:
    return seconds(60 * number)


def hours(number: float) -> int:
    return minutes(60 * number)


def days(number: float) -> int:
    return hours(24 * number)
