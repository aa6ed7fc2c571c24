import { drawOverlay } from '../../../pkg/dist/index.js';
import { context2d, find } from '../dom.js';
import { isLight, overlayOptions } from '../maps.js';
import { drawWindows } from '../stages.js';

/**
 * @typedef {import('../maps.js').ViewMap} ViewMap
 * @typedef {import('../../../pkg/index.js').Rectangle} Rectangle
 * @typedef {import('../maps.js').Look} Look
 * @typedef {{crop: Rectangle, grid: [number, number], windows?: import('../stages.js').Windows}} Sight  what of the photo the model saw, in the photo's pixels; windows: that are drawn
 */

/**
 * The photo with the chosen map laid over the part that the model saw, and the choice of a patch in it.
 * @param {HTMLElement} root
 * @param {{onPick: (patch: number | null) => void, onHover: (patch: number | null) => void}} handlers
 * @param {AbortSignal} life
 */
export function createStage(root, { onPick, onHover }, life) {
  const base = /** @type {HTMLCanvasElement} */ (find(root, 'canvas.base'));
  const overlay = /** @type {HTMLCanvasElement} */ (find(root, 'canvas.overlay'));
  const frame = find(root, '.frame');
  const hoverCell = find(root, '.hover');
  const queryCell = find(root, '.query');

  /** @type {ImageBitmap | undefined} */
  let photo;
  /** @type {Sight | undefined} */
  let sight;
  /** @type {ViewMap | undefined} */
  let map;
  /** @type {Look | undefined} */
  let look;
  /** @type {number | null} */
  let query = null;
  /** @type {[number, number] | undefined} */
  let expected;
  let room = roomOf(root); // read once a size: to ask lays the page out
  let cut = false; // whether the patches are drawn

  /** The photo is fitted into the stage: scale and offset in CSS pixels. */
  function placement() {
    if (!photo || !room.width || !room.height) return undefined; // or nothing of it is on the page
    const scale = Math.min(room.width / photo.width, room.height / photo.height);
    return { scale, x: (room.width - photo.width * scale) / 2, y: (room.height - photo.height * scale) / 2, width: photo.width * scale, height: photo.height * scale };
  }

  /** Where the first model will look: models take the middle square. */
  function foreseen() {
    if (!expected || !photo) return undefined;
    const side = Math.min(photo.width, photo.height);
    return { x: (photo.width - side) / 2, y: (photo.height - side) / 2, width: side, height: side };
  }

  /** Where the model looked, in CSS pixels of the stage. */
  function cropOnStage() {
    const place = placement();
    const crop = sight?.crop ?? foreseen();
    if (!place || !crop) return undefined;
    return { x: place.x + crop.x * place.scale, y: place.y + crop.y * place.scale, width: crop.width * place.scale, height: crop.height * place.scale };
  }

  /**
   * A canvas of the screen's own pixels, over a part of the stage, and cleared.
   * @param {HTMLCanvasElement} canvas
   * @param {Rectangle} place
   */
  function fresh(canvas, place) {
    const ratio = window.devicePixelRatio || 1;
    put(canvas, place);
    const [width, height] = [place.width, place.height].map((side) => Math.max(1, Math.round(side * ratio)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = context2d(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  const nowhere = { x: 0, y: 0, width: 0, height: 0 };

  function drawBase() {
    const place = placement() ?? nowhere;
    const context = fresh(base, place);
    if (!photo) return;
    context.imageSmoothingQuality = photo.width > 1.5 * base.width ? 'high' : 'low'; // which takes a fraction of the time
    context.drawImage(photo, 0, 0, place.width, place.height);
  }

  /** The map over the photo, as the package draws it; else what of the photo the model gets, on top of it. */
  function drawMap() {
    const place = placement() ?? nowhere;
    const context = fresh(overlay, place);
    const onStage = cropOnStage();
    if (!onStage || !photo || !place.width) return; // nothing to draw, or nowhere
    const crop = { ...onStage, x: onStage.x - place.x, y: onStage.y - place.y };
    if (map && look) {
      // The photo as it is beneath has fewer pixels to read than most.
      drawOverlay(overlay, base, map, { ...overlayOptions(map, look), crop: scaled(crop, base.width / place.width) });
    }
    // Light darkens what the model didn't see by itself.
    if (!(map && look && isLight(map, look))) shadeOutside(context, place, crop);
    if (map && sight?.windows) drawWindows(context, sight.grid, sight.windows, query, crop);
    const grid = expected ?? (cut ? sight?.grid : undefined);
    if (grid) drawPatches(context, crop, grid);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Rectangle} place
   * @param {Rectangle} crop
   */
  function shadeOutside(context, place, crop) {
    context.fillStyle = getComputedStyle(root).getPropertyValue('--shade');
    context.beginPath();
    context.rect(0, 0, place.width, place.height);
    context.rect(crop.x, crop.y, crop.width, crop.height);
    context.fill('evenodd');
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Rectangle} crop
   * @param {[number, number]} grid
   */
  function drawPatches(context, { x, y, width, height }, [rows, cols]) {
    context.fillStyle = 'rgb(255 255 255 / 0.3)';
    for (let i = 1; i < cols; i++) context.fillRect(Math.round(x + (i * width) / cols), y, 1, height);
    for (let i = 1; i < rows; i++) context.fillRect(x, Math.round(y + (i * height) / rows), width, 1);
  }

  function drawMarks() {
    const crop = cropOnStage();
    frame.hidden = !crop;
    if (crop) put(frame, crop);
    mark(queryCell, query);
  }

  /**
   * @param {HTMLElement} cell
   * @param {number | null} patch
   */
  function mark(cell, patch) {
    const crop = cropOnStage();
    cell.hidden = patch === null || !crop;
    if (patch === null || !crop || !sight) return;
    const [rows, cols] = sight.grid;
    const width = crop.width / cols;
    const height = crop.height / rows;
    put(cell, { x: crop.x + (patch % cols) * width, y: crop.y + Math.floor(patch / cols) * height, width, height });
  }

  /** @param {MouseEvent} event @returns {number | null} */
  function patchAt(event) {
    const crop = cropOnStage();
    if (!crop || !sight) return null;
    const box = root.getBoundingClientRect();
    const x = (event.clientX - box.left - crop.x) / crop.width;
    const y = (event.clientY - box.top - crop.y) / crop.height;
    if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
    const [rows, cols] = sight.grid;
    return Math.floor(y * rows) * cols + Math.floor(x * cols);
  }

  root.addEventListener('click', (event) => {
    const patch = patchAt(event);
    if (patch !== null) onPick(patch === query ? null : patch);
  });
  root.addEventListener('pointermove', (event) => {
    if (event.pointerType !== 'mouse') return;
    const patch = patchAt(event);
    mark(hoverCell, patch);
    onHover(patch);
  });
  root.addEventListener('pointerleave', () => {
    hoverCell.hidden = true;
    onHover(null);
  });
  root.addEventListener('keydown', (event) => {
    if (!sight || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = moved(event.key, query, sight.grid);
    if (next === undefined) return;
    event.preventDefault();
    onPick(next);
  });
  new ResizeObserver(() => {
    room = roomOf(root);
    drawBase();
    drawMap();
    drawMarks();
  }).observe(root);
  // The shade's colour follows the page's.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawMap, { signal: life });

  return {
    /** What is on it. */
    get picture() {
      return photo;
    },

    /**
     * @param {ImageBitmap} bitmap owned by the stage from now on
     * @param {string} description
     */
    showPhoto(bitmap, description) {
      photo?.close();
      photo = bitmap;
      root.classList.add('filled');
      root.setAttribute('aria-label', description);
      drawBase();
    },

    /**
     * While the first model is awaited the photo's patches are shown, which takes no weights.
     * @param {[number, number] | undefined} grid undefined: none is awaited any more
     */
    expect(grid) {
      expected = grid;
      drawMap();
      drawMarks();
    },

    /**
     * @param {Sight | undefined} nextSight undefined: the model has not seen this photo yet
     * @param {ViewMap | undefined} nextMap
     * @param {Look} nextLook
     * @param {number | null} nextQuery
     * @param {boolean} [nextCut] whether the patches are shown in place of a map
     */
    showMap(nextSight, nextMap, nextLook, nextQuery, nextCut = false) {
      [sight, map, look, query, cut] = [nextSight, nextMap, nextLook, nextQuery, nextCut];
      if (sight) expected = undefined;
      drawMap();
      drawMarks();
    },
  };
}

/**
 * Where an arrow key leads from a patch.
 * @param {string} key
 * @param {number | null} from
 * @param {[number, number]} grid
 * @returns {number | null | undefined} null: none; undefined: not a key of ours
 */
export function moved(key, from, [rows, cols]) {
  if (key === 'Escape') return null;
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (!step) return undefined;
  if (from === null) return Math.floor(rows / 2) * cols + Math.floor(cols / 2);
  const row = Math.min(rows - 1, Math.max(0, Math.floor(from / cols) + step[0]));
  const col = Math.min(cols - 1, Math.max(0, (from % cols) + step[1]));
  return row * cols + col;
}

/** @param {HTMLElement} root */
function roomOf({ clientWidth, clientHeight }) {
  return { width: clientWidth, height: clientHeight };
}

/**
 * @param {Rectangle} box
 * @param {number} by
 * @returns {Rectangle}
 */
function scaled({ x, y, width, height }, by) {
  return { x: by * x, y: by * y, width: by * width, height: by * height };
}

/**
 * @param {HTMLElement} element
 * @param {Rectangle} box
 */
function put(element, { x, y, width, height }) {
  Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
}
