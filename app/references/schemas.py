"""A citation as it is served."""

import datetime as dt
from typing import Any

from pydantic import Field

from app.enums import Status
from app.http.schema_types import Output, UtcTime
from app.sources.schemas import DocumentCard

CLAIM_ID_EXAMPLE = "01a1f640-bc00-7528-9916-436a9224d91e"
SENTENCE_EXAMPLE = (
    "CSIS estimated on 3 June 2025 that Russian forces had suffered over 950,000 casualties (killed and wounded) in"
    " Ukraine since 24 February 2022, the Kyiv Independent reported."
)
SHORT_FORM_EXAMPLE = (
    "CSIS, 3 June 2025: over 950,000 casualties (killed and wounded) suffered by Russian forces since 24 February 2022"
)
FIGURE_EXAMPLE = "over 950,000"
CSL_EXAMPLE = {
    "id": "document-01a1f640-bc00-70ad-a8de-4a8a83c37c2b",
    "type": "article-newspaper",
    "title": "The Kyiv Independent on the CSIS report, 4 June 2025",
    "container-title": "The Kyiv Independent",
    "issued": {"date-parts": [[2025, 6, 4]]},
    "URL": "https://kyivindependent.com/csis-report/",
    "language": "en",
    "note": SENTENCE_EXAMPLE,
}
BIBTEX_EXAMPLE = """\
@misc{thekyivindependent-2025-4a8a83c37c2b,
  title = {{The Kyiv Independent on the CSIS report, 4 June 2025}},
  howpublished = {The Kyiv Independent},
  year = {2025},
  month = {6},
  day = {4},
  url = {https://kyivindependent.com/csis-report/},
  language = {en},
  note = {CSIS estimated on 3 June 2025 that Russian forces had suffered over 950,000 casualties (killed and wounded)}
}
"""


class CitationLinks(Output):
    """Other forms of the citation."""

    self: str = Field(description="The citation as it stands.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation"])
    claim: str = Field(description="The claim.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}"])
    permanent: str = Field(
        description="This very citation, for good, whatever is changed later (a takedown excepted).",
        examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation?recorded_as_of=seq:395"],
    )
    text: str = Field(description="The sentence alone.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.txt"])
    csl: str = Field(description="As CSL-JSON.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.csl.json"])
    bibtex: str = Field(description="As BibTeX.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.bib"])
    figure: str = Field(description="The figure for one cell.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/figure.txt"])


class ClaimCitation(Output):
    """A claim in words that can be printed, and where to look it up."""

    claim: str = Field(description="The claim's id.", examples=[CLAIM_ID_EXAMPLE])
    revision: int = Field(description="The state of our record that is cited.", examples=[1])
    status: Status = Field(description="Whether the claim stands.", examples=["asserted"])
    sentence: str = Field(
        description="One sentence with the hedge, what is counted, the period, the claimant, the date and the outlet.",
        examples=[SENTENCE_EXAMPLE],
    )
    short: str = Field(
        description="Claimant, date and figure, for a label or a footnote.", examples=[SHORT_FORM_EXAMPLE]
    )
    figure: str = Field(description="The figure with its hedge.", examples=[FIGURE_EXAMPLE])
    language: str = Field(description="The language of these words (BCP 47).", examples=["en"])
    document: DocumentCard | None = Field(
        description="Where it can be read: of several documents the one that leads closest to what was said."
    )
    caveats: list[str] = Field(
        description="What the sentence has no room for: what was not seen, what other outlets changed, our note.",
        examples=[['Prints "more than".']],
    )
    known_on: dt.date | None = Field(
        description="The day asked for: what was known by then is what is told.", examples=["2025-06-12"]
    )
    recorded_at: UtcTime = Field(description="When this revision was recorded.", examples=["2026-11-20T10:00:00Z"])
    recorded_as_of: str = Field(
        description="The last change among all that these words rest on. Sent back, it gives the same answer for good.",
        examples=["seq:395"],
    )
    csl: dict[str, Any] | None = Field(description="The document as one item of CSL-JSON.", examples=[CSL_EXAMPLE])
    links: CitationLinks = Field(description="Other forms.")
