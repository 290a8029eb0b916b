"""Topics as linked data."""

from app.http.addresses import whole_address
from app.http.linked_data import node, reference
from app.http.serializers import RowDict


def topic_node(topic: RowDict) -> RowDict:
    """Return a topic as a question, with what its claims are about."""
    address = whole_address(f"/v1/topics/{topic['slug']}")
    about = [reference(whole_address(f"/v1/{kind}/{topic[name]}")) for kind, name in ABOUT]
    return node(
        address,
        "Question",
        "Dataset",
        name=topic["title"],
        description=topic["description"],
        url=topic["links"]["page"],
        dateModified=topic["recorded_at"],
        about=about,
        spatialCoverage=reference(whole_address(f"/v1/places/{topic['place']}")),
        distribution=node(None, "DataDownload", contentUrl=f"{address}/claims.csv", encodingFormat="text/csv"),
    )


ABOUT = (("categories", "category"), ("subjects", "subject"))
"""The lists with the records that a topic is about, and the fields that name them."""
