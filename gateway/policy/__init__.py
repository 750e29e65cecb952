"""Who may do what: pure functions of who asks, the permission and the bucket."""
