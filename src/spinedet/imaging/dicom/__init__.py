"""DICOM folders as hospitals send them: indexed by headers, split into stacks, chosen with reasons, read as volumes."""

from spinedet.imaging.dicom.headers import words_in
from spinedet.imaging.dicom.index import DicomSeries, DicomStudy, index_folder, only_block
from spinedet.imaging.dicom.pixels import read_block
from spinedet.imaging.dicom.series_selection import SeriesDecision, StudySelection, select_series
from spinedet.imaging.dicom.stacks import Block, split_series
from spinedet.imaging.dicom.weighting import Weighting, weighting_in, weighting_of

__all__ = [
    "Block",
    "DicomSeries",
    "DicomStudy",
    "SeriesDecision",
    "StudySelection",
    "Weighting",
    "index_folder",
    "only_block",
    "read_block",
    "select_series",
    "split_series",
    "weighting_in",
    "weighting_of",
    "words_in",
]
