import { make } from '../../explorer/dom.js';

/** @typedef {import('../../../pkg/index.js').Trace} Trace */

const NS = 'http://www.w3.org/2000/svg';

/**
 * Two patches on the photo, one that asks and one that answers, with a line from one to the other.
 * @param {HTMLElement} frame which lies over the part of the photo that the model sees
 */
export function createMarks(frame) {
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const lines = ['halo', 'line'].map((kind) => {
    const line = document.createElementNS(NS, 'line');
    line.setAttribute('class', kind);
    svg.append(line);
    return line;
  });
  const [query, key] = ['asks', 'answers'].map((kind) => make('div', { class: `mark ${kind}` }));
  frame.append(svg, key, query);

  return {
    /**
     * @param {Trace} trace
     * @param {number} asks a token; one that is no patch has no place
     * @param {number | null} answers
     */
    show({ prefixTokens, grid: [rows, cols] }, asks, answers) {
      const places = [asks, answers].map((token) => {
        const patch = (token ?? -1) - prefixTokens;
        return patch < 0 ? undefined : { x: patch % cols, y: Math.floor(patch / cols) };
      });
      [query, key].forEach((mark, i) => {
        const place = places[i];
        mark.hidden = !place;
        if (place) Object.assign(mark.style, { left: `${(100 * place.x) / cols}%`, top: `${(100 * place.y) / rows}%`, width: `${100 / cols}%`, height: `${100 / rows}%` });
      });
      const [from, to] = places;
      svg.setAttribute('viewBox', `0 0 ${cols} ${rows}`);
      svg.toggleAttribute('hidden', !from || !to || asks === answers);
      if (!from || !to) return;
      for (const line of lines) {
        for (const [name, value] of Object.entries({ x1: from.x + 0.5, y1: from.y + 0.5, x2: to.x + 0.5, y2: to.y + 0.5 })) line.setAttribute(name, String(value));
      }
    },
  };
}
