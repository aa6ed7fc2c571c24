/** What the tests in JupyterLab share: the widget in a cell, and what it shows. */
import { ROOT } from '../page/harness.mjs';
import { PYTHON, has } from './jupyter.mjs';

/** @typedef {Awaited<ReturnType<typeof import('./jupyter.mjs').openNotebook>>} Notebook */
/** @typedef {import('playwright-core').Locator} Locator */

/** Why there is nothing to test with; false where there is. */
export const lacking = (await has(PYTHON, 'jupyterlab', 'ipykernel', 'anywidget', 'numpy')) ? false : 'VITSCOPE_JUPYTER names no Python with JupyterLab, ipykernel, anywidget and numpy';

/** For the first cell. `FIXTURES / name` is a folder of a model, `expected(name)` what its library computes, `sent` the bytes of each blob that went to a page. */
export const PREPARE = `
import json, sys
from collections import Counter
from pathlib import Path
import numpy as np
import vitscope
from vitscope import explorer, safetensors

ROOT = Path(${JSON.stringify(ROOT)})
FIXTURES, PHOTOS = ROOT / "tests/fixtures", ROOT / "www/samples"

def expected(name, file="expected"):
    return safetensors.load((FIXTURES / name / f"{file}.safetensors").read_bytes())

def apart(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return float(abs(a - b).max()) if a.shape == b.shape else f"{a.shape} is not {b.shape}"

sent, answer_get = Counter(), explorer.answer_get
def counted(blobs, content):
    message, buffers = answer_get(blobs, content)
    sent[content["name"]] += sum(len(each) for each in buffers)
    return message, buffers
explorer.answer_get = counted
`;

/** What a widget's explorer in this output says is shown. @param {Locator} at */
export const title = (at) => at.locator('[data-caption=title]');

/** The widget is open in this output, and has answered. @param {Locator} at */
export async function answered(at) {
  await at.locator('#answers ol[aria-busy=false] .score').first().getByText('%').waitFor();
  await title(at).getByText(/\S/).waitFor();
}

/** The pixels over the photo. @param {Locator} at */
export function drawn(at) {
  return at.locator('#stage .overlay').evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).toDataURL());
}

/** Waits until other pixels are there than these, and says which. @param {Locator} at @param {string} before */
export async function redrawn(at, before) {
  for (;;) {
    const now = await drawn(at);
    if (now !== before) return now;
    await new Promise((resolve) => setTimeout(resolve, 50)); // (the test's own time limit ends it)
  }
}

/** Clicks the middle of a patch of a grid of `n` × `n`. @param {Locator} at @param {number} row @param {number} col @param {number} n */
export async function clickPatch(at, row, col, n) {
  const overlay = at.locator('#stage .overlay');
  const { width, height } = await overlay.evaluate((element) => element.getBoundingClientRect());
  await overlay.click({ position: { x: ((col + 0.5) * width) / n, y: ((row + 0.5) * height) / n } });
}
