"""docs/api.md is what the service says of itself."""

from pathlib import Path

from edgewise.serve.reference import own_document, reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_current() -> None:
    found = reference(own_document())
    assert (ROOT / "docs/api.md").read_text() == found, "run python -m edgewise.serve.reference > docs/api.md"
    assert "| `DELETE /v1/users/{user_id}` | admin |" in found
    assert "`write-back-type`" in found


def test_the_document_tells_of_errors_and_keys_as_they_are() -> None:
    document = own_document()
    operations = [(path, each) for path, methods in document["paths"].items() for each in methods.values()]
    assert not [path for path, each in operations if "422" in each["responses"]], "bad requests are answered with 400"
    assert all("default" in each["responses"] for _, each in operations)
    assert {"Error"} == {name for name in document["components"]["schemas"] if "Error" in name}
    assert {tuple(each) for each in document["security"]} == {("key",), ("bearer",)}
    assert {path for path, each in operations if each.get("security") == []} == {
        "/api/health/live",
        "/api/health/ready",
    }
    for path in ("/api/recommend/{user_id}", "/api/recommend/{user_id}/{category}"):
        asked = {part["name"]: part["in"] for part in document["paths"][path]["get"]["parameters"]}
        assert asked["X-API-Version"] == "header"
        assert {"user_id", "n", "offset", "write-back-type", "write-back-delay"} <= set(asked)
