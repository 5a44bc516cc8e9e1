"""The task: one partition of one sub-topology."""

from app.streams.task.statistics import TaskStatistics
from app.streams.task.task import Task

__all__ = ["Task", "TaskStatistics"]
