/** The document of one's own model, photo and view, which the notebook's `to_html` writes: it shows what it has within. */
import { find, make } from '../explorer/dom.js';
import { mount } from '../explorer/mount.js';
import { inStep } from '../explorer/step.js';
import { engineAssets } from '../single/engine_assets.js';
import { model, photo, readState } from './within.js';

const state = await readState();
const image = await photo(state);
const pair = state.models.length > 1;
const places = ['explorer', 'second'].slice(0, state.models.length).map((id) => find(document, `#${id}`));
find(document, '#about').textContent = about(state.models, state.photo);
document.body.classList.toggle('pair', pair);

const explorers = [];
const step = inStep();
for (const [i, place] of places.entries()) {
  place.hidden = false;
  if (pair) {
    place.append(make('h2', { slot: 'brand' }, [state.models[i]]));
    place.setAttribute('role', 'region');
    place.setAttribute('aria-label', state.models[i]);
  }
  /** It tells of itself before it is there. @type {ReturnType<typeof mount> | undefined} */
  let explorer;
  explorer = mount(place, {
    model: { name: state.models[i], source: await model(i) },
    image,
    state: state.choice,
    around: pair ? place : document,
    assets: engineAssets,
    onChange: (state) => step.told(explorer, state),
  });
  step.join(explorer);
  explorers.push(explorer);
}
await Promise.all(explorers.map(({ ready }) => ready));
const [first] = explorers;
if (state.query && first.vit) await first.choose({ patch: state.query[0] * first.vit.config.grid[1] + state.query[1] });

/**
 * What this is, in a sentence.
 * @param {string[]} models their titles
 * @param {string} photo its title
 */
function about([first, second], photo) {
  const whose = second === undefined ? first : `${first} and ${second}`;
  const [run, show] = second === undefined ? ['runs', 'shows'] : ['run', 'show'];
  return `${whose} ${run} in this page and ${show} what ${second === undefined ? 'it looks' : 'they look'} at in ${photo ? `“${photo}”` : 'this photo'}, layer by layer and head by head.`;
}
