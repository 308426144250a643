#!/bin/sh
# Writes src/inventory/oui.tsv, the vendors of MAC addresses, from the IEEE's public listing as Debian packages it.
# Run it after `apt-get install ieee-data`, or with the folder of newer oui.csv, mam.csv, oui36.csv and iab.csv.
set -eu
from=${1:-/usr/share/ieee-data}
to=$(dirname "$0")/../src/inventory/oui.tsv
python3 - "$from" > "$to.new" <<'PYTHON'
import csv, sys

# As much of a name as a list shows, in characters.
LONGEST = 48
vendors = {}
for file in ("oui", "mam", "oui36", "iab"):
    with open(f"{sys.argv[1]}/{file}.csv", encoding="utf-8", newline="") as listing:
        for row in csv.DictReader(listing):
            name = " ".join(row["Organization Name"].split())
            # A block that is handed on in pieces belongs to nobody; "Private" is no name.
            if name in ("", "Private", "IEEE Registration Authority"):
                continue
            vendors[row["Assignment"].upper()] = name[:LONGEST].strip(" ,")
for prefix in sorted(vendors):
    print(f"{prefix}\t{vendors[prefix]}")
PYTHON
mv "$to.new" "$to"
