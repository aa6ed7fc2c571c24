/** Maps by how far they are right. */
import { make } from '../../explorer/dom.js';
import { refill } from '../kit/classes.js';
import { curvesOf, drawClaim, mapOf } from './claims.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('./claims.js').Claim} Claim
 */

/** @param {(claim: Claim) => void} onPick */
export function createRanking(onPick) {
  const body = make('tbody');
  const heads = ['map', 'deletion', 'insertion', 'difference'];
  const element = make('div', { class: 'ranking grow' }, [
    make('table', {}, [make('thead', {}, [make('tr', {}, heads.map((text) => make('th', { scope: 'col' }, [text])))]), body]),
  ]);

  return {
    element,

    /**
     * @param {Context} context
     * @param {Claim[]} claims
     * @param {Claim} chosen
     * @param {HTMLCanvasElement} part
     */
    show(context, claims, chosen, part) {
      const judged = claims.map((claim) => {
        const curves = curvesOf(claim, context);
        const [deletion, insertion] = [curves?.deletion.area, curves?.insertion.area];
        return { claim, curves, deletion, insertion, difference: deletion === undefined || insertion === undefined ? undefined : insertion - deletion };
      }).sort((a, b) => (b.difference ?? -Infinity) - (a.difference ?? -Infinity));
      refill(body, judged.map(({ claim, deletion, insertion, difference }) => {
        const canvas = make('canvas', { 'aria-hidden': 'true' });
        drawClaim(canvas, part, mapOf(claim, context), context.look);
        const button = make('button', { type: 'button', 'aria-pressed': String(claim === chosen), 'data-class': claim.id }, [canvas, make('span', {}, [claim.name])]);
        button.addEventListener('click', () => onPick(claim));
        return make('tr', { class: `${claim === chosen ? 'chosen ' : ''}${claim.id}` }, [
          make('th', { scope: 'row' }, [button]), cell(deletion), cell(insertion), make('td', {}, [difference === undefined ? '–' : signed(difference)]),
        ]);
      }));

      const done = judged.filter(({ curves }) => curves).length;
      if (done < claims.length) return `${done} of ${claims.length} maps are judged.`;
      const place = judged.findIndex(({ claim }) => claim === chosen);
      const random = judged.findIndex(({ claim }) => claim.id === 'random');
      const above = judged.slice(0, random).map(({ claim }) => claim.name);
      return `Best for ${context.target?.name}: ${judged[0].claim.name}, ${signed(judged[0].difference ?? 0)}. ${place ? `Place ${place + 1} of ${judged.length}: ${chosen.name}. ` : ''}${above.length === claims.length - 1 ? 'All are better than a random map.' : above.length ? `Better than a random map: ${above.join(', ')}.` : 'None is better than a random map.'}`;
    },
  };
}

/** @param {number | undefined} area */
function cell(area) {
  const fill = make('i');
  fill.style.transform = `scaleX(${Math.min(1, area ?? 0)})`;
  return make('td', {}, [make('span', { class: 'area', 'aria-hidden': 'true' }, [fill]), make('span', {}, [area === undefined ? '–' : area.toFixed(3)])]);
}

/** @param {number} value */
const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
