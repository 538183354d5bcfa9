"""JSON that two readers could understand differently is refused in one line, wherever the library reads any."""

import json

import pytest

import mdtheory as mdt
from mdtheory.claims.records import Report
from mdtheory.foundation import strict_json


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "'c' occurs twice"),
        ("[1e999]", "1e999"),
        ("[-1e999]", "-1e999"),
        ("[1" + "0" * 400 + "]", "larger than any double"),
        ("[" + "9" * 309 + "]", "larger than any double"),
        ("[1" + "0" * 100_000 + "]", "larger than any double"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[" * 100 + "]" * 100, "nested"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 50_000, "nested"),
        ("", "Expecting value"),
        ("[1,]", "Expecting value"),
    ],
)
def test_ambiguous_text_is_refused_in_a_line(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        strict_json.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_ordinary_text_means_what_the_standard_reader_says(tmp_path):
    text = '{"a": [1, -2.5e-308, 0.1, true, null, "x"], "b": {"a": 1.7976931348623157e308}}'
    assert strict_json.parse(text) == json.loads(text)
    path = tmp_path / "data.json"
    path.write_text(text)
    assert strict_json.read(path) == json.loads(text)
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        strict_json.read(path, max_bytes=10)


def test_a_report_with_duplicate_keys_is_refused():
    text = json.dumps({"mdtheory": "0", "sources": {}, "settings": {"level": "symbolic"}, "rows": []})
    with pytest.raises(mdt.AssumptionError, match="occurs twice"):
        Report.from_json(text.replace('"rows": []', '"rows": [], "rows": []'))
