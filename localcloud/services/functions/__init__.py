"""Lambda: the zip that AWS would get, run by AWS's own runtime client behind a real Runtime API.

`functions` are the calls that make and change functions, `invocations` those that run them,
`environment` is one execution environment, `fleet` all of them, `code` what was uploaded, `runtime`
the image, `runtime_api` what the code in it talks to. (The package cannot be called lambda.)
"""
