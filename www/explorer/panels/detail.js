import { offered } from '../detail.js';
import { find } from '../dom.js';

/**
 * Into how many patches a picture is cut, and whether all of it.
 * @param {HTMLElement} root
 * @param {(choice: {detail: number | null} | {whole: boolean}) => void} onChoose
 */
export function createDetail(root, onChoose) {
  const edge = /** @type {HTMLInputElement} */ (find(root, '[name=detail]'));
  const auto = /** @type {HTMLInputElement} */ (find(root, '[name=auto]'));
  const whole = /** @type {HTMLInputElement} */ (find(root, '[name=whole]'));
  const output = find(root, 'output');
  const note = find(root, '.note');

  root.addEventListener('input', (event) => event.stopPropagation()); // the section around it takes that for another look
  edge.addEventListener('input', () => (output.textContent = `${edge.value} × ${edge.value}`));
  edge.addEventListener('change', () => onChoose({ detail: Number(edge.value) }));
  auto.addEventListener('change', () => onChoose({ detail: auto.checked ? null : Number(edge.value) }));
  whole.addEventListener('change', () => onChoose({ whole: whole.checked }));

  return {
    /**
     * @param {{detail: number | null, whole: boolean}} choice
     * @param {[rows: number, cols: number] | undefined} grid that the model has now
     * @param {[rows: number, cols: number] | undefined} own that it was made for
     * @param {string} [refusal] why it takes no other
     */
    show({ detail, whole: all }, grid, own, refusal) {
      [edge.min, edge.max] = offered(own ?? [0, 0]).map(String);
      const now = detail ?? (grid ? Math.round(Math.sqrt(grid[0] * grid[1])) : undefined);
      if (now && /** @type {ShadowRoot} */ (root.getRootNode()).activeElement !== edge) edge.value = String(now);
      output.textContent = grid ? `${grid[1]} × ${grid[0]}` : '';
      auto.checked = detail === null;
      whole.checked = all;
      for (const input of [edge, auto, whole]) input.disabled = refusal !== undefined;
      const trained = !grid || !own || String(grid) === String(own);
      note.textContent = refusal ?? (trained ? '' : all ? 'In the picture\u2019s own shape: not as it was trained.' : `It was trained with ${own?.[1]} × ${own?.[0]}.`);
    },
  };
}
