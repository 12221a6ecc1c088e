"""docs/api.md is what the service says of itself."""

from pathlib import Path

from edgewise.serve.reference import own_document, reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_current() -> None:
    found = reference(own_document())
    assert (ROOT / "docs/api.md").read_text() == found, "run python -m edgewise.serve.reference > docs/api.md"
    assert "| `DELETE /v1/users/{user_id}` | admin |" in found
    assert "`write-back-type`" in found
