import { make } from '../dom.js';
import { createTurns } from '../live/turns.js';
import { drawCells } from '../maps.js';

/**
 * @typedef {import('../maps.js').ViewMap} ViewMap
 * @typedef {import('../maps.js').Look} Look
 * @typedef {'mean' | 'max' | 'min'} Fusion
 * @typedef {{layer: number, head: number | Fusion}} HeadChoice
 * @typedef {HeadChoice & {element: HTMLElement, canvas: HTMLCanvasElement}} Tile
 * @typedef {{layers: number, heads: number, grid: [number, number], fusion: Fusion}} Shape
 */

const AXIS = 34; // px, the column of head numbers
const LARGEST_TILE = 128;
const SMALLEST_TILE = 24; // which a finger finds; the grid is scrolled where that is too wide
const BESIDE = 330; // px above and below the tiles, where they stand beside the photo
const FUSED_GAP = 8; // px that set the fused row apart; as in the styles

/**
 * One small map a head: columns are layers, as in the strip, rows heads, the last row all heads fused. An ARIA grid with one tab stop.
 * @param {{onSelect: (choice: HeadChoice) => void, onPreview: (choice: HeadChoice | null) => void}} handlers
 */
export function createHeadGrid({ onSelect, onPreview }) {
  const grid = make('div', { class: 'tiles', role: 'grid', 'aria-label': 'Heads' });
  const root = make('div', { class: 'scroll' }, [grid]);
  /** @type {Shape | undefined} */
  let shape;
  /** @type {Tile[][]} rows of them */
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
    const top = Array.from({ length: next.layers }, (_, layer) => axis('columnheader', String(layer)));
    const rows = [make('div', { role: 'row' }, [make('div', { class: 'axis', role: 'columnheader' }, ['head']), ...top])];
    tiles = rowsOf(next).map((head) => top.map((_, layer) => tile(layer, head, next)));
    tiles.forEach((row) => rows.push(make('div', { role: 'row' }, [axis('rowheader', String(row[0].head)), ...row.map((t) => t.element)])));
    grid.replaceChildren(...rows);
    grid.setAttribute('aria-rowcount', String(tiles.length + 1));
    grid.setAttribute('aria-colcount', String(next.layers + 1));
    layout();
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
    const [rows, cols] = shape.grid;
    const gap = shape.layers > 9 ? 2 : 4;
    const room = (root.clientWidth - AXIS - shape.layers * gap) / shape.layers;
    const { clientWidth, clientHeight } = document.documentElement;
    const beside = root.clientWidth < 0.6 * clientWidth; // else the page is scrolled to them anyway
    const high = beside ? (((clientHeight - BESIDE - FUSED_GAP) / (shape.heads + 1) - gap) * cols) / rows : LARGEST_TILE;
    const ratio = window.devicePixelRatio || 1;
    const size = Math.max(SMALLEST_TILE, Math.floor(Math.min(room, LARGEST_TILE, high) * ratio) / ratio);
    const even = (Math.floor((size * ratio) / cols) * cols) / ratio;
    const width = even >= 0.85 * size ? even : size;
    grid.style.setProperty('--tile', `${width}px`);
    grid.style.setProperty('--tile-height', `${(width * rows) / cols}px`);
    grid.style.setProperty('--tile-gap', `${gap}px`);
    grid.style.gridTemplateColumns = `${AXIS}px repeat(${shape.layers}, ${width}px)`;
  }

  /**
   * @param {number} layer
   * @param {number | Fusion} head
   * @param {Shape} next
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

  /** @param {EventTarget | null} target */
  function tileAt(target) {
    const element = target instanceof Element ? target.closest('.tile') : null;
    return element ? tiles.flat().find((t) => t.element === element) : undefined;
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
    const t = tiles[to[0]][to[1]];
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
      if (!shape || ['layers', 'heads', 'grid', 'fusion'].some((key) => String(shape?.[/** @type {keyof Shape} */ (key)]) !== String(next[/** @type {keyof Shape} */ (key)]))) build(next);
      grid.classList.toggle('smooth', look.smooth);
      const all = tiles.flat();
      turns(all.length, live, (i) => drawCells(all[i].canvas, mapOf(all[i]), look));
      const t = all.find(({ layer, head }) => layer === choice.layer && head === choice.head);
      if (t) mark(t);
    },
  };
}

/** @param {Shape} shape @returns {(number | Fusion)[]} */
function rowsOf({ heads, fusion }) {
  return [...Array.from({ length: heads }, (_, head) => head), fusion];
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
