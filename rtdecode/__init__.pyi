"""The public names of rtdecode, for type checkers and editors."""

from rtdecode.notebook.decoding import Decoder as Decoder
from rtdecode.notebook.fitting import FitWarning as FitWarning
from rtdecode.notebook.fitting import fit_ridge as fit_ridge
from rtdecode.notebook.fitting import fit_twin as fit_twin
from rtdecode.notebook.offline import reconstruct as reconstruct
from rtdecode.notebook.opening import open_session as open_session
from rtdecode.notebook.scores import Scores as Scores
from rtdecode.notebook.scores import score as score
from rtdecode.notebook.twin import Twin as Twin
from rtdecode.notebook.twin import load_twin as load_twin
from rtdecode.schema.errors import RtdecodeError as RtdecodeError
from rtdecode.session.recorded import RecordedSession as RecordedSession
from rtdecode.session.series import Series as Series

__version__: str
