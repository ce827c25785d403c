"""Where metrics come from: one module per namespace of AWS."""
