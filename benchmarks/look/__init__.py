"""`make look`: opens every page of the service in a browser, tests it, and saves pictures of it."""
