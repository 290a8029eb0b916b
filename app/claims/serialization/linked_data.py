"""Claims as linked data: `Claim` of schema.org, `ClaimReview` where an editor assessed them, and PROV for the chain."""

from app.enums import CitationRole, Status
from app.http.addresses import whole_address
from app.http.linked_data import node, reference
from app.http.serializers import RowDict
from app.sources.linked_data import agent_node, document_address, document_node, source_address


def claim_node(claim: RowDict) -> RowDict:
    """Return a claim. One that was taken down has no content."""
    address = whole_address(f"/v1/claims/{claim['id']}")
    if claim["status"] == Status.removed:
        return node(address, "Claim", "prov:Entity", creativeWorkStatus=claim["status"])
    figure, source, citations = claim["figure"], claim["source"], claim["citations"]
    documents = [reference(document_address(citation["document"]["id"])) for citation in citations]
    originals = [
        document
        for citation, document in zip(citations, documents, strict=True)
        if citation["role"] == CitationRole.original
    ]
    return node(
        address,
        "Claim",
        "prov:Entity",
        url=claim["links"]["page"],
        identifier=claim["id"],
        name=figure["display"],
        text=figure["as_printed"],
        inLanguage=figure["language"],
        datePublished=claim["date"],
        creativeWorkStatus=claim["status"],
        abstract=claim["note"],
        about=[_term("categories", claim["category"]), _term("subjects", claim["subject"])],
        spatialCoverage=reference(whole_address(f"/v1/places/{claim['place']}")),
        temporalCoverage=claim["period"]["edtf"] or None,
        mainEntity=_quantity(figure),
        author=agent_node(source["slug"], source["name"], source["kind"]),
        appearance=[_appearance(citation) for citation in citations],
        review=_review(claim, address),
        prov_wasAttributedTo=reference(source_address(source["slug"])),
        prov_hadPrimarySource=originals,
        prov_wasDerivedFrom=documents,
        prov_generatedAtTime=claim["recorded_at"],
    )


def _term(kind: str, slug: str) -> RowDict:
    return node(whole_address(f"/v1/{kind}/{slug}"), "DefinedTerm", termCode=slug)


def _quantity(figure: RowDict) -> RowDict | None:
    """Return the figure; None if the claim has no number."""
    numbers = {"value": figure["value"], "minValue": figure["lower"], "maxValue": figure["upper"]}
    if all(number is None for number in numbers.values()):
        return None
    return node(None, "QuantitativeValue", **numbers, unitText=figure["unit"])


def _appearance(citation: RowDict) -> RowDict:
    """Return a passage in which a claim can be read, with the chain of sources that its figure came through."""
    return node(
        None,
        "Quotation" if citation["quote"] else "CreativeWork",
        "prov:Entity",
        text=citation["quote"],
        inLanguage=citation["quote_language"],
        pagination=citation["locator"],
        isPartOf=document_node(citation["document"]),
        prov_wasDerivedFrom=reference(document_address(citation["document"]["id"])),
        prov_wasInfluencedBy=[reference(source_address(slug)) for slug in citation["via"]],
    )


def _review(claim: RowDict, address: str) -> RowDict | None:
    """Return the latest assessment of an editor as a review; None if there is none, or none that rates the claim."""
    confidence = claim["confidence"]
    if confidence is None:
        return None
    grades = (confidence["level"], confidence["reliability"], confidence["credibility"])
    if all(grade is None for grade in grades):
        return None
    admiralty = "".join(str(grade) for grade in grades[1:] if grade is not None)
    return node(
        f"{address}/assessments",
        "ClaimReview",
        itemReviewed=reference(address),
        claimReviewed=claim["figure"]["display"] or claim["figure"]["as_printed"],
        author=node(None, "Organization", name=confidence["assessor"]),
        datePublished=confidence["assessed_on"],
        reviewBody=confidence["rationale"],
        reviewRating=node(
            None,
            "Rating",
            alternateName=confidence["level"] or admiralty,
            ratingExplanation=f"Admiralty grades: {admiralty}" if admiralty else None,
        ),
    )
