"""What runs in the background: rows of the table `jobs`, and who carries them out."""
