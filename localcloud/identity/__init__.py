"""Who calls, and what they may: signatures, policies, and what each call touches."""
