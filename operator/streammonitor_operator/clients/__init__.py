"""The outer world of the control plane, one module each: small clients, nothing decided."""
