"""Functions of a scenario: one that answers an HTTP API, one that runs commands."""

import os

READY = 0


def http(event, context):
    status = READY if event["rawPath"] == "/readyz" else 200
    said = f"{os.environ['GREETING']} from {context.function_version}, {event['headers']['host']}"
    return {"statusCode": status, "headers": {"content-type": "text/plain"}, "body": said}


def manage(event, context):
    return {"rc": 0 if event["command"] == ["greet"] else 2, "output": os.environ["GREETING"]}
