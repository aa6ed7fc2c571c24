/** The MLP of a block: one token's hidden units as strips, on the activation's curve and by strength; where on the photo a unit fires; how many weights all this has. */
import { pictures } from '../../explorer/controls.js';
import { make, percent } from '../../explorer/dom.js';
import { drawCells } from '../../explorer/maps.js';
import { kept, remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createLayerChoice } from '../kit/layer.js';
import { createPhoto } from '../kit/photo.js';
import { tokenOf } from '../kit/token.js';
import { createWork } from '../kit/work.js';
import { activationOf, createActivationPlot } from './activation.js';
import { createUnits, strengthsOf } from './units.js';
import { createWeights, weightsOf } from './weights.js';
import { createWide } from './wide.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').MlpInside} MlpInside
 */

const VIEWS = /** @type {const} */ (['wide', 'curve', 'units', 'maps', 'weights']);
/** The step with the maps. */
export const MAPS = VIEWS.indexOf('maps');
/** Units to choose from. */
const STRONGEST = 8;

/** The layer that is shown: late, where units fire on things, unless chosen. @param {Pick<Context, 'trace' | 'layer'>} context */
export const layerOf = ({ trace, layer }) => Math.min(layer ?? Math.floor(0.7 * trace.layers), trace.layers - 1);

/**
 * Whose units are shown: where they are maps of patches, it is a patch.
 * @param {Context} context
 */
export const askedOf = (context) => tokenOf({ ...context, picked: context.picked || context.step === MAPS });

/** What the MLP makes of the token that is asked about. @param {Context} context @returns {Promise<MlpInside>} */
export function unitsOf(context) {
  const { trace, signal } = context;
  const layer = layerOf(context);
  const { index, query } = askedOf(context);
  return remember(trace, `mlp ${layer} ${index}`, () => trace.mlp({ layer, token: query, signal }), signal);
}

