import { drawOverlay } from '../../../pkg/dist/index.js';
import { make } from '../../explorer/dom.js';
import { overlayOptions } from '../../explorer/maps.js';
import { drawCrop } from '../kit/photo.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 * @typedef {{text: string, share?: number, was?: number}} Measure  beside a head's name: in words, and as a bar of 0 to 1, with a mark where it was
 */

/** CSS pixels between tiles, and below each for its name. */
const GAP = 8;
const FOOT = 34;
const SMALLEST = 40;

/**
 * All heads of a layer as maps on the photo, each a button. The pointer on a patch in one of them asks in all.
 * @param {{onPress: (head: number, patch: number | null) => void, onPoint: (patch: number | null) => void, onMove: (by: [row: number, col: number]) => void}} handlers onMove: an arrow key
 */
export function createHeadTiles({ onPress, onPoint, onMove }) {
  const element = make('div', { class: 'head-tiles', role: 'group', 'aria-label': 'Heads of the layer; arrow keys choose the patch that asks' });
  const base = document.createElement('canvas');
  /** @type {{button: HTMLButtonElement, canvas: HTMLCanvasElement, mark: HTMLElement, name: HTMLElement, text: HTMLElement, bar: HTMLElement, fill: HTMLElement, was: HTMLElement}[]} */
  let tiles = [];
  let ratio = 1; // width over height of the part of the photo that is seen
  let grid = [1, 1];
  /** @type {(() => void) | undefined} */
  let redraw;

  /** @param {number} count */
  function build(count) {
    tiles = Array.from({ length: count }, (_, head) => {
      const [canvas, mark, name, text, fill, was] = [make('canvas', { 'aria-hidden': 'true' }), make('span', { class: 'mark' }), make('span', { class: 'name' }, [`head ${head}`]), make('span', { class: 'text' }), make('i'), make('u')];
      const bar = make('span', { class: 'gauge', 'aria-hidden': 'true' }, [fill, was]);
      const picture = make('span', { class: 'picture' }, [canvas, mark]);
      const button = make('button', { type: 'button', class: 'tile' }, [picture, name, text, bar]);
      const patchAt = (/** @type {MouseEvent} */ { clientX, clientY }) => {
        const box = canvas.getBoundingClientRect();
        const [x, y] = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
        return x < 0 || y < 0 || x >= 1 || y >= 1 ? null : Math.floor(y * grid[0]) * grid[1] + Math.floor(x * grid[1]);
      };
      button.addEventListener('click', (event) => onPress(head, event.detail ? patchAt(event) : null));
      canvas.addEventListener('pointermove', (event) => event.pointerType === 'mouse' && onPoint(patchAt(event)));
      return { button, canvas, mark, name, text, bar, fill, was };
    });
    element.replaceChildren(...tiles.map(({ button }) => button));
  }
  element.addEventListener('pointerleave', () => onPoint(null));
  element.addEventListener('keydown', (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    onMove([by[0], by[1]]);
  });

  /** As many columns as make the tiles largest. */
  function layout() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!width || !tiles.length) return;
    const options = tiles.map((_, i) => {
      const columns = i + 1;
      const rows = Math.ceil(tiles.length / columns);
      return { columns, size: Math.min((width - GAP * (columns - 1)) / columns, ((height - GAP * (rows - 1)) / rows - FOOT) * ratio) };
    });
    const best = options.reduce((a, b) => (b.size > a.size ? b : a));
    const size = Math.floor(Math.max(SMALLEST, best.size));
    element.style.gridTemplateColumns = `repeat(${best.columns}, ${size}px)`;
    const scale = window.devicePixelRatio || 1;
    for (const { canvas } of tiles) Object.assign(canvas, { width: Math.round(size * scale), height: Math.round((size / ratio) * scale) });
  }
  new ResizeObserver(() => {
    layout();
    redraw?.();
  }).observe(element);

  return {
    element,

    /**
     * @param {Pick<Context, 'trace' | 'look'>} context
     * @param {ImageBitmap} picture
     * @param {(head: number) => ViewMap} mapOf
     * @param {number | null} patch the one that asks
     */
    draw({ trace, look }, picture, mapOf, patch) {
      const { crop, heads } = trace;
      grid = trace.grid;
      ratio = crop.width / crop.height;
      if (tiles.length !== heads) build(heads);
      layout();
      redraw = () => {
        const { width, height } = tiles[0].canvas;
        drawCrop(base, picture, crop, Math.max(width, height));
        tiles.forEach(({ canvas, mark }, head) => {
          const map = mapOf(head);
          drawOverlay(canvas, base, map, { ...overlayOptions(map, look), crop: { x: 0, y: 0, width: base.width, height: base.height } });
          mark.hidden = patch === null;
          if (patch !== null) Object.assign(mark.style, { left: `${(100 * (patch % grid[1])) / grid[1]}%`, top: `${(100 * Math.floor(patch / grid[1])) / grid[0]}%`, width: `${100 / grid[1]}%`, height: `${100 / grid[0]}%` });
        });
      };
      redraw();
    },

    /**
     * What is said of each head.
     * @param {(head: number) => {measure?: Measure, pressed: boolean, off: boolean, label: string}} of
     */
    label(of) {
      tiles.forEach(({ button, text, bar, fill, was }, head) => {
        const { measure, pressed, off, label } = of(head);
        button.setAttribute('aria-pressed', String(pressed));
        button.setAttribute('aria-label', label);
        button.classList.toggle('off', off);
        text.textContent = measure?.text ?? '';
        bar.hidden = measure?.share === undefined;
        fill.style.setProperty('--share', String(measure?.share ?? 0));
        was.hidden = measure?.was === undefined;
        was.style.setProperty('--share', String(measure?.was ?? 0));
      });
    },
  };
}
