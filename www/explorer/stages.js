/**
 * What a layer has of its own. In a plain ViT all layers are alike; of Swin, SAM and MobileViT the grid, the heads and what a patch sees go by stage and layer.
 *
 * @typedef {import('../../pkg/index.js').LayerShape} Layer
 * @typedef {NonNullable<Layer['window']>} Window
 * @typedef {[rows: number, cols: number]} Grid
 * @typedef {{of: Int32Array, parts: Int32Array}} Windows  of: the window of each patch; parts: which part of one, of those that lie apart in the photo: they don't see each other
 */

/** Whether layers differ, or see less than all. @param {{stages: Layer[]}} trace */
export function isStaged({ stages }) {
  return stages.some(({ stage, window }) => stage > 0 || window);
}

/**
 * The patch of another grid that has the same point of the photo.
 * @param {number} patch
 * @param {Pick<Layer, 'grid' | 'patchSize'>} from
 * @param {Pick<Layer, 'grid' | 'patchSize'>} to
 */
export function samePoint(patch, from, to) {
  const [row, col] = [Math.floor(patch / from.grid[1]), patch % from.grid[1]].map((at, i) => Math.min(to.grid[i] - 1, Math.floor(((at + 0.5) * from.patchSize[i]) / to.patchSize[i])));
  return row * to.grid[1] + col;
}

/** The most heads that a layer has. @param {{stages: Layer[]}} trace */
export function mostHeads({ stages }) {
  return Math.max(...stages.map(({ heads }) => heads));
}

/** What layers have of something: one number, or from the first to the last of several. @param {number[]} values */
export function spread(values) {
  const [first, last] = [values[0], values[values.length - 1]].map((value) => value.toLocaleString('en'));
  return first === last ? first : `${first} to ${last}`;
}

/** Layers that begin a stage. @param {{stages: Layer[]}} trace @returns {number[]} */
export function beginnings({ stages }) {
  return stages.flatMap(({ stage }, layer) => (layer && stages[layer - 1].stage === stage ? [] : [layer]));
}

/**
 * A layer's place, in words.
 * @param {{stages: Layer[]}} trace
 * @param {number} layer
 */
export function layerWords(trace, layer) {
  if (!isStaged(trace)) return '';
  const { stage, grid, window } = trace.stages[layer];
  const several = trace.stages.some((other) => other.stage !== stage);
  const words = windowWords(window);
  return several ? `Stage ${stage}, ${grid[1]} × ${grid[0]}: ${words}.` : `${words[0].toUpperCase()}${words.slice(1)}.`;
}

/** @param {Layer['window']} window */
export function windowWords(window) {
  if (!window) return 'each sees all';
  const { kind, size: [height, width], shift: [down, right] } = window;
  if (kind === 'strided') return `windows of one patch in each ${width} × ${height}`;
  const moved = down || right ? `, shifted by ${down === right ? down : `${right} × ${down}`}` : '';
  return `windows of ${width} × ${height}${moved}`;
}

/**
 * Which patches see each other: the grid is rolled up and to the left by the shift, and cut into windows (Swin; Liu et al., 2021).
 * @param {Grid} grid
 * @param {Layer['window']} window null: one has all
 * @returns {Windows}
 */
export function windowsOf(grid, window) {
  const [rows, cols] = grid;
  const axes = [0, 1].map((axis) => {
    if (!window) return { window: () => 0, part: () => 0, count: 1 };
    const { kind, size: sizes, shift: shifts, padsFirst } = window;
    const [size, shift, edge] = [sizes[axis], shifts[axis], grid[axis]];
    if (kind === 'strided') return { window: (/** @type {number} */ at) => at % size, part: () => 0, count: size };
    const whole = Math.ceil(edge / size) * size;
    const rolled = (/** @type {number} */ at) => (at - shift + (padsFirst ? whole : edge)) % (padsFirst ? whole : edge);
    // Only the last window has what came from the other end.
    const part = (/** @type {number} */ at) => (!shift || at < whole - size ? 0 : at < whole - shift ? 1 : 2);
    return { window: (/** @type {number} */ at) => Math.floor(rolled(at) / size), part: (/** @type {number} */ at) => part(rolled(at)), count: whole / size };
  });
  const [of, parts] = [new Int32Array(rows * cols), new Int32Array(rows * cols)];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      of[row * cols + col] = axes[0].window(row) * axes[1].count + axes[1].window(col);
      parts[row * cols + col] = 3 * axes[0].part(row) + axes[1].part(col);
    }
  }
  return { of, parts };
}

/**
 * Lines around patches, each between one that belongs to something and a neighbour that does not, as a path.
 * @param {Grid} grid
 * @param {(a: number, b: number) => boolean} apart whether there is a line between two neighbours; -1: outside of the grid
 * @param {import('../../pkg/index.js').Rectangle} box
 */
export function border([rows, cols], apart, { x, y, width, height }) {
  const path = new Path2D();
  const [across, down] = [(/** @type {number} */ col) => x + (col * width) / cols, (/** @type {number} */ row) => y + (row * height) / rows];
  const at = (/** @type {number} */ row, /** @type {number} */ col) => (row < 0 || col < 0 || row >= rows || col >= cols ? -1 : row * cols + col);
  for (let row = 0; row <= rows; row++) {
    for (let col = 0; col <= cols; col++) {
      const here = at(row, col);
      if (col < cols && apart(here, at(row - 1, col))) {
        path.moveTo(across(col), down(row));
        path.lineTo(across(col + 1), down(row));
      }
      if (row < rows && apart(here, at(row, col - 1))) {
        path.moveTo(across(col), down(row));
        path.lineTo(across(col), down(row + 1));
      }
    }
  }
  return path;
}

/**
 * Windows over a picture: all of them as hairlines, and that of a patch. It sees the part that it lies in; those that rolling has brought to it are dashed.
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} grid
 * @param {Windows} windows
 * @param {number | null} patch
 * @param {import('../../pkg/index.js').Rectangle} box
 */
export function drawWindows(context, grid, { of, parts }, patch, box) {
  const same = (/** @type {number} */ a, /** @type {number} */ b) => of[a] === of[b] && parts[a] === parts[b];
  const stroke = (/** @type {Path2D} */ path, /** @type {number} */ width, /** @type {string} */ colour, /** @type {number[]} */ dash = []) => {
    context.setLineDash(dash);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  };
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  stroke(border(grid, (a, b) => a >= 0 && b >= 0 && !same(a, b), box), 1, 'rgb(255 255 255 / 0.28)');
  if (patch !== null) {
    const around = (/** @type {(patch: number) => boolean} */ has) => border(grid, (a, b) => (a >= 0 && has(a)) !== (b >= 0 && has(b)), box);
    const [own, others] = [around((at) => same(at, patch)), around((at) => of[at] === of[patch] && parts[at] !== parts[patch])];
    for (const path of [own, others]) stroke(path, 3.5, 'rgb(0 0 0 / 0.4)');
    stroke(others, 1.5, 'rgb(255 255 255 / 0.8)', [4, 4]);
    stroke(own, 1.5, '#fff');
  }
  context.restore();
}
