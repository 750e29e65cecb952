"""The JSON door: /api/v1 for apps and their users, /api/admin/v1 for administrators."""
