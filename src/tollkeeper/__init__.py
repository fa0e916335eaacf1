"""tollkeeper: the record of every chat request, the exact limit of every user, and their dashboards, in one process."""
