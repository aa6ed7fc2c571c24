/** The lesson as one component: a photo, a model, and chapters that tell with these how it works. Here its parts are wired. */
import { unchosen, within } from '../explorer/choice.js';
import { moved } from '../explorer/detail.js';
import { find, make, sheet } from '../explorer/dom.js';
import { createModelDesk } from '../explorer/model_desk.js';
import { choiceFor, choiceOf, keyOf } from '../explorer/models.js';
import { classNames } from '../explorer/names.js';
import { createNotice } from '../explorer/panels/notice.js';
import { createSources } from '../explorer/panels/sources.js';
import { asker, recordingFor } from '../explorer/recordings.js';
import { Scope } from '../explorer/scope.js';
import { scoreFormat } from '../explorer/scores.js';
import { mostHeads } from '../explorer/stages.js';
import { Session } from '../explorer/session.js';
import { STYLES } from '../explorer/styles.js';
import { remember } from '../explorer/views/cache.js';
import { createChapter } from './chapter.js';
import { CHAPTERS } from './chapters/index.js';
import { createReading } from './reading.js';
import { LESSON_STYLES } from './styles.js';
import { TEMPLATE } from './template.js';
import { createWay } from './way.js';

/**
 * @typedef {import('../explorer/choice.js').State} State
 * @typedef {import('../explorer/choice.js').Wish} Wish
 * @typedef {import('../explorer/viewer.js').Subject} Subject
 */

/** How many classes an answer tells. */
const ROWS = 5;

/** How maps look here, unless the explorer was left with another look. @type {import('../explorer/maps.js').Look} */
const LOOK = { style: 'spotlight', opacity: 0.85, colormap: 'viridis', smooth: true };

/**
 * @param {HTMLElement} root
 * @param {import('../explorer/mount.js').Options} [options]
 */
