"""AWS's manners, for those who want to meet them before the account does: `LOCALCLOUD_PACE=aws`.

- `throttle`: a call is refused now and then because there were too many;
- `capacity`: once, a zone has no room for a new host;
- `spread`: what was just made is not known everywhere yet;
- `states`: a thing is shown on its way to where it is already, and cannot be changed meanwhile;
- `manners`: one object of the API's that asks all of these, before a call and after it;
- `pace`: what other services ask.

Without the variable each of them says nothing. Nothing here makes or changes a real thing: what is
behind the answers stands as early as ever, only its being seen is late. What is late is remembered
by this process: after a restart everything is seen.
"""
