import { simdName, threadCount } from '../backend.js';
import { find, make } from '../dom.js';
import { beginnings, spread } from '../stages.js';

/**
 * @typedef {import('../../../pkg/index.js').ModelConfig} ModelConfig
 * @typedef {import('../../../pkg/index.js').Backend} Backend
 */

/**
 * The model in numbers, and the choice of another one.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement} opener
 * @param {import('../models.js').Offer[]} models
 * @param {{onOpen: () => void, onFiles: (files: File[]) => void, onOffer: (offer: import('../models.js').Offer) => void, onDtype: (dtype: 'f32' | 'int8' | undefined) => void}} handlers
 */
export function createModelDialog(dialog, opener, models, { onOpen, onFiles, onOffer, onDtype }) {
  const facts = find(dialog, '.facts');
  const folder = /** @type {HTMLInputElement} */ (find(dialog, '[data-model=folder-input]'));
  const files = /** @type {HTMLInputElement} */ (find(dialog, '[data-model=files-input]'));
  const chooseFolder = find(dialog, '[data-model=folder]');

  opener.addEventListener('click', () => {
    dialog.showModal();
    onOpen();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // beside the form: on the backdrop
  });
  const offers = models.map((offer) => {
    const button = make('button', { type: 'button', class: 'button' }, [make('b', {}, [offer.name]), ` ${offer.classes} classes, ${offer.megabytes} MB`]);
    button.addEventListener('click', () => {
      dialog.close();
      onOffer(offer);
    });
    return { offer, button };
  });
  find(dialog, '.offers').append(...offers.map(({ button }) => button));
  find(dialog, '[data-model=offers]').hidden = !offers.length;
  chooseFolder.hidden = !('webkitdirectory' in folder);
  chooseFolder.addEventListener('click', () => folder.click());
  find(dialog, '[data-model=files]').addEventListener('click', () => files.click());
  for (const input of [folder, files]) {
    input.addEventListener('change', () => {
      const chosen = [...(input.files ?? [])];
      input.value = '';
      dialog.close();
      if (chosen.length) onFiles(chosen);
    });
  }
  dialog.addEventListener('input', (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.name === 'dtype') onDtype(/** @type {'f32' | 'int8'} */ (input.value) || undefined);
  });

  return {
    open() {
      if (!dialog.open) dialog.showModal();
    },

    close() {
      dialog.close();
    },

    /**
     * @param {{name: string, offer: import('../models.js').Offer | undefined, dtype: string | undefined, config: ModelConfig, backend: Backend} | undefined} model
     */
    show(model) {
      for (const { offer, button } of offers) {
        button.disabled = offer === model?.offer;
        button.setAttribute('aria-pressed', String(button.disabled));
      }
      const chosen = /** @type {HTMLInputElement} */ (find(dialog, `[name=dtype][value="${model?.dtype ?? ''}"]`));
      chosen.checked = true;
      facts.replaceChildren(...(model ? entries(model.name, model.config, model.backend) : []).flatMap(([name, value]) => [make('dt', {}, [name]), make('dd', {}, [value])]));
    },
  };
}

/** @type {Record<ModelConfig['pooling'], string>} */
const READS = {
  cls: 'the class token',
  mean: 'the mean of all patches',
  'cls-mean': 'the class token and the mean of all patches',
  'cls-distillation': 'the class and the distillation token',
  attention: 'what a learned query gathers',
  map: 'all patches: features are a map',
};

/**
 * @param {string} name
 * @param {ModelConfig} config
 * @param {Backend} backend
 * @returns {[string, string][]}
 */
function entries(name, config, backend) {
  const size = (/** @type {[number, number]} */ [height, width]) => `${width} × ${height}`;
  const { stages } = config;
  const several = beginnings(config).length;
  return [
    ['Name', name],
    ['Family', config.family],
    ['Parameters', config.parameters.toLocaleString('en')],
    ['Input', `${size(config.imageSize)} pixels`],
    ['Patches', `${size(config.patchSize)} pixels each, ${size(config.grid)} of them`],
    ['Encoder', `${config.layers} layers${several > 1 ? ` in ${several} stages` : ''}, ${spread(stages.map(({ heads }) => heads))} heads`],
    ['Width', `${spread(stages.map(({ hiddenSize }) => hiddenSize))}, ${config.mlpSize} in the ${several > 1 ? 'last ' : ''}MLP`],
    ['Answer from', READS[config.pooling]],
    ['Classes', config.numClasses ? `${config.numClasses.toLocaleString('en')}${config.zeroShot ? ', given as texts' : ''}` : 'none: features and attention only'],
    ['Runs on', `${simdName(backend)}, ${threadCount(backend)}`],
  ];
}
