import { make } from '../dom.js';
import { createTurns } from '../live/turns.js';
import { drawCells } from '../maps.js';
import { beginnings } from '../stages.js';

/**
 * @typedef {import('../maps.js').ViewMap} ViewMap
 * @typedef {import('../maps.js').Look} Look
 * @typedef {'mean' | 'max' | 'min'} Fusion
 * @typedef {{layer: number, head: number | Fusion}} HeadChoice
 * @typedef {HeadChoice & {element: HTMLElement, canvas: HTMLCanvasElement}} Tile
 * @typedef {import('../stages.js').Layer} Layer
 * @typedef {{stages: Layer[], heads: number, fusion: Fusion}} Shape  heads: the most that a layer has
 */

const AXIS = 34; // px, the column of head numbers
const LARGEST_TILE = 128;
const SMALLEST_TILE = 24; // which a finger finds; the grid is scrolled where that is too wide
const SMALLEST_OF_STAGES = 28; // where some layers have many heads, and most have few
const BESIDE = 330; // px above and below the tiles, where they stand beside the photo
const FUSED_GAP = 8; // px that set the fused row apart; as in the styles
const STAGE_GAP = 6; // px that set stages apart

/**
 * One small map a head: columns are layers, as in the strip, rows heads, the last row all heads fused; the first, where layers have different numbers of heads. An ARIA grid with one tab stop.
 * @param {{onSelect: (choice: HeadChoice) => void, onPreview: (choice: HeadChoice | null) => void}} handlers
 */