export function mount(root, { model, image, state, models = [], samples = [], around = root, assets, hub, onChange = () => {} } = {}) {
  const life = new AbortController();
  const inside = root.shadowRoot ?? root.attachShadow({ mode: 'open' });
  inside.adoptedStyleSheets = [STYLES, LESSON_STYLES, CHAPTERS.map(({ styles = '' }) => styles).join('\n')].map(sheet);
  inside.innerHTML = TEMPLATE;
  const motion = matchMedia('(prefers-reduced-motion: reduce)');
  const fail = (/** @type {unknown} */ error) => scope.fail(error);

  /** What is chosen; of the explorer's own it is kept for the way back. @type {Omit<State, 'model' | 'sample'>} */
  let chosen = { view: 'heads', ...unchosen(), chapter: null, look: LOOK };
  /** @type {Subject | undefined} */
  let subject;
  /** What is chosen is meant for a photo or a model that is on its way. @type {Promise<unknown> | undefined} */
  let coming;

  const session = new Session(assets);
  const notice = createNotice(find(inside, '#notice'), /** @type {HTMLDialogElement} */ (find(inside, '#model')));
  const answer = find(inside, '[data-dock=answer]');
  const place = find(inside, '[data-dock=chapter]');
  const contents = /** @type {HTMLDetailsElement} */ (find(inside, '.contents'));

  const chapters = CHAPTERS.map((chapter, i) => createChapter(chapter, i + 1, { choose: (choice) => void choose(choice), fail }));
  find(inside, '.chapters').append(...chapters.map(({ section }) => section));
  find(contents, 'ol').append(...chapters.map(({ id, title }) => {
    const link = make('a', { href: `#chapter=${id}` }, [title]);
    link.addEventListener('click', (event) => {
      event.preventDefault();
      choose({ chapter: id });
    });
    return make('li', {}, [link]);
  }));
  const way = createWay(find(inside, '.way'), (chapter) => void choose({ chapter }));
  /** So that the explorer's address does not lose what is chosen, and the text follows it. */
  function changed() {
    place.textContent = chapters.find(({ id }) => id === chosen.chapter)?.title ?? 'Contents';
    onChange(now());
  }

  /** @returns {State} */
  function now() {
    return { ...chosen, model: keyOf(loader.chosen, models), sample: scope.sample?.name ?? null };
  }

  /** What figures are given. @returns {Omit<import('./figure.js').Context, 'step' | 'signal'> | undefined} */
  function shown() {
    if (!subject) return undefined;
    const { trace, vit, image, title } = subject;
    const { layer, head, patch, target, look } = chosen;
    const index = target ?? trace.top[0]?.index;
    return {
      trace, vit, image, title, look, layer, head, patch: patch ?? remember(trace, 'most seen', () => mostSeen(trace)), picked: patch !== null,
      target: index === undefined ? undefined : { index, name: classNames(vit.config.labels)[index] }, still: motion.matches,
    };
  }

  function show() {
    const context = shown();
    way.show(context);
    chapters.forEach((chapter) => chapter.show(context));
  }

  const { status, loader, propose } = createModelDesk(inside, session, { notice, models, hub }, {
    onFiles: (files) => scope.openFiles(files),
    choose: (state) => void choose(state),
    onSettled: (another) => (asked = scope.settle(another)),
    onChange: changed,
    fail,
  });
  let asked = Promise.resolve();

  const scope = new Scope(session, loader, {
    notice,
    status,
    // The figures have photos of their own.
    stage: { expect() {}, showPhoto: (bitmap) => bitmap.close() },
    answers: {
      rows: ROWS,
      mark: ({ busy = false }) => answer.setAttribute('aria-busy', String(busy)),
      show({ top: [top], scores }, labels) {
        answer.textContent = top ? `${classNames(labels)[top.index]}, ${scoreFormat(scores)(top.score)}` : 'no classes';
      },
    },
    sources: createSources(find(inside, '#sources'), find(inside, '#drop'), samples, around, {
      onFiles: (files) => scope.openFiles(files),
      onSample: (sample) => scope.openSample(sample),
      onNothing: (message) => notice.show(message),
    }, life.signal),
  }, {
    choice: { view: '', ...unchosen() },
    refusal: undefined,
    refuse() {},
    records: (config) => recordingFor(config, asker(config.prefix, undefined), { attentions: true, hidden: true }, false),
    /** Another photo or another model: the patch and the class that were chosen mean nothing there. */
    forget() {
      if (!coming) Object.assign(chosen, { patch: null, target: null });
      changed();
    },
    clear() {
      subject = undefined;
      show();
    },
    async take(next) {
      subject = next;
      const { trace, trace: { layers, grid }, vit } = next;
      const before = JSON.stringify(chosen);
      chosen = { ...chosen, ...within(chosen, { layers, heads: mostHeads(trace), patches: grid[0] * grid[1], classes: vit.config.numClasses }) };
      show();
      if (JSON.stringify(chosen) !== before) changed();
    },
  }, () => ({ running: false, async start() {
    notice.show('This page looks at photos. The explorer takes videos.');
  }, stop() {}, again() {}, forget() {} }));

  createReading(chapters.map(({ section }) => section), {
    onRead(i, step) {
      chapters[i].read(step);
      if (chosen.chapter === chapters[i].id) return;
      chosen.chapter = chapters[i].id;
      changed();
    },
    onNear: (i, near) => chapters[i].approach(near),
  }, life.signal);
  motion.addEventListener('change', show, { signal: life.signal });
  // A list that hides the text is closed by whatever is done beside it.
  contents.addEventListener('focusout', ({ relatedTarget }) => contents.contains(/** @type {Node | null} */ (relatedTarget)) || (contents.open = false));

  /** @param {string | null | undefined} [name] */
  const sampleOf = (name) => samples.find((sample) => name && sample.name === name);

  /** @param {Wish} state */
  async function choose({ model, sample, look, chapter, ...choice }) {
    const waiting = [];
    const picture = sampleOf(sample);
    if (picture && picture !== scope.sample) waiting.push(scope.openSample(picture));
    if (model && model !== keyOf(loader.chosen, models)) waiting.push(loader.load(choiceFor(model, models)).then(() => asked));
    chosen = { ...chosen, ...choice, look: { ...chosen.look, ...look } };
    if (chapter !== undefined && chapter !== chosen.chapter) open(chapter);
    if (!waiting.length) {
      show();
      return changed();
    }
    await expect(Promise.all(waiting));
  }

  /** @param {string | null} chapter */
  function open(chapter) {
    contents.open = false;
    const found = chapters.find(({ id }) => id === chapter);
    chosen.chapter = found?.id ?? null;
    if (found) found.open();
    else root.scrollIntoView();
    changed();
  }

  /** @param {Promise<unknown>} what */
  async function expect(what) {
    coming = what;
    await what;
    if (coming === what) coming = undefined;
  }

  const { model: key, sample: name, look, chapter, ...choice } = state ?? {};
  /** @type {State} */
  const defaults = { ...chosen, model: models[0]?.name ?? null, sample: samples[0]?.name ?? null };
  chosen = { ...chosen, ...choice, look: { ...LOOK, ...look } };
  const first = image ?? sampleOf(name) ?? samples[0];
  const wanted = model !== undefined ? choiceOf(model) : key ? choiceFor(key, models) : models[0];
  const photo = first && scope.show(first);
  const ready = loader.start(wanted).then(() => asked);
  expect(Promise.all([photo, ready]));
  if (chapter) open(chapter);

  return {
    ready,
    get state() {
      return now();
    },
    defaults,
    choose,
    /** What is shown, where it is the visitor's own. */
    photo: () => scope.own(),
    propose,
    /** @param {unknown} error @param {import('../explorer/panels/notice.js').Remedy[]} remedies */
    fail: (error, ...remedies) => scope.fail(error, ...remedies),
    rest: () => session.end(),
    resume: () => loader.again.run(),
    destroy() {
      life.abort();
      scope.end();
      session.end();
      inside.replaceChildren();
      inside.adoptedStyleSheets = [];
    },
  };
}

/**
 * The patch about which the head's token, or the mean of all, looks most in the last layer: with its neighbours, since single patches of the background draw much of it, too (Darcet et al., 2023).
 * @param {import('../../pkg/index.js').Trace} trace
 */
function mostSeen(trace) {
  const { rows, cols, data } = trace.headMap();
  const around = data.map((_, patch) => {
    const [row, col] = [Math.floor(patch / cols), patch % cols];
    let sum = 0;
    for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
      for (let x = Math.max(0, col - 1); x <= Math.min(cols - 1, col + 1); x++) sum += data[y * cols + x];
    }
    return sum;
  });
  return moved(around.indexOf(Math.max(...around)), [rows, cols], trace.grid);
}
