"""RDS for PostgreSQL: every DB instance is a real PostgreSQL 17, with a standby if Multi-AZ.

databases.py   DB instances as the API changes them
watch.py       what happens to their hosts behind the API's back; backups that are due
snapshots.py   snapshots, automated backups, point-in-time restore
groups.py      parameter and subnet groups
catalogue.py   which engines, versions, classes and certificates there are
refusals.py    what RDS, or this local cloud, does not make
cluster.py     a database as its hosts; server.py one of them; postgres.py what PostgreSQL is told
failover.py    what to do about two hosts, decided from observations alone
"""
