"""The topics of reporting checklists, with the items of each checklist that a topic answers.

Numbers are those of the checklists; titles and prompts are this project's own words. No text of a checklist is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["auto", "draft", "human", "n/a"]
# Former names of topics: an answers file that uses one keeps its text.
RENAMED: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Checklist:
    """A published checklist; `items` is how many rows it has, `read` when its items were counted."""

    name: str
    title: str
    doi: str
    items: int
    read: str


CHECKLISTS = {
    one.name: one
    for one in (
        Checklist("claim-2024", "CLAIM 2024", "10.1148/ryai.240300", 44, "2026-11"),
        Checklist("tripod-ai", "TRIPOD+AI", "10.1136/bmj-2023-078378", 52, "2026-11"),
        Checklist("stard-ai", "STARD-AI", "10.1038/s41591-025-03953-8", 48, "2026-11"),
    )
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One question that several checklists ask.

    Attributes:
        state: how it is answered. prompt: for the person who answers; for `n/a` the reason.
        claim, tripod, stard: numbers of the items, separated by blanks.
    """

    name: str
    title: str
    state: State
    prompt: str
    claim: str = ""
    tripod: str = ""
    stard: str = ""

    def items(self, checklist: str) -> list[str]:
        """The numbers that this topic answers in a checklist."""
        return {"claim-2024": self.claim, "tripod-ai": self.tripod, "stard-ai": self.stard}[checklist].split()


