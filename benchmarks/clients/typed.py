"""A call of the client that openapi-python-client generates: mypy checks it, and it runs."""

import sys

from counterclaim_client import Client
from counterclaim_client.api.claims import list_claims
from counterclaim_client.models import ClaimPage

page = list_claims.sync(client=Client(sys.argv[1]), source=["csis"], limit=3)
assert isinstance(page, ClaimPage), page
print(page.meta.count)
