"""API Gateway v2: HTTP APIs before functions, on an edge outside every VPC.

apis.py      APIs, integrations, routes and stages, as the API keeps them; domains.py custom domains
refusals.py  what API Gateway refuses, and what there is on AWS and not here
tagging.py   what has which tags
gateway.py   the host that visitors reach: haproxy.py is its configuration; host/ its files
front.py     requests as they come from there, read by this process
serving.py   what becomes of one: routing.py finds the route, throttling.py counts, event.py is what
             the function gets, answer.py what it says
traffic.py   what was served, for CloudWatch
"""
