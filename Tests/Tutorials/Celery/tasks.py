"""The Python side of the programs CeleryCall and CeleryWorker: celery -A tasks worker"""

import os

from celery import Celery

app = Celery(
    "tasks",
    broker=os.environ.get("RABBITMQ_URI", "amqp://guest:guest@localhost:5672"),
    backend="rpc://",
)


@app.task(name="proj.tasks.add")
def add(x, y):
    return x + y
