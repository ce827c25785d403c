"""SNS: topics whose subscribers get mail, in a mailbox on this machine."""