TOPICS = (
    Topic("title", "Title", "human", "Name the method, the disease and the kind of study.", "1", "1", "1"),
    Topic("abstract", "Abstract", "human", "Sum up design, data, result with interval, and limits.", "2", "2", "2"),
    Topic("background", "Background", "human", "What is done today, and for whom?", "3", "3a 3b", "3"),
    Topic("inequalities", "Inequalities in health", "human", "Who may be worse off with this method?", "", "3c"),
    Topic("objectives", "Objectives", "human", "What was to be shown?", "4", "4", "4"),
    Topic("direction", "Direction of the study", "human", "Retrospective or prospective?", "5", "", "5"),
    Topic("goal", "Goal of the study", "draft", "Develop, test or transfer a model?", "6"),
    Topic("data_sources", "Sources of the data", "draft", "Where do images and lesions come from?", "7", "5a", "11"),
    Topic("setting", "Places and dates", "draft", "Which hospitals or practices, from when to when?", "", "5b 6a", "9"),
    Topic("eligibility", "Eligibility", "draft", "Which patients and images were eligible?", "8", "6b", "7"),
    Topic("recruitment", "Recruitment", "human", "Consecutive, random or convenience? How found?", "", "", "8 10"),
    Topic("treatments", "Treatments", "human", "Were operated or treated patients included?", "", "6c"),
    Topic("preprocessing", "Preprocessing", "auto", "How were images prepared?", "9", "7 12b", "14"),
    Topic("selection", "Selected part of the data", "draft", "Which images or parts were used?", "10"),
    Topic("deidentification", "De-identification", "draft", "Who removed what, and when?", "11"),
    Topic("missing_data", "Missing data", "auto", "What was missing, and what was done?", "12", "11", "20"),
    Topic("acquisition", "Acquisition of images", "auto", "Which scanners and protocols?", "13", "", "13"),
    Topic(
        "reference", "Reference standard", "draft", "What is a lesion here, by whose definition?", "14", "8a", "16a 16c"
    ),
    Topic("reference_rationale", "Why this reference", "human", "Why this reference standard?", "15", "", "16b"),
    Topic("readers", "Readers of the reference", "human", "Who read, with which training?", "16", "8b", "12"),
    Topic("annotation", "Annotation", "human", "With which tool, blind to what?", "17", "8c", "17b"),
    Topic("agreement", "Agreement of readers", "draft", "Was agreement measured?", "18"),
    Topic("predictors", "Inputs of the model", "auto", "What enters the model?", "", "9a 9b 9c"),
    Topic("partitions", "Partitions of the data", "auto", "How were data split?", "19", "12a", "15b"),
    Topic("disjoint", "Disjoint partitions", "auto", "Is any patient in two partitions?", "20"),
    Topic("sample_size", "Sample size", "draft", "How was the number of patients planned?", "21", "10", "22"),
    Topic("model", "Model", "auto", "Architecture, inputs, outputs?", "22", "12c 22", "15a"),
    Topic("software", "Software and hardware", "auto", "Which versions, on which machine?", "23"),
    Topic("initialisation", "Initial weights", "auto", "What did the training begin with?", "24"),
    Topic("training", "Training", "auto", "Loss, schedule, length, augmentation?", "25"),
    Topic("choice", "Choice of the final model", "auto", "How many models were compared, on which data?", "26"),
    Topic("ensembling", "Ensembling", "auto", "Do several models answer together?", "27"),
    Topic("measures", "Measures of performance", "auto", "Which measures, by which criterion?", "28", "12e", "18"),
    Topic("uncertainty", "Uncertainty of the measures", "auto", "How were intervals made?", "29"),
    Topic("robustness", "Robustness", "draft", "What happens on degraded or other images?", "30", "", "21"),
    Topic(
        "explanation",
        "Explanation of answers",
        "n/a",
        "Answers are boxes that can be looked at in the image; there are no saliency maps.",
        "31",
    ),
    Topic("internal", "Internal testing", "auto", "How was it tested on data like the training data?", "32"),
    Topic("external", "External testing", "auto", "How was it tested on data from elsewhere?", "33", "16", "29"),
    Topic("registration", "Registration", "human", "Number and registry, or none.", "34", "18d", "36"),
    Topic("protocol", "Protocol", "human", "Where is the protocol, or none?", "42", "18c", "37"),
    Topic("flow", "Flow of participants", "auto", "How many were there, excluded, analysed?", "35", "20a", "24"),
    Topic("participants", "Characteristics of participants", "auto", "Who are they?", "36", "20b 20c", "25"),
    Topic("analysed", "Numbers analysed", "auto", "How many stand behind each number?", "", "21"),
    Topic("performance", "Performance", "auto", "What was found, with intervals?", "37", "23a"),
    Topic("estimates", "Diagnostic estimates", "auto", "Sensitivity and specificity of patients?", "38", "", "30 31"),
    Topic("errors", "Analysis of errors", "auto", "What was missed or falsely found, and why?", "39"),
    Topic(
        "subgroups", "Subgroups and fairness", "draft", "Was performance given by sex, age, scanner?", "", "14", "23"
    ),
    Topic("clusters", "Differences between centres", "auto", "How much do centres differ?", "", "12d 23b"),
    Topic("imbalance", "Imbalance of classes", "auto", "How was imbalance dealt with?", "", "13"),
    Topic("threshold", "Threshold", "auto", "Which threshold, chosen on which data?", "", "15", "15c"),
    Topic("blind_index", "Blinding of the method", "auto", "What did the method know of the reference?", "", "", "17a"),
    Topic("uncertain_results", "Indeterminate results", "auto", "What of uncertain answers?", "", "", "19"),
    Topic("updating", "Updating of the model", "auto", "Was a model updated or recalibrated?", "", "12f 24"),
    Topic("calculation", "How to obtain predictions", "auto", "How does a reader run the model?", "", "12g"),
    Topic("severity", "Severity of disease", "auto", "How severe were the lesions?", "", "", "26a"),
    Topic("other_diagnoses", "Other diagnoses", "human", "What else did the patients have?", "", "", "26b"),
    Topic(
        "interval", "Time between image and reference", "human", "How long, and what was done between?", "", "", "27"
    ),
    Topic("representative", "Representative data", "draft", "Are they like those in intended use?", "", "", "28"),
    Topic("harm", "Harm", "human", "Any harm; none if read retrospectively?", "", "", "32"),
    Topic(
        "limitations", "Limitations", "human", "Which of the notes below limit the result, and how?", "40", "26", "33"
    ),
    Topic("implications", "Implications", "human", "What follows for practice?", "41", "25", "34"),
    Topic("ethics", "Ethics", "human", "Committee, number, consent or waiver.", "", "17", "6 35"),
    Topic("sharing", "Code, model and data", "draft", "Where are code, weights and data?", "43", "18e 18f", "40a"),
    Topic("funding", "Funding", "human", "Who paid, and what was their part?", "44", "18a", "38"),
    Topic("interests", "Competing interests", "human", "Which interests do the authors have?", "", "18b", "39"),
    Topic("involvement", "Patients and public", "human", "Were patients involved in the design?", "", "19"),
    Topic("handling", "Poor or unusual input", "draft", "What happens to unfit images?", "", "27a 27b", "15d"),
    Topic("next", "Next steps", "human", "What should be studied next?", "", "27c"),
    Topic("audit", "Audit of the result", "auto", "How can the result be traced?", "", "", "40b"),
)
# What cards and the review row ask besides; no checklist does.
CARD_TOPICS = (
    Topic("summary", "What it is", "human", "What does the model do, and how was it made?"),
    Topic("intended_use", "Intended use", "human", "Who should use it, for what?"),
    Topic("out_of_scope", "Out of scope", "human", "What must it not be used for?"),
    Topic("training_data", "Training data", "human", "Which data, from where, with which licence?"),
    Topic("evaluation", "Evaluation", "human", "Which tests are not in scores.json?"),
    Topic("licence", "Licence", "human", "Licence of the weights or data."),
    Topic("contact", "Contact", "human", "Who answers questions?"),
    Topic("motivation", "Motivation", "human", "For which purpose were the data collected?"),
    Topic("collection", "Collection", "human", "How, when and by whom were the data collected?"),
    Topic("uses", "Uses", "human", "For what were they used, and what should they not be used for?"),
    Topic("distribution", "Distribution", "human", "Who gets the data, under which terms?"),
    Topic("maintenance", "Maintenance", "human", "Who corrects errors, and how?"),
    Topic("authors", "Authors", "human", "Authors, and whether industry took part."),
    Topic("year", "Year", "human", "Year of publication."),
)
BY_NAME = {topic.name: topic for topic in (*TOPICS, *CARD_TOPICS)}


def rows(checklist: str) -> list[tuple[str, Topic]]:
    """Every item of a checklist in its order, with its topic."""
    found = [(item, topic) for topic in TOPICS for item in topic.items(checklist)]
    return sorted(found, key=lambda row: (int(row[0].rstrip("abcdefg")), row[0]))
