"""Puts tapes in YAML into the form of those in JSON: tapes_json.py TAPES FOLDER."""

import json
import pathlib
import sys

import yaml

from tapes_text import sent

tapes, folder = map(pathlib.Path, sys.argv[1:])
folder.mkdir(parents=True, exist_ok=True)
for path in sorted(tapes.glob("*.yaml")):
    entries = [{
        "RequestMethod": it["request"]["method"],
        "RequestUri": it["request"]["uri"],
        "RequestBody": json.loads(sent(it["request"]["body"]) or "null"),
        "StatusCode": it["response"]["status"]["code"],
        "ResponseHeaders": it["response"]["headers"],
        # As it came: the client parses it.
        "ResponseBody": it["response"]["body"]["string"],
    } for it in yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]]
    (folder / f"{path.stem}.json").write_text(json.dumps({"Entries": entries}))
