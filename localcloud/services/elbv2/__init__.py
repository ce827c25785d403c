"""Application Load Balancers: HAProxy on a node in each of their zones.

balancers.py   load balancers and listeners as the API changes them, and their nodes
targets.py     target groups and what the nodes say of their targets
logs.py        access logs on their way to the customer's bucket
refusals.py    what a load balancer has on AWS and not here
translate.py   moto's objects as plain data (model.py), haproxy.py that data as a configuration
node.py        one node: runtime.py is its HAProxy, health.py how a target looks from there
"""
