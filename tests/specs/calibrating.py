"""A small calibration for tests."""

from typing import Any

CALIBRATION: dict[str, Any] = {
    "version": "calibration/1",
    "name": "my-cluster",
    "sixnd_version": "0",
    "accelerator": "h100-sxm",
    "precision": "bf16",
    "relative_error_before": 0.14,
    "relative_error": 0.1,
    "excess": 1.0,
    "constants": [
        {"name": "matmul.bf16", "before": 0.725, "value": 0.6, "spread_before": 0.17, "spread": 0.1},
        {"name": "layer_overhead_s", "before": 88.8e-6, "value": 100.0e-6, "spread_before": 0.7, "spread": 0.6},
    ],
    "log_covariance": [[0.01], [-0.002, 0.36]],
    "evidence": [
        {
            "what": "Llama 3 8B on 64",
            "source": "train.log:12-210",
            "steps": 190,
            "measured_s": 5.2,
            "noise": 0.001,
            "predicted_before_s": 4.4,
            "predicted_s": 5.1,
        }
    ],
    "notes": [],
}
"""As plain data, of the version that `sixnd calibrate` writes."""
