"""What else installs from a registry and runs beside tollkeeper: MLflow tracing and Arize Phoenix, on PostgreSQL."""
