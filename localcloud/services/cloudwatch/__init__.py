"""CloudWatch: metrics that are measured, statistics of them, and alarms that are evaluated."""
