import { createChart } from '../chart.js';
import { segments } from '../controls.js';
import { make } from '../dom.js';
import { drawCells, mosaic } from '../maps.js';
import { number } from '../words.js';
import { remember } from './cache.js';
import { createPlaces, positionMaps } from './position_maps.js';

/** @typedef {import('../view.js').Context} Context */

const FIGURES = /** @type {const} */ ([['positions', 'positions'], ['filters', 'filters'], ['distance', 'distance'], ['entropy', 'entropy']]);

const WORDS = {
  positions: 'How alike the position embeddings are: for the patch in each place, its similarity to all others. Click a place, or the photo.',
  filters: 'The patch embedding: the first principal components of its filters, as pictures of a patch.',
  distance: 'How far each head looks on average. Low dots look nearby, as convolutions do.',
  entropy: 'How widely each head spreads its attention. Low dots look at few patches.',
};

/**
 * What the model has learned, and how its heads behave on this photo.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../view.js').View}
 */
export function createModelFigures({ change, choose }) {
  const figure = segments('Figure', FIGURES, change);
  const words = make('p', { class: 'hint' });
  const canvas = make('canvas', { class: 'mosaic', role: 'img' });
  const plot = make('div');
  const chart = createChart(plot);
  const element = make('div', {}, [make('div', { class: 'controls' }, [figure.element]), words, canvas, plot]);
  const places = createPlaces(canvas, (patch) => choose({ patch }));

  /** @param {Context} context */
  async function showPositions({ vit, trace, query, look, signal, paint }) {
    const maps = await positionMaps({ vit, trace });
    if (signal.aborted) return;
    canvas.hidden = !maps;
    if (!maps) return paint(undefined, { detail: 'This model has no position embeddings of patches.' });
    const [rows, cols] = trace.grid;
    const [row, col] = query ?? [Math.floor(rows / 2), Math.floor(cols / 2)];
    places.show(maps, look, row * cols + col);
    paint({ ...maps[row * cols + col], crop: trace.crop, text: `Positions: similarity to that of patch (${row}, ${col})` }, { detail: 'Cosine similarity of position embeddings, whatever the photo.', unit: 'positions' });
  }

  /** @param {Context} context */
  async function showFilters({ vit, look, signal, paint }) {
    const filters = await remember(vit, 'filters', () => vit.patchFilters());
    if (signal.aborted) return;
    const all = mosaic(filters, 7, `Patch embedding: the first ${filters.length} principal components of its filters`);
    drawCells(canvas, all, look);
    canvas.setAttribute('aria-label', all.text);
    paint(all, { detail: 'Grey is 0; each is shown over its own range.', unit: 'filters' });
  }

  /**
   * @param {Context} context
   * @param {'distance' | 'entropy'} what
   */
  function showHeads({ trace, paint }, what) {
    const map = what === 'distance' ? trace.attentionDistance() : trace.attentionEntropy();
    const dots = Array.from(map.data, (value, i) => ({ step: Math.floor(i / map.cols), value })).filter(({ value }) => !Number.isNaN(value)); // of the heads that a layer has
    chart.show({
      x: 'layer', y: what === 'distance' ? 'pixels' : 'nats', steps: Array.from({ length: map.rows }, (_, layer) => String(layer)), dots,
      max: Math.max(...dots.map(({ value }) => value)), format: number, label: `${map.text}: one dot for each head`,
    });
    paint(map, { detail: 'One dot for each head, on this photo.', format: number, unit: what });
  }

  return {
    id: 'model',
    title: 'What it learned',
    term: 'positions, filters, heads',
    sentence: 'What the model knows before it sees a photo, and how its heads behave on this one.',
    caution: 'Averages over a photo hide what single patches do.',
    element,
    uses: () => ({ query: figure.value === 'positions' }),
    reads: () => ({ attentions: figure.value === 'distance' || figure.value === 'entropy' }),

    async show(context) {
      const what = figure.value;
      words.textContent = WORDS[what];
      canvas.hidden = what === 'distance' || what === 'entropy';
      plot.hidden = !canvas.hidden;
      canvas.classList.toggle('picks', what === 'positions');
      if (what !== 'positions') places.rest();
      if (what === 'positions') await showPositions(context);
      else if (what === 'filters') await showFilters(context);
      else showHeads(context, what);
    },
  };
}
