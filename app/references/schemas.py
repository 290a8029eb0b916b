"""Response model of a citation."""

import datetime as dt
from typing import Any

from pydantic import Field

from app.enums import Status
from app.http.schema_types import Output, UtcTime
from app.sources.schemas import DocumentSummary

CLAIM_ID_EXAMPLE = "01a1f640-bc00-7528-9916-436a9224d91e"
SENTENCE_EXAMPLE = (
    "CSIS estimated on 3 June 2025 that Russian forces had suffered over 950,000 casualties (killed and wounded) in"
    " Ukraine since 24 February 2022, the Kyiv Independent reported. This is based on figures from the UK Ministry of"
    " Defence and the United States Department of Defense."
)
SHORT_FORM_EXAMPLE = (
    "CSIS, 3 June 2025: over 950,000 casualties (killed and wounded) suffered by Russian forces in Ukraine since 24"
    " February 2022 (based on UK Ministry of Defence and United States Department of Defense)"
)
FIGURE_EXAMPLE = "over 950,000 (based on UK Ministry of Defence and United States Department of Defense)"
CSL_EXAMPLE = {
    "id": f"document-01a1f640-bc00-70ad-a8de-4a8a83c37c2b-claim-{CLAIM_ID_EXAMPLE}",
    "type": "article-newspaper",
    "title": "The Kyiv Independent on the CSIS report, 4 June 2025",
    "container-title": "The Kyiv Independent",
    "issued": {"date-parts": [[2025, 6, 4]]},
    "URL": "https://kyivindependent.com/csis-report/",
    "language": "en",
    "note": SENTENCE_EXAMPLE,
}
BIBTEX_EXAMPLE = """\
@misc{thekyivindependent-2025-4a8a83c37c2b-436a9224d91e,
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
    """Links to other formats of the citation."""

    self: str = Field(
        description="The citation in the current state of the register.",
        examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation"],
    )
    claim: str = Field(description="The claim.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}"])
    permanent: str = Field(
        description="A permanent link to this citation; later changes do not affect it, except a takedown.",
        examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation?recorded_as_of=seq:395"],
    )
    text: str = Field(
        description="The sentence as plain text.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.txt"]
    )
    csl: str = Field(
        description="The reference as CSL-JSON.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.csl.json"]
    )
    bibtex: str = Field(
        description="The reference as BibTeX.", examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/citation.bib"]
    )
    figure: str = Field(
        description="The figure as plain text, for a spreadsheet cell.",
        examples=[f"/v1/claims/{CLAIM_ID_EXAMPLE}/figure.txt"],
    )


class ClaimCitation(Output):
    """A claim as a printable sentence, with its reference and permanent link."""

    claim: str = Field(description="The id of the claim.", examples=[CLAIM_ID_EXAMPLE])
    revision: int = Field(description="The cited revision of the claim.", examples=[1])
    status: Status = Field(description="Whether the claim is current or retracted.", examples=["asserted"])
    sentence: str = Field(
        description="One sentence with the figure, its qualification, category, period, claimant, date and publisher.",
        examples=[SENTENCE_EXAMPLE],
    )
    short: str = Field(
        description="Claimant, date and figure, for a label or a footnote.", examples=[SHORT_FORM_EXAMPLE]
    )
    figure: str = Field(
        description="The figure with its qualification, such as `over` or `about`.", examples=[FIGURE_EXAMPLE]
    )
    language: str = Field(description="The language of the texts (BCP 47).", examples=["en"])
    document: DocumentSummary | None = Field(
        description="The document in which the claim can be read; of several, the one closest to the source."
    )
    caveats: list[str] = Field(
        description="Limits that the sentence does not state: unchecked links, distorted reports, the note.",
        examples=[['Prints "more than".']],
    )
    known_on: dt.date | UtcTime | None = Field(
        description="The requested day or moment, if any: what was said later is ignored.", examples=["2025-06-12"]
    )
    recorded_at: UtcTime = Field(
        description="The time at which this revision was recorded.", examples=["2026-11-20T10:00:00Z"]
    )
    recorded_as_of: str = Field(
        description="The latest change that the texts depend on. As a parameter it returns the same citation.",
        examples=["seq:395"],
    )
    csl: dict[str, Any] | None = Field(description="The document as a CSL-JSON item.", examples=[CSL_EXAMPLE])
    links: CitationLinks = Field(description="Links to other formats.")
