"""Why an item is recommended: what is known of somebody, piece by piece, and what each piece carries."""

from edgewise.explanations.evidence import Evidence, Piece, PieceKind
from edgewise.explanations.explaining import evidence_of, explain_list, explain_one, reasons_of
from edgewise.explanations.explanation import METHODS, Explanation, Fidelity, Method, Reason
from edgewise.explanations.fidelity import FidelityShares, fidelity_of, fidelity_shares
from edgewise.explanations.perturbation import perturbation

__all__ = [
    "METHODS",
    "Evidence",
    "Explanation",
    "Fidelity",
    "FidelityShares",
    "Method",
    "Piece",
    "PieceKind",
    "Reason",
    "evidence_of",
    "explain_list",
    "explain_one",
    "fidelity_of",
    "fidelity_shares",
    "perturbation",
    "reasons_of",
]
