"""That the wheel alone, as pip installs it, opens a model of a folder: no torch, no Pillow."""

import sys
from pathlib import Path

import vitscope

ROOT = Path(__file__).parents[2]

widget = vitscope.explore(ROOT / "tests/fixtures/hf_vit", ROOT / "www/samples/coffee.jpg", layer=1)
assert ROOT not in Path(vitscope.__file__).parents or "site-packages" in vitscope.__file__, vitscope.__file__
assert widget.layer == 1
assert {"app.js", "worker.js", "relaxed.wasm", "simd128.wasm"} <= widget._assets.keys(), widget._assets
assert not {"torch", "PIL", "timm", "transformers"} & sys.modules.keys()
print(f"vitscope {vitscope.__version__} in an empty environment: ok")