/** @param {import('../figure.js').Hands} hands */
export function createMlp({ choose, change }) {
  const photo = createPhoto('The photo: choose a patch', { onPick: (patch) => choose({ patch }) });
  /** @param {number | null} unit */
  const point = (unit) => (note.textContent = unit === null ? usual : read(unit));
  /** @param {number} unit */
  const pick = (unit) => {
    picked = { of: now, unit };
    change();
  };
  const views = {
    wide: createWide({ onPoint: point, onPick: pick }),
    curve: createActivationPlot({ onPoint: point, onPick: pick }),
    units: createUnits({ onPoint: point, onPick: pick }),
    weights: createWeights((text) => (note.textContent = text || usual)),
  };
  const units = pictures('Unit', () => pick(offered[units.value]), 'unit of the MLP');
  const layers = createLayerChoice((layer) => choose({ layer }));
  const note = make('output', { class: 'note' });
  const element = make('div', {}, [
    make('div', { class: 'row grow' }, [photo.element, ...Object.values(views).map(({ element }) => element)]),
    units.element,
    make('div', { class: 'controls' }, [layers.element, note]),
  ]);
  const work = createWork(change, () => {});

  /** @param {string} [view] none, while nothing is known */
  function open(view) {
    for (const [id, { element }] of Object.entries(views)) element.hidden = id !== view;
    units.element.hidden = view !== 'maps';
    photo.element.hidden = view === 'weights';
    layers.element.hidden = view === 'weights';
    element.dataset.view = view ?? '';
  }
  open();

  let usual = '';
  /** What is said of a unit. @type {(unit: number) => string} */
  let read = () => '';
  /** Which layer and token are shown. */
  let now = '';
  /** The unit that the reader chose there. @type {{of: string, unit: number} | undefined} */
  let picked;
  /** @type {number[]} */
  let offered = [];

  /**
   * Where a unit fires.
   * @param {Pick<Context, 'trace' | 'signal'>} context
   * @param {number} layer
   * @param {number} unit
   */
  const mapOf = ({ trace, signal }, layer, unit) => remember(trace, `unit ${layer} ${unit}`, () => trace.unit({ layer, unit, signal }), signal);

  /** The small maps, each of which takes a block's work. @param {Context} context @param {number} layer @param {number[]} shown @returns {import('../kit/work.js').Piece} */
  const smallMaps = (context, layer, shown) => ({
    key: `units ${layer} ${shown}`,
    label: 'Maps of units',
    async run(signal) {
      const maps = [];
      for (const [i, unit] of shown.entries()) {
        const map = await mapOf({ trace: context.trace, signal }, layer, unit);
        if (String(shown) === String(offered)) units.paint(i, (canvas) => drawCells(canvas, map, context.look));
        maps.push(map);
      }
      return maps;
    },
  });

  /** @param {Context} context @param {number} layer @param {number[]} order @param {number} chosen @param {string} name */
  async function showMaps(context, layer, order, chosen, name) {
    const { trace, look, signal } = context;
    // What was chosen is among them, wherever it stands.
    const strongest = order.slice(0, STRONGEST);
    const shown = strongest.includes(chosen) ? strongest : [chosen, ...strongest.slice(0, STRONGEST - 1)];
    offered = shown;
    units.offer(offered.map(String));
    units.choose(offered.indexOf(chosen));
    const map = await mapOf(context, layer, chosen);
    if (signal.aborted) return '';
    await photo.show(context, map, { patch: context.patch });
    if (signal.aborted) return '';
    const piece = smallMaps(context, layer, shown);
    /** @type {import('../../../pkg/index.js').ViewMap[] | undefined} */
    const small = kept(trace, piece.key);
    small?.forEach((map, i) => units.paint(i, (canvas) => drawCells(canvas, map, look)));
    work.want(context, small ? undefined : piece);
    const best = map.data.indexOf(Math.max(...map.data));
    const fires = map.data.filter((value) => value > 0).length;
    return `Layer ${layer}, unit ${chosen}, strong for ${name}: above 0 (red) in ${count(fires)} of ${count(map.data.length)} patches, at most ${number(map.data[best])} in patch (${Math.floor(best / map.cols)}, ${best % map.cols}).`;
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, vit, signal } = context;
      const view = VIEWS[Math.min(context.step, VIEWS.length - 1)];
      const layer = layerOf(context);
      work.want(context, undefined);
      const { index, name, query } = askedOf(context);
      const found = await unitsOf(context);
      if (signal.aborted) return '';
      const { before, gate, hidden } = found;
      now = `${layer} ${index}`;
      const { order, near, holding } = strengthsOf(hidden);
      const chosen = picked?.of === now && picked.unit < hidden.length ? picked.unit : order[0];
      layers.show(trace.layers, layer);
      open(view);
      usual = query === 'cls' && photo.element.clientWidth ? 'Of the class token. Choose a patch on the photo.' : '';
      note.textContent = usual;
      read = (unit) => `Unit ${unit}: ${gate ? `gate ${number(gate[unit])}, value ${number(before[unit])}` : number(before[unit])} becomes ${number(hidden[unit])}`;
      const f = activationOf(found);
      const called = f?.name.split(/[ ,]/)[0] ?? 'activation';
      const size = count(hidden.length);
      if (view === 'maps') return showMaps(context, layer, order, chosen, name);
      await photo.show(context, undefined, { patch: query === 'cls' ? null : context.patch, cut: true });
      if (signal.aborted) return '';
      const strongest = `the strongest is unit ${order[0]} with ${number(hidden[order[0]])}`;
      if (view === 'wide') {
        const text = `Layer ${layer}, ${name}: ${count(trace.hiddenSize)} numbers become ${size} units, then ${count(trace.hiddenSize)}. Red is above 0, blue below; ${strongest}.`;
        views.wide.show(found, trace.hiddenSize, chosen, called, text);
        return text;
      }
      if (view === 'curve') {
        const below = (gate ?? before).filter((value) => value < 0).length;
        const text = `Layer ${layer}, ${name}: a dot is a unit, ${gate ? 'its gate and what that lets through' : 'before and after'}${f ? ` ${f.name.replace(/,.*$/, '')}` : ' the activation'}. ${count(below)} of ${size} come in below 0; ${strongest}.`;
        views.curve.show(found, chosen, text);
        return text;
      }
      if (view === 'units') {
        const text = `Layer ${layer}, ${name}: ${count(near)} of ${size} units (${percent(near / hidden.length)}) are near 0, below a tenth of the strongest. ${count(holding)} hold nine tenths of the squared length.`;
        views.units.show(hidden, chosen, text);
        return text;
      }
      const { mlpSize } = vit.config;
      const { attention, hidden: weights, share } = weightsOf(trace.hiddenSize, mlpSize, Boolean(gate));
      views.weights.show(trace.hiddenSize, mlpSize, Boolean(gate));
      return `The matrices of a block, areas to scale: ${count(attention)} weights in attention, ${count(weights)} in the MLP, ${percent(share)} of both.`;
    },
  };
}
