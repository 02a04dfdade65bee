"""Google Cloud, by Google's own client libraries (the optional extra `gcp`)."""
