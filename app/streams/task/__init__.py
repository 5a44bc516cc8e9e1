"""The task: one partition of one sub-topology."""

from app.streams.task.task import Task, TaskStatistics

__all__ = ["Task", "TaskStatistics"]
