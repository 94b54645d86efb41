import os
import subprocess
import sys
from pathlib import Path


def test_loading_the_encoder_reports_nothing_to_anybody(encoder_folder: Path, tmp_path: Path) -> None:
    # OpenVINO writes a client id to ~/intel before it sends; in CI it would not, so CI is taken away here.
    program = f"from pathlib import Path; from kb import load_encoder; load_encoder(Path({str(encoder_folder)!r}))"
    env = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=env, check=True, cwd=tmp_path)
    assert not (tmp_path / "intel").exists()
