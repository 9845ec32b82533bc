"""The nouns of a labelling effort, as frozen values.

These values cross every border of the program: store, service, screens, command line. They hold no
tensors and import nothing heavy.
"""

from alworkbench.core.domain.answers import (
    AUDIT_STRATEGY,
    Answer,
    AnswerKind,
    Item,
    Label,
    Lease,
    NewItem,
    NewRound,
    Round,
    RoundCount,
    RoundState,
    Suggestion,
    TakeBack,
    act_events,
    counting_opinions,
    deciding_label,
)
from alworkbench.core.domain.calibration import Calibration, CalibrationSource, LabelFreeCalibration
from alworkbench.core.domain.class_list import (
    CLASS_KEYS,
    DEFAULT_TEMPLATES,
    RESERVED_KEYS,
    ClassList,
    LabelClass,
    refuse_twins,
)
from alworkbench.core.domain.class_sets import ClassSets, Selection
from alworkbench.core.domain.computed import (
    EncoderRecord,
    LearnerRecord,
    MetricRecord,
    PosteriorRecord,
)
from alworkbench.core.domain.images import (
    NO_CLASS,
    Depth,
    FoundImage,
    Image,
    ImageFile,
    ImportSummary,
    QuarantineCode,
    QuarantinedFile,
    Role,
    RoleChange,
    RoleMismatch,
)
from alworkbench.core.domain.jobs import ASIDE, Job, JobKind, JobState, NewJob, ProcessMark
from alworkbench.core.domain.label_origin import LabelOrigin, RecordedAnswer
from alworkbench.core.domain.name_knowledge import NameKnowledge
from alworkbench.core.domain.opinions import REVIEW_SOURCE, LabelMoment, Late, LateAnswers
from alworkbench.core.domain.people import Person, PersonRole, SignIn
from alworkbench.core.domain.prepared import AheadLearner, PreparedRound
from alworkbench.core.domain.project_settings import (
    DEFAULT_ADAPTATION,
    DEFAULT_STRATEGY,
    Consensus,
    Goal,
    ProjectFolder,
    ProjectSettings,
)
from alworkbench.core.domain.reviews import NewReview, Review, ReviewReason, ReviewState
from alworkbench.core.domain.simulations import (
    BASELINE_METHODS,
    BASELINE_STRATEGY,
    POINT_COLUMNS,
    Arm,
    SimulationPoint,
)

__all__ = [
    "ASIDE",
    "AUDIT_STRATEGY",
    "BASELINE_METHODS",
    "BASELINE_STRATEGY",
    "CLASS_KEYS",
    "DEFAULT_ADAPTATION",
    "DEFAULT_STRATEGY",
    "DEFAULT_TEMPLATES",
    "NO_CLASS",
    "POINT_COLUMNS",
    "RESERVED_KEYS",
    "REVIEW_SOURCE",
    "AheadLearner",
    "Answer",
    "AnswerKind",
    "Arm",
    "Calibration",
    "CalibrationSource",
    "ClassList",
    "ClassSets",
    "Consensus",
    "Depth",
    "EncoderRecord",
    "FoundImage",
    "Goal",
    "Image",
    "ImageFile",
    "ImportSummary",
    "Item",
    "Job",
    "JobKind",
    "JobState",
    "Label",
    "LabelClass",
    "LabelFreeCalibration",
    "LabelMoment",
    "LabelOrigin",
    "Late",
    "LateAnswers",
    "LearnerRecord",
    "Lease",
    "MetricRecord",
    "NameKnowledge",
    "NewItem",
    "NewJob",
    "NewReview",
    "NewRound",
    "Person",
    "PersonRole",
    "PosteriorRecord",
    "PreparedRound",
    "ProcessMark",
    "ProjectFolder",
    "ProjectSettings",
    "QuarantineCode",
    "QuarantinedFile",
    "RecordedAnswer",
    "Review",
    "ReviewReason",
    "ReviewState",
    "Role",
    "RoleChange",
    "RoleMismatch",
    "Round",
    "RoundCount",
    "RoundState",
    "Selection",
    "SignIn",
    "SimulationPoint",
    "Suggestion",
    "TakeBack",
    "act_events",
    "counting_opinions",
    "deciding_label",
    "refuse_twins",
]
