#!/usr/bin/env bash
# cftime 1.6.6.1, by which netCDF4-python's num2date counts: a time zone whose hour has one
# digit is passed over without a word.
#
# The CF conventions (section 4.4) explain units of time with this very example:
#     seconds since 1992-10-8 15:15:42.5 -6:00
# which is in "the time zone which is six hours to the west of" UTC: 21:15:42.5 UTC.
# Written with "-06:00" cftime says so. With "-6:00", as it is in the convention, it says
# 15:15:42.5, as if no zone were there. Nothing is raised, and there is no warning.
#
# Output seen:
#     1992-10-8 15:15:42.5 -06:00    1992-10-08T21:15:42.500000
#     1992-10-8 15:15:42.5 -6:00     1992-10-08T15:15:42.500000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cftime==1.6.6.1 numpy==2.3.5
"$folder/venv/bin/python" -W error - <<'PYTHON'
import cftime

seen = {
    "1992-10-8 15:15:42.5 -06:00": "1992-10-08T21:15:42.500000",
    "1992-10-8 15:15:42.5 -6:00": "1992-10-08T15:15:42.500000",
}
for text, expected in seen.items():
    date = cftime.num2date(0, f"seconds since {text}", only_use_cftime_datetimes=True)
    print(f"{text:30} {date.isoformat()}")
    assert date.isoformat() == expected, "the behaviour has changed"
PYTHON
