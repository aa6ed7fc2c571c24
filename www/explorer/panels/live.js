import { find, make } from '../dom.js';

/**
 * @typedef {import('../live/origins.js').Kind} Kind
 * @typedef {import('../live/live.js').State} State
 * @typedef {{onStart: (kind: Kind, given?: any) => void, onStop: () => void, onToggle: () => void}} Handlers
 */

/** What each button says, and what it is called while it stops something. @type {Record<Kind, [string, string]>} */
const NAMES = { camera: ['Webcam', 'webcam'], file: ['Video', 'video'], screen: ['Screen', 'sharing'] };

/**
 * Moving pictures: where they come from, and how they are shown. While one runs, its controls are where the samples are.
 * @param {HTMLElement} root the sources
 * @param {HTMLElement} stage
 * @param {boolean} screens whether a screen can be shared here
 * @param {Handlers} handlers
 */
export function createLive(root, stage, screens, { onStart, onStop, onToggle }) {
  const bar = find(root, '.live');
  const samples = find(root, '.samples');
  const hint = find(root, '.actions .hint');
  const freeze = find(bar, 'button');
  const mirror = /** @type {HTMLInputElement} */ (find(bar, '[name=mirror]'));
  const steady = /** @type {HTMLInputElement} */ (find(bar, '[name=steady]'));
  const reading = find(bar, '[data-live=rate]');
  const choice = /** @type {HTMLSelectElement} */ (find(root, '[name=camera]'));
  const file = /** @type {HTMLInputElement} */ (find(root, '[data-source=video]'));
  /** @type {State} */
  let state = 'off';
  /** @type {Kind} */
  let shown = 'camera';

  const buttons = /** @type {[Kind, HTMLButtonElement][]} */ ([...root.querySelectorAll('[data-live-kind]')].map((button) => [/** @type {HTMLElement} */ (button).dataset.liveKind, button]));
  for (const [kind, button] of buttons) {
    button.hidden = kind === 'screen' && !screens;
    button.addEventListener('click', ({ detail }) => {
      const mine = state !== 'off' && shown === kind;
      if (mine && state === 'starting' && detail > 1) return; // the second half of a double click doesn't mean to cancel
      if (mine) onStop();
      else if (kind === 'file') file.click();
      else onStart(kind);
    });
  }
  file.addEventListener('change', () => {
    const [video] = file.files ?? [];
    if (video) onStart('file', video);
    file.value = ''; // so that the same file can be chosen again
  });
  freeze.addEventListener('click', onToggle);
  choice.addEventListener('change', () => onStart('camera', choice.value));
  stage.addEventListener('keydown', (event) => {
    if (event.key !== ' ' || (state !== 'on' && state !== 'frozen')) return;
    event.preventDefault();
    if (!event.repeat) onToggle();
  });

  return {
    get mirrored() {
      return mirror.checked;
    },

    /** Whether maps are smoothed over frames. */
    get steady() {
      return steady.checked;
    },

    /**
     * @param {Kind} kind
     * @param {State} next
     */
    mark(kind, next) {
      [shown, state] = [kind, next];
      const running = state === 'on' || state === 'frozen';
      for (const [of, button] of buttons) {
        const now = of === kind ? state : 'off';
        const [text, name] = NAMES[of];
        button.classList.toggle('on', now !== 'off');
        button.setAttribute('aria-busy', String(now === 'starting'));
        find(button, 'span').textContent = now === 'off' ? text : now === 'starting' ? 'Starting…' : 'Stop';
        button.setAttribute('aria-label', now === 'off' ? text : now === 'starting' ? `Starting… Cancel ${name}` : `Stop ${name}`);
      }
      bar.hidden = !running;
      samples.hidden = running;
      freeze.textContent = state === 'frozen' ? 'Resume' : 'Freeze';
      if (state !== 'on') reading.textContent = state === 'frozen' ? 'stands still' : '';
      choice.hidden = !running || kind !== 'camera' || choice.options.length < 2;
      hint.hidden = !choice.hidden;
    },

    /** Whether frames are mirrored to begin with. @param {boolean} yes */
    mirror(yes) {
      mirror.checked = yes;
    },

    /**
     * @param {{device: string, label: string}[]} cameras
     * @param {string} present
     */
    list(cameras, present) {
      choice.replaceChildren(...cameras.map(({ device, label }) => make('option', { value: device }, [label])));
      choice.value = present;
      this.mark(shown, state);
    },

    /** @param {number} rate frames a second */
    read(rate) {
      reading.textContent = `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} frames/s`;
    },
  };
}
