"""Sources and documents as linked data."""

from app.enums import SourceKind
from app.http.addresses import whole_address
from app.http.linked_data import node, reference, terms_members
from app.http.serializers import RowDict
from app.terms import terms_address


def source_address(slug: str) -> str:
    """Return the address of a source."""
    return whole_address(f"/v1/sources/{slug}")


def document_address(id_: str) -> str:
    """Return the address of a document."""
    return whole_address(f"/v1/documents/{id_}")


def agent_node(slug: str, name: str | None, kind: str | None = None) -> RowDict:
    """Return a source as a person or an organization."""
    type_ = "Person" if kind == SourceKind.individual else "Organization"
    return node(source_address(slug), type_, "prov:Agent", name=name)


def source_node(source: RowDict) -> RowDict:
    """Return a source."""
    if source.get("name") is None:
        return node(source_address(source["slug"]), "prov:Agent")
    parent = source.get("speaks_for")
    return agent_node(source["slug"], source["name"], source["kind"]) | node(
        source_address(source["slug"]),
        "Person" if source["kind"] == SourceKind.individual else "Organization",
        "prov:Agent",
        alternateName=source.get("short_name"),
        description=source.get("description"),
        url=source.get("url"),
        usageInfo=terms_address(source.get("terms")) or source.get("terms"),
        prov_actedOnBehalfOf=reference(source_address(parent)) if parent else None,
    )


def document_node(document: RowDict) -> RowDict:
    """Return a document in which claims can be read."""
    publisher = document.get("publisher")
    return node(
        document_address(document["id"]),
        "CreativeWork",
        "prov:Entity",
        name=document.get("title"),
        url=document.get("url"),
        archivedAt=document.get("archive_url"),
        datePublished=document.get("published_on"),
        inLanguage=document.get("language"),
        **terms_members(document.get("terms")),
        sha256=document.get("content_sha256"),
        publisher=agent_node(publisher, document.get("publisher_name")) if publisher else None,
        prov_wasAttributedTo=reference(source_address(publisher)) if publisher else None,
    )
