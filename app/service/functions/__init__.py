"""The service in AWS Lambda: the same Django, called with events instead of connections.

`http` answers an API gateway, `manage` runs a management command, `uploads` hears of pictures that
were sent to the bucket. `environment` is what each of them does first. Between two calls a function
is frozen, and may be gone: nothing runs in the background (the setting `BACKGROUND`).
"""
