import { colourise } from '../../../pkg/dist/index.js';
import { context2d, make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { math, sup, sym } from '../math.js';

const NS = 'http://www.w3.org/2000/svg';
/** Of the drawing between the strips, in units of its own; it is stretched. */
const HIGH = 100;
/** Of the width, between two heads. */
const GAP = 0.012;

/**
 * The way from the heads to the stream, drawn as wide as it is: each head's channels side by side, and how each head reaches all channels of the stream through the projection.
 * @param {(head: number) => void} onHead
 */
export function createProjection(onHead) {
  const blocks = make('div', { class: 'blocks' });
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('viewBox', `0 0 1 ${HIGH}`);
  svg.setAttribute('aria-hidden', 'true');
  const fans = document.createElementNS(NS, 'g');
  svg.append(fans);
  const weights = make('span', { class: 'weights' });
  const stream = make('div', { class: 'stream' });
  const lengths = make('p', { class: 'note lengths' });
  const element = make('div', { class: 'projection' }, [blocks, make('div', { class: 'fan' }, [svg, weights]), stream, lengths]);

  return {
    element,
    /**
     * @param {import('../../../pkg/index.js').Floats[]} contexts what each head gathers
     * @param {number} chosen a head
     * @param {{stream: number, added: number}} norms lengths of the token's vector before, and of what the layer adds
     */
    show(contexts, chosen, norms) {
      const [heads, size] = [contexts.length, contexts[0].length];
      const width = heads * size;
      const most = contexts.reduce((most, values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0) || 1;
      const wide = (1 - GAP * (heads - 1)) / heads;
      if (blocks.childElementCount !== heads) {
        blocks.replaceChildren(...contexts.map((_, head) => {
          const button = make('button', { type: 'button' }, [make('canvas', { 'aria-hidden': 'true' }), make('span', {}, [heads > 10 ? String(head) : `head ${head}`])]);
          button.addEventListener('click', () => onHead(head));
          return button;
        }));
        fans.replaceChildren(...contexts.map(() => document.createElementNS(NS, 'path')));
      }
      contexts.forEach((values, head) => {
        const button = /** @type {HTMLElement} */ (blocks.children[head]);
        const canvas = /** @type {HTMLCanvasElement} */ (button.firstElementChild);
        Object.assign(canvas, { width: size, height: 1 });
        const map = { rows: 1, cols: size, channels: /** @type {1} */ (1), data: values, signed: true, text: '' };
        context2d(canvas).putImageData(new ImageData(colourise(map, { range: [-most, most] }), size, 1), 0, 0);
        button.style.width = `${100 * wide}%`;
        button.setAttribute('aria-pressed', String(head === chosen));
        button.setAttribute('aria-label', `Head ${head}: channels ${head * size} to ${(head + 1) * size - 1}`);
        const from = head * (wide + GAP);
        fans.children[head].setAttribute('d', `M${from} 0H${from + wide}L1 ${HIGH}H0Z`);
        fans.children[head].setAttribute('class', head === chosen ? 'chosen' : '');
      });
      weights.innerHTML = `${math(sup(sym('W'), sym('O')))}: ${count(width)} × ${count(width)} = ${count(width * width)} weights`;
      stream.textContent = `${count(width)} channels, added to the stream`;
      lengths.innerHTML = `Length of the token’s vector ${math(sym('z', 'z'))}: ${number(norms.stream)}; of what this layer’s heads add to it: ${number(norms.added)}.`;
    },
  };
}
