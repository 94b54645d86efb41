"""How is OpenVINO loaded without it reporting to its makers?"""

import sys
from types import ModuleType


def load_openvino() -> ModuleType:
    """Import OpenVINO; raises ``ImportError`` where it is not installed.

    On import it would send an event over the network and write a client id to ~/intel, unless its telemetry package
    cannot be imported: then it takes a stub of its own that does nothing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: "cannot be imported"
    import openvino

    module: ModuleType = openvino
    return module
