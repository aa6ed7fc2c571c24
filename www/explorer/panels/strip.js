import { context2d, make } from '../dom.js';
import { createTurns } from '../live/turns.js';
import { drawCells } from '../maps.js';
import { beginnings } from '../stages.js';

/**
 * @typedef {import('../choice.js').Choice} Choice
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../../pkg/index.js').Rectangle} Rectangle
 * @typedef {{button: HTMLButtonElement, canvas: HTMLCanvasElement, choice: Partial<Choice>}} Stop
 * @typedef {{
 *   stages: import('../stages.js').Layer[], at: number | 'photo' | 'patches' | 'answer', answer: string, grid: [number, number], crop: Rectangle,
 *   picture: CanvasImageSource | undefined, look: import('../maps.js').Look, live: boolean, of: (layer: number) => ViewMap,
 * }} Way  at: where one is; of: a layer's map
 */

const THUMB = 48; // px, of the photo
const PACE = 700; // ms a layer

/**
 * The way from the photo through patches and layers to the answer: where one is, and where one can go.
 * @param {HTMLElement} root
 * @param {(choice: Partial<Choice>) => void} onChoose
 */
export function createStrip(root, onChoose) {
  const list = make('ol', {});
  const play = make('button', { type: 'button', class: 'button play', 'aria-label': 'Play' }, ['▶']);
  root.append(list, play);
  /** @type {Stop[]} */
  let stops = [];
  let built = '';
  /** Where one is. @type {HTMLButtonElement | undefined} */
  let here;
  const turns = createTurns();
  let timer = 0;
  /** @type {number | undefined} the layer that playing has come to */
  let playing;

  /**
   * @param {string} text
   * @param {string} name
   * @param {Partial<Choice>} choice
   * @returns {Stop}
   */
  function stop(text, name, choice) {
    const canvas = make('canvas', { 'aria-hidden': 'true', width: String(THUMB), height: String(THUMB) });
    const button = make('button', { type: 'button', 'aria-label': name, tabindex: '-1' }, [canvas, make('span', {}, [text])]);
    button.addEventListener('click', () => {
      halt();
      onChoose(choice);
    });
    return { button, canvas, choice };
  }

  /** @param {Way} way */
  function build(way) {
    const starts = beginnings(way);
    built = shapeOf(way);
    stops = [
      stop('photo', 'Photo', { stop: 'photo' }),
      stop('patches', 'Patches', { stop: 'patches' }),
      ...way.stages.map(({ stage }, layer) => stop(String(layer), starts.length > 1 ? `Layer ${layer}, stage ${stage}` : `Layer ${layer}`, { layer, stop: null })),
      stop('', 'Answer', { view: 'class', stop: null }),
    ];
    list.replaceChildren(...stops.map(({ button }, i) => make('li', i > 2 && starts.includes(i - 2) ? { class: 'begins' } : {}, [button])));
    stops[stops.length - 1].canvas.remove();
  }

  const layers = () => stops.length - 3;
  const shapeOf = (/** @type {Way} */ { stages }) => stages.map(({ stage }) => stage).join();
  const place = (/** @type {Way['at']} */ at) => (at === 'photo' ? 0 : at === 'patches' ? 1 : at === 'answer' ? stops.length - 1 : at + 2);

  /** @param {HTMLButtonElement} button */
  function mark(button) {
    here = button;
    for (const stop of stops) {
      stop.button.tabIndex = stop.button === here ? 0 : -1;
      if (stop.button === here) stop.button.setAttribute('aria-current', 'step');
      else stop.button.removeAttribute('aria-current');
    }
    list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2; // within the strip: the page itself must not move
  }

  /**
   * @param {string} name
   * @param {string} sign
   */
  function say(name, sign) {
    play.textContent = sign;
    play.setAttribute('aria-label', name);
  }

  function halt() {
    clearInterval(timer);
    playing = undefined;
    say('Play', '▶');
  }

  function step() {
    playing = playing === undefined ? 0 : playing + 1;
    if (playing >= layers()) return halt();
    onChoose({ layer: playing, stop: null });
  }

  play.addEventListener('click', () => {
    if (playing !== undefined) return halt();
    say('Pause', '❚❚');
    step();
    timer = window.setInterval(step, PACE);
  });
  // One tab stop, arrows choose: as in the tabs.
  list.addEventListener('keydown', (event) => {
    const from = stops.findIndex(({ button }) => button === event.target);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: stops.length - 1 }[event.key];
    if (from < 0 || to === undefined || !stops[to]) return;
    event.preventDefault();
    stops[to].button.click();
    stops[to].button.focus();
  });

  return {
    halt,

    /** @param {Way | undefined} way undefined: there is nothing yet */
    show(way) {
      root.classList.toggle('empty', !way);
      if (!way) return halt();
      if (built !== shapeOf(way)) build(way);
      const at = place(way.at);
      if (playing !== undefined && at !== playing + 2) halt();
      const { button: end } = stops[stops.length - 1];
      if (end.textContent !== way.answer) {
        end.setAttribute('aria-label', `Answer: ${way.answer}`);
        end.textContent = way.answer;
      }
      if (stops[at].button !== here) mark(stops[at].button);
      turns(way.stages.length + 2, way.live, (i) => {
        if (i < 2) drawPhoto(stops[i].canvas, way, i ? way.grid : undefined);
        else drawCells(stops[i].canvas, way.of(i - 2), way.look);
      });
    },
  };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Way} way
 * @param {[number, number]} [grid] whose lines are drawn
 */
function drawPhoto(canvas, { picture, crop }, grid) {
  const context = context2d(canvas);
  context.clearRect(0, 0, THUMB, THUMB);
  if (picture) context.drawImage(picture, crop.x, crop.y, crop.width, crop.height, 0, 0, THUMB, THUMB);
  if (!grid) return;
  const lines = grid.map((count) => Math.min(count, 8)); // more would be grey
  context.fillStyle = '#fff';
  for (let i = 1; i < lines[1]; i++) context.fillRect(Math.round((i * THUMB) / lines[1]), 0, 1, THUMB);
  for (let i = 1; i < lines[0]; i++) context.fillRect(0, Math.round((i * THUMB) / lines[0]), THUMB, 1);
}