export function createHeadGrid({ onSelect, onPreview }) {
  const grid = make('div', { class: 'tiles', role: 'grid', 'aria-label': 'Heads' });
  const root = make('div', { class: 'scroll' }, [grid]);
  /** @type {Shape | undefined} */
  let shape;
  /** @type {(Tile | undefined)[][]} rows of them; undefined: that layer has no such head */
  let tiles = [];
  const turns = createTurns();
  /** @type {HTMLElement[]} */
  let axes = [];
  /** @type {Tile | undefined} */
  let selected;

  /** @param {Shape} next */
  function build(next) {
    shape = next;
    selected = undefined;
    axes = [];
    const { stages } = next;
    const starts = beginnings(next);
    const top = stages.map((_, layer) => axis('columnheader', String(layer)));
    const heads = rowsOf(next);
    tiles = heads.map((head) => stages.map((layer, i) => (typeof head === 'string' || head < layer.heads ? tile(i, head, layer) : undefined)));
    const rows = [
      ...(starts.length > 1 ? [starts.map((start, i) => stageHeader(stages[start], (starts[i + 1] ?? stages.length) - start))] : []),
      [make('div', { class: 'axis', role: 'columnheader' }, ['head']), ...top],
      ...tiles.map((row, i) => [axis('rowheader', String(heads[i])), ...row.flatMap((t) => t?.element ?? [])]),
    ];
    grid.replaceChildren(...rows.map((cells) => make('div', { role: 'row' }, cells)));
    if (starts.length > 1) {
      const place = (/** @type {HTMLElement} */ element, /** @type {number} */ layer, span = 1) => {
        element.style.gridColumn = `${2 + layer + starts.filter((start) => start && start <= layer).length} / span ${span}`;
        element.setAttribute('aria-colindex', String(layer + 2));
      };
      for (const [first] of rows) first.style.gridColumn = '1';
      rows[0].forEach((header, i) => place(header, starts[i], Number(header.getAttribute('aria-colspan'))));
      top.forEach((header, layer) => place(header, layer));
      for (const t of all()) place(t.element, t.layer);
    }
    grid.classList.toggle('fused-first', typeof heads[0] === 'string');
    grid.setAttribute('aria-rowcount', String(grid.children.length));
    grid.setAttribute('aria-colcount', String(stages.length + 1));
    layout();
  }

  /**
   * What columns have in common.
   * @param {Layer} layer
   * @param {number} span
   */
  function stageHeader({ stage, grid: [rows, cols] }, span) {
    const title = `Stage ${stage}: ${cols} × ${rows} patches`;
    return make('div', { class: 'axis joint', role: 'columnheader', 'aria-colspan': String(span), title }, [`stage ${stage}`, make('br'), `${cols} × ${rows}`]);
  }

  /**
   * @param {'columnheader' | 'rowheader'} role
   * @param {string} text
   */
  function axis(role, text) {
    const fused = Number.isNaN(Number(text));
    const element = make('div', { class: `axis ${role === 'rowheader' ? 'row' : 'column'}${fused ? ' fused' : ''}`, role }, [text]);
    axes.push(element);
    return element;
  }

  /** Tiles as large as fit; a whole number of screen pixels a patch where that costs little, for even cells. */
  function layout() {
    if (!shape || !root.clientWidth) return;
    const layers = shape.stages.length;
    const [rows, cols] = shape.stages[layers - 1].grid;
    const starts = beginnings(shape);
    const gap = layers > 9 ? 2 : 4;
    const room = (root.clientWidth - AXIS - layers * gap - (starts.length - 1) * (STAGE_GAP + gap)) / layers;
    const { clientWidth, clientHeight } = document.documentElement;
    const beside = root.clientWidth < 0.6 * clientWidth; // else the page is scrolled to them anyway
    const high = beside ? (((clientHeight - BESIDE - FUSED_GAP) / (shape.heads + 1) - gap) * cols) / rows : LARGEST_TILE;
    const ratio = window.devicePixelRatio || 1;
    const least = grid.classList.contains('fused-first') && room >= SMALLEST_OF_STAGES ? SMALLEST_OF_STAGES : SMALLEST_TILE;
    const size = Math.max(least, Math.floor(Math.min(room, LARGEST_TILE, high) * ratio) / ratio);
    const even = (Math.floor((size * ratio) / cols) * cols) / ratio;
    const width = even >= Math.max(SMALLEST_TILE, 0.85 * size) ? even : size;
    grid.style.setProperty('--tile', `${width}px`);
    grid.style.setProperty('--tile-height', `${(width * rows) / cols}px`);
    grid.style.setProperty('--tile-gap', `${gap}px`);
    const columns = shape.stages.map((_, layer) => `${layer && starts.includes(layer) ? `${STAGE_GAP}px ` : ''}${width}px`);
    grid.style.gridTemplateColumns = `${AXIS}px ${columns.join(' ')}`;
  }

  /**
   * @param {number} layer
   * @param {number | Fusion} head
   * @param {Layer} own
   * @returns {Tile}
   */
  function tile(layer, head, { grid: [rows, cols] }) {
    const canvas = make('canvas', { width: String(cols), height: String(rows) });
    const fused = typeof head === 'string';
    const name = fused ? `Layer ${layer}, ${head} of heads` : `Layer ${layer}, head ${head}`;
    const element = make('div', { class: fused ? 'tile fused' : 'tile', role: 'gridcell', tabindex: '-1', 'aria-selected': 'false', 'aria-label': name }, [canvas]);
    element.dataset.layer = String(layer);
    element.dataset.head = String(head);
    return { layer, head, element, canvas };
  }

  const all = () => tiles.flat().filter((t) => t !== undefined);

  /** @param {EventTarget | null} target */
  function tileAt(target) {
    const element = target instanceof Element ? target.closest('.tile') : null;
    return element ? all().find((t) => t.element === element) : undefined;
  }

  /** @param {Tile} next */
  function mark(next) {
    if (selected) {
      selected.element.setAttribute('aria-selected', 'false');
      selected.element.tabIndex = -1;
    }
    selected = next;
    next.element.setAttribute('aria-selected', 'true');
    next.element.tabIndex = 0;
    const row = rowIndex(next);
    axes.forEach((element, i) => element.classList.toggle('current', i === next.layer || i === tiles[0].length + row));
  }

  /** @param {Tile} t */
  const rowIndex = (t) => tiles.findIndex((row) => row[t.layer] === t);

  grid.addEventListener('click', (event) => {
    const t = tileAt(event.target);
    if (t) onSelect(t);
  });
  grid.addEventListener('pointerover', (event) => {
    if (event.pointerType === 'mouse') onPreview(tileAt(event.target) ?? null);
  });
  grid.addEventListener('pointerleave', () => onPreview(null));
  grid.addEventListener('keydown', (event) => {
    const from = tileAt(event.target);
    const to = from && neighbour(event, rowIndex(from), from.layer, tiles.length - 1, tiles[0].length - 1);
    if (!to) return;
    event.preventDefault();
    let [row, column] = to;
    while (!tiles[row][column]) row--; // to the last that this layer has
    const t = /** @type {Tile} */ (tiles[row][column]);
    onSelect(t);
    t.element.focus();
  });
  new ResizeObserver(layout).observe(root);

  return {
    element: root,

    /**
     * @param {Shape} next
     * @param {(choice: HeadChoice) => ViewMap} mapOf
     * @param {Look} look
     * @param {HeadChoice} choice
     * @param {boolean} live
     */
    show(next, mapOf, look, choice, live) {
      if (JSON.stringify(shape) !== JSON.stringify(next)) build(next);
      grid.classList.toggle('smooth', look.smooth);
      const each = all();
      turns(each.length, live, (i) => drawCells(each[i].canvas, mapOf(each[i]), look));
      const t = each.find(({ layer, head }) => layer === choice.layer && head === choice.head);
      if (t) mark(t);
    },
  };
}

/** @param {Shape} shape @returns {(number | Fusion)[]} */
function rowsOf({ stages, heads, fusion }) {
  const each = Array.from({ length: heads }, (_, head) => head);
  return stages.every((layer) => layer.heads === heads) ? [...each, fusion] : [fusion, ...each];
}

/**
 * Where a key leads from a cell of a grid, as in the ARIA pattern.
 * @param {KeyboardEvent} event
 * @param {number} row
 * @param {number} column
 * @param {number} lastRow
 * @param {number} lastColumn
 * @returns {[number, number] | undefined}
 */
function neighbour({ key, ctrlKey }, row, column, lastRow, lastColumn) {
  switch (key) {
    case 'ArrowLeft': return [row, Math.max(0, column - 1)];
    case 'ArrowRight': return [row, Math.min(lastColumn, column + 1)];
    case 'ArrowUp': return [Math.max(0, row - 1), column];
    case 'ArrowDown': return [Math.min(lastRow, row + 1), column];
    case 'Home': return [ctrlKey ? 0 : row, 0];
    case 'End': return [ctrlKey ? lastRow : row, lastColumn];
    case 'PageUp': return [0, column];
    case 'PageDown': return [lastRow, column];
    case 'Enter': case ' ': return [row, column];
    default: return undefined;
  }
}
