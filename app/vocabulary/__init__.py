"""Categories, subjects, places and the enumerations of the API."""
