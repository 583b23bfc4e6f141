"""What every bundle says of the detector in it: how it is used, what it was trained on, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping

from spinedet.runs.run_folder import FinishedRun

INTENDED_USE = (
    "Research on the detection of degenerative disease of the spine in T2-weighted MRI. No medical device: nothing "
    "that it writes is a diagnosis."
)
AUTHORS = "The authors of spinedet"
COPYRIGHT = f"Copyright (c) {AUTHORS}"
LICENSE = f"""{COPYRIGHT}

Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in compliance with
the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
language governing permissions and limitations under the License.
"""


def read_me(run: FinishedRun, form: str, command: str, contents: Mapping[str, str]) -> str:
    """Markdown for the folder's reader."""
    model, identity = run.model, run.identity
    planes = ", ".join(plane.value for plane in model.detectors)
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in contents.items())
    thresholds = "\n".join(
        f"| {plane} | {category} | {value:.4f} |" for (plane, category), value in run.operating_point.values.items()
    )
    statements = "\n".join(f"* {line}" for line in identity.statements) or "* What it was trained on is not recorded."
    return f"""# {model.name}: {form}

Finds {", ".join(model.categories)} in T2-weighted MRI of the {model.region.value} spine ({planes}) as boxes in RAS mm.

```
{command}
```

{INTENDED_USE}

{statements}

| file | what it is |
|---|---|
{rows}

Findings at or above these scores count; they were frozen on {run.operating_point.chosen_on.studies} tuning studies:

| plane | category | score |
|---|---|---|
{thresholds}

Made with spinedet {identity.version}; weights sha256 {", ".join(identity.weights_sha256)}.
"""
