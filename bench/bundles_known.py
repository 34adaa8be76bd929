"""What was read of public bundles: what they lack, where their parts are, why some of them fail."""

from __future__ import annotations

from collections.abc import Mapping

GROUP = "codalab/competition-examples/codabench"
_R = "R, for its programs"
LACKS: Mapping[str, str] = {
    "FAIR-Universe/Cosmology_Challenge": "13 GB of data (and as much memory)",
    "Imageomics/HDR-SMood-Challenge": "R, for its scoring program",
    "bcm-uga/hadaca3/Hadaca3_bootcamp/bundle": _R,
    "bcm-uga/hadaca3/phase-0-smoothie/bundle": _R,
    "bcm-uga/hadaca3/phase-1_2_3/bundle": _R,
    "bcm-uga/hadaca3/test_phase_1_only/bundle": _R,
}
# Programs that a repository keeps beside the bundle's folder, and zips into it before the upload.
PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "nicomy/DC-CSV-parsing/bundle": {
        "ingestion": "../ingestion_program",
        "scoring": "../scoring_program",
    },
}
# Written for pandas before 2, which their images have.
OLD = (
    f"{GROUP}/autowsl/code_submission/code_submission_bundle",
    f"{GROUP}/autowsl/dataset_submission/dataset_submission_bundle",
)
# A sample that no name tells: the bundle takes data, and its sister's are sent in.
SAMPLES: Mapping[str, str] = {
    f"{GROUP}/autowsl/dataset_submission/dataset_submission_bundle": (
        "../../code_submission/code_submission_bundle/input_data_1"
    ),
}

# Why it fails on the platform too, read in its programs: a Failed that stands here is right.
EXPLAINED: Mapping[str, str] = {
    "Akawalid/nas_automl_challenge/bundle": (
        "its ingestion reads `/app/input`, which the worker shows to scoring alone"
    ),
    "Group4-AI-Challenge/pollinator2-Challenge-M1-AI/Competition_Bundle": (
        "its title has a colon without quotes: the site refuses the upload"
    ),
    "codalab/competition-examples/codabench/wheat_seeds/ingestion_during_scoring_bundle": (
        "its programs talk through `/app/shared`, which the newer worker shows to scoring alone"
    ),
    "elyanrgn/eurozone-gdp-nowcasting": (
        "a colon without quotes in scoring's metadata.yaml: the worker finds no command"
    ),
    "ihsaan-ullah/fair-universe/Competition_Bundles/HEP": (
        "its programs are set to the organisers' own folders (`CODABENCH = False`)"
    ),
    "ihsaan-ullah/fair-universe/Competition_Bundles/Physics_2D": (
        "its programs are set to the organisers' own folders (`./sample_data`)"
    ),
}
