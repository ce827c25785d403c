"""An AWS API on this machine whose instances, networks and volumes are real.

moto answers the API; each service module in ``localcloud.services`` puts something real behind
its resources. See ``localcloud/README.md``.
"""
