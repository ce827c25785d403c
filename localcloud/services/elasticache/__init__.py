"""ElastiCache for Valkey: a replication group is a primary and its replicas, real Valkey servers.

groups.py         replication groups as the API makes, changes and removes them; the watch over them
deployment.py     a group as its nodes: made, promoted, replaced
node.py           one node: its files, its start, and talking to its Valkey
config.py         what Valkey is told: pure text
parameters.py     cache parameter groups
subnet_groups.py  cache subnet groups, changed and deleted
snapshots.py      what is kept of a group's data, and restored
catalogue.py      node types, versions, and what is refused
"""
