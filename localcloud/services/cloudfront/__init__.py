"""CloudFront: distributions on an edge outside every VPC, with a cache that is real.

distributions.py   distributions, invalidations and their ETags, as the API keeps them
policies.py        cache, origin request and response headers policies; managed.py has AWS's own
refusals.py        what CloudFront refuses, and what there is on AWS and not here
translate.py       the API's config as plain data (model.py)
haproxy.py         that data as a configuration
edge.py            the edge: one host with HAProxy and Varnish; host/ has its cache.vcl
logs.py            access logs on their way to the customers' buckets
"""
