/** The explorer in a cell: the part of the widget that comes from the kernel once a page. */
import { mount } from '../../www/explorer/mount.js';
import { sendAnswer } from './answering.js';
import { Choices } from './choices.js';
import { engineAssets, engineFiles } from './engine.js';
import { direct } from './direct.js';
import { createFrame } from './frame.js';
import { imageFiles, imageOf, modelFiles, sourceOf } from './given.js';
import { answerTo, known } from './questions.js';
import { followTheme } from './theme.js';

/** @typedef {import('./pages.js').FileName} FileName */
/** @typedef {import('./given.js').GivenModel} GivenModel */
/** @typedef {import('./given.js').GivenImage} GivenImage */
/**
 * @typedef {{model: import('./transport.js').Model, files: import('./pages.js').Holder, screen: import('./screen.js').Screen, signal: AbortSignal, leads: () => boolean}} Given
 *   screen: what is there until then; leads: whether this view speaks for its widget
 */

const ENGINE = 0; // what comes first
const IMAGE = 1;
const WEIGHTS = 2;
const LARGE = 60e6; // bytes of which it is said that there could be fewer
const SETTLED = 100; // ms

/**
 * Resolves when all is there that the explorers need, and they are mounted.
 * @param {HTMLElement} root
 * @param {Given} given
 */
export async function open(root, { model: indirect, files, screen, signal, leads }) {
  const model = direct(indirect);
  /** @type {GivenModel[]} */
  const models = model.get('_models');
  /** @type {GivenImage[]} */
  const images = model.get('_images');
  const index = () => Math.min(Math.max(model.get('index') ?? 0, 0), images.length - 1);
  const assets = model.get('_assets');
  let shown = index();

  const blobs = await receive([
    ...engineFiles().map((file) => ({ ...assets[file], rank: ENGINE })),
    ...imageFiles(images[shown]).map((file) => ({ ...file, rank: IMAGE })),
    ...models.flatMap((model) => modelFiles(model).map((file) => ({ ...file, rank: WEIGHTS }))),
  ], files, screen, models);
  const engine = await engineAssets(files, assets, blobs);
  const first = await imageOf(images[shown], blobs);
  signal.throwIfAborted();

  const choices = new Choices(model, signal);
  const frame = createFrame(root, { models: models.length, images: images.map(({ title }) => title), onImage: step });
  frame.mark(shown);
  thumbnail(shown, first);
  /** What each of the explorers shows; null: nothing yet. @type {any[]} */
  const now = models.map(() => null);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let telling;
  /** Another image's. @type {Promise<unknown>} */
  let turning = Promise.resolve();

  const sides = models.map((given, i) => {
    const source = sourceOf(given, blobs);
    /** It tells of itself before it is there. @type {ReturnType<typeof mount> | undefined} */
    let itself;
    const explorer = (itself = mount(frame.columns[i], {
      model: { name: given.title, source, ...(given.dtype && { dtype: given.dtype }) },
      image: first,
      state: choices.first,
      assets: async () => engine,
      onChange: (state) => itself && choices.told(itself, state),
      onShow: (now) => tell(i, now),
    }));
    choices.join(explorer);
    explorer.ready.then(() => choices.ready(), () => {});
    return { explorer, source, assets: engine };
  });
  followTheme((theme) => {
    frame.paint(theme);
    for (const { explorer } of sides) explorer.theme = theme;
  }, signal);
  const follow = () => {
    if (index() !== shown) turning = turnTo(index());
  };
  model.on('change:index', follow);
  follow(); // of what was wanted meanwhile
  prepare(shown + 1);

  /** A reader's step. @param {number} to */
  function step(to) {
    model.set('index', to);
    model.save_changes();
  }

  /** @param {number} to */
  async function turnTo(to) {
    frame.mark((shown = to));
    try {
      const picture = await pictureOf(to);
      if (to !== shown || signal.aborted) return;
      frame.say();
      const coming = sides.map(({ explorer }) => explorer.show(picture, { keep: true }));
      prepare(to + 1);
      await Promise.all(coming);
    } catch (error) {
      if (to === shown && !signal.aborted) frame.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {number} i */
  async function pictureOf(i) {
    const got = new Map(await Promise.all(imageFiles(images[i]).map(async (file) => /** @type {const} */ ([file.name, await files.file(file, { rank: IMAGE })]))));
    const picture = await imageOf(images[i], got);
    thumbnail(i, picture);
    return picture;
  }

  /**
   * @param {number} i
   * @param {import('./given.js').Picture} picture
   */
  function thumbnail(i, picture) {
    frame.thumbnail(i, picture instanceof Blob ? picture : picture.shown).catch(() => {}); // of what can't be decoded the explorer says so
  }

  /** The one that is likely to be wanted next. @param {number} i */
  function prepare(i) {
    if (i < images.length) pictureOf(i).catch(() => {}); // it is asked for again when it is wanted
  }

  /**
   * @param {number} i
   * @param {import('../../www/explorer/viewer.js').Shown} shown
   */
  function tell(i, { top, map, text }) {
    const values = map && new DataView(map.data.slice().buffer);
    now[i] = !top.length && text === undefined ? null : {
      top: top.map(({ index, label, score }) => [index, label, score]),
      map: map ? { rows: map.rows, cols: map.cols, channels: map.channels, signed: map.signed, text: text ?? map.text, data: values } : null,
    };
    telling ??= setTimeout(report, SETTLED); // (of a moving picture too, whose frames would put it off for ever)
  }

  function report() {
    clearTimeout(telling);
    telling = undefined;
    if (signal.aborted || !leads()) return;
    model.set('_shown', [...now]);
    model.save_changes();
  }

  /** Resolves when what is chosen is shown, and Python has it. */
  async function settled() {
    await Promise.all([...sides.map(({ explorer }) => explorer.ready), turning]);
    await choices.shown();
    for (const { explorer } of sides) known(explorer);
    report();
    return {};
  }

  return {
    /** Resolves once the kernel has it. @param {import('./transport.js').Question} question */
    async answer(question) {
      const side = sides[question.model ?? 0];
      if (!side) throw Object.assign(new Error(`The widget has no model ${question.model}.`), { code: 'invalid-argument' });
      await sendAnswer(files.wire, question.id, await (question.method === 'shown' ? settled() : answerTo(question, side)));
    },

    close() {
      clearTimeout(telling);
      model.off('change:index', follow);
      for (const { explorer } of sides) explorer.destroy();
      frame.remove();
    },
  };
}

/**
 * All of these files, by their SHA-256.
 * @param {(FileName & {rank: number})[]} wanted
 * @param {Given['files']} files
 * @param {Given['screen']} screen
 * @param {GivenModel[]} models
 */
async function receive(wanted, files, screen, models) {
  const once = new Map(wanted.map((file) => [file.name, file]));
  const sum = (/** @type {Iterable<number>} */ numbers) => [...numbers].reduce((a, b) => a + b, 0);
  const total = sum([...once.values()].map(({ size }) => size));
  /** @type {Map<string, number>} */
  const loaded = new Map();
  if (total > LARGE && models.some(({ hub, dtype }) => !hub && dtype !== 'int8')) screen.hint("dtype='int8' sends half of an f32 model.");
  return new Map(await Promise.all([...once.values()].map(async ({ name, size, rank }) => {
    const onProgress = (/** @type {number} */ bytes) => {
      loaded.set(name, bytes);
      screen.progress(sum(loaded.values()), total);
    };
    return /** @type {const} */ ([name, await files.file({ name, size }, { rank, onProgress })]);
  })));
}
