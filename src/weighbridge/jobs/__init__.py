"""The queue: a job is a name and the id of a row; a story does the work, `worker` wires them.

A job may run twice, and every story bears it. A worker that dies is noticed by its heartbeat,
and its jobs go to another without a person.
"""
