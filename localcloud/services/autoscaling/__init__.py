"""Auto Scaling: groups of real hosts that are as many, as new and as healthy as was asked for.

groups.py      groups as the API makes, changes and describes them; checks.py refuses what is not
members.py     calls about single instances of a group: protection, standby, attach and detach
lifecycle.py   lifecycle hooks
waits.py       how an instance waits for them
engine.py      the round in which every group takes a step towards what it should be
hosts.py       what the engine launches and terminates, beside the reconciler
configuration.py the version of the template, or the mixed policy, that is launched
rebalancing.py what comes before EC2 takes a Spot instance back
choice.py      which zone, type and purchase option next, and which instance is to go
health.py      what EC2 and the load balancers say of an instance
traffic.py     target groups: into them when in service, out of them before the end
activities.py  what a group did and why, in AWS's words
refreshes.py   instance refreshes as the API starts and ends them; refresh.py is one
rolling.py     how a refresh goes on, and back
policies.py    scaling policies as the API puts them, and the alarms that execute them
policy.py      what a policy asks for; scaling.py what comes of it for the group
tracking.py    target tracking: its metrics, and its alarms
schedule.py    scheduled actions
model.py       what is kept of a group beside moto's
"""
