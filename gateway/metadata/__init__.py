"""Facts: SQL, once for every engine, over thin drivers. SQL stands only here and in `migrations`."""
