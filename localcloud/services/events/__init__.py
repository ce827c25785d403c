"""EventBridge: rules that invoke functions at their time. Events of AWS's services are refused."""
