/** Nothing costs the page its model, and nothing leaves it waiting for ever: what is stopped, what crashes, what never comes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CONFIG, MODEL, PAGE, ROOT, TRAP, addToEngine, answered, disturb, firstAnswer, openTab, recover, startBrowser, startServer, workersEnd } from './harness.mjs';

/** @typedef {Awaited<ReturnType<typeof openTab>>} Tab */
/** @typedef {import('playwright-core').Page} Page */

const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const FIXTURE = (/** @type {string} */ name) => ['config.json', 'model.safetensors', 'preprocessor_config.json'].map((file) => join(ROOT, `tests/fixtures/${name}/${file}`));

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
let first = '';
before(async () => {
  [browser, origin, first] = await Promise.all([startBrowser(CAMERA), startServer(), firstAnswer()]);
});

/**
 * A test on the page.
 * @param {(tab: Tab) => Promise<void>} body
 * @param {{setUp?: (tab: Tab) => Promise<unknown>, address?: string, wait?: boolean, uncaught?: RegExp}} [settings]
 *   wait: for the first answer; uncaught: the errors that may be
 */
const onPage = (body, { setUp, address = PAGE, wait = true, uncaught } = {}) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  tab.page.setDefaultTimeout(60_000);
  await setUp?.(tab);
  await tab.page.goto(origin + address, { waitUntil: 'commit' });
  if (wait) await answered(tab.page, address === PAGE ? first : undefined);
  await body(tab);
  assert.deepEqual(tab.errors.filter((error) => !uncaught?.test(error)), []);
  await tab.close();
};

const anotherAnswer = (/** @type {Page} */ page) => page.waitForFunction((first) => explorer().querySelector('#answers .label')?.textContent !== first, first);
const button = (/** @type {Page} */ page, /** @type {string | RegExp} */ name) => page.getByRole('button', { name, exact: typeof name === 'string' });
const said = (/** @type {Page} */ page, /** @type {RegExp} */ sentence) => page.locator('.notice:not([hidden])').getByText(sentence).waitFor();
const pick = (/** @type {Page} */ page, /** @type {string} */ text) => page.locator('.panel:not([hidden]) label', { hasText: text }).click();
const modelInUse = (/** @type {Page} */ page) => page.locator('[data-status=model]').innerText();
const choosePhoto = (/** @type {Page} */ page, /** @type {string} */ name) => page.locator('[data-source=file]').setInputFiles(join(ROOT, `www/samples/${name}.jpg`));

const missing = (/** @type {import('playwright-core').Route} */ route) => route.fulfill({ status: 404, body: '' });

/** Waits until the page has no more than so many workers. @param {Page} page @param {number} count */
async function workersLeft(page, count) {
  for (let tries = 0; page.workers().length > count && tries < 100; tries++) await page.waitForTimeout(100);
  assert.equal(page.workers().length, count, page.workers().map((worker) => worker.url()).join('\n'));
}

/** What the page waits for long it gives up ten times as soon. @param {Tab} tab */
const hurry = ({ page }) => page.addInitScript(() => {
  const real = setTimeout;
  Object.assign(globalThis, { setTimeout: (/** @type {TimerHandler} */ run, /** @type {number} */ ms, /** @type {any[]} */ ...args) => real(run, ms > 5000 ? ms / 10 : ms, ...args) });
});

// Occlusion, curves and gradients

/** Every pass and every gradient takes a quarter of a second, and says so. */
const SLOW = `
  const slowly = (owner, method) => {
    const real = owner.prototype[method];
    owner.prototype[method] = function (...args) {
      console.warn('pass');
      const end = performance.now() + 250;
      while (performance.now() < end);
      return real.apply(this, args);
    };
  };
  slowly(Work, 'step');
  Engine.prototype.record = ((real) => function (...args) { console.warn('trace'); return real.apply(this, args); })(Engine.prototype.record);`;

/** What the model was busy with since a moment. @param {Tab} tab */
function since({ warnings }) {
  const start = warnings.length;
  return () => warnings.slice(start).filter((text) => text === 'pass' || text === 'trace');
}

/** Waits until a runner of the class view has made some passes. @param {Page} page @param {string} runner */
async function underWay(page, runner) {
  await button(page, runner).click();
  await page.getByText(/^[2-9] of \d+ passes/).waitFor();
}

/** @type {Record<string, (page: Page) => Promise<unknown>>} */
const CHANGES = {
  'a photo': (page) => choosePhoto(page, 'chelsea'),
  'another view': (page) => page.locator('#tab-heads').click(),
  'another class': (page) => page.locator('#answers li button').nth(2).click(),
  'an option': (page) => pick(page, 'Grad-CAM'),
};

for (const [runner, method] of [['Leave out', 'occlusion'], ['Deletion and insertion', 'relevance']]) {
  for (const [what, change] of Object.entries(CHANGES)) {
    test(`${runner}: ${what} stops it after the pass under way`, onPage(async (tab) => {
      const { page } = tab;
      await page.locator('#tab-class').click();
      await pick(page, method);
      if (method !== 'occlusion') await page.getByText(/Relevance for/).first().waitFor();
      await underWay(page, runner);
      const busy = since(tab);
      await change(page);
      await page.waitForFunction((text) => [...explorer().querySelectorAll('.runner button')].some((button) => button.textContent === text) && !explorer().querySelector('.runner:not([hidden]) .progress:not([hidden])'), runner);
      if (what === 'a photo') await anotherAnswer(page);
      await page.waitForTimeout(700);
      const jobs = busy();
      // One pass may have begun just before; the class and its other maps are asked once more.
      assert.ok(jobs.filter((job) => job === 'pass').length <= (what === 'a photo' ? 2 : 3), jobs.join());
      if (what === 'a photo') assert.ok(jobs.indexOf('trace') >= 0 && jobs.indexOf('trace') <= 1, `the photo waited: ${jobs.join()}`);
    }, { setUp: ({ context }) => addToEngine(context, SLOW) }));
  }
}

test('a photo waits for one gradient, however many were asked for', onPage(async (tab) => {
  const { page } = tab;
  await page.locator('#tab-class').click();
  await page.getByText(/Relevance for/).first().waitFor();
  const busy = since(tab);
  for (const nth of [1, 2, 3, 4, 0, 1, 2, 3]) await page.locator('#answers li button').nth(nth).click();
  await choosePhoto(page, 'chelsea');
  await anotherAnswer(page);
  const before = busy().indexOf('trace');
  assert.ok(before >= 0 && before <= 4, `the photo waited: ${busy().join()}`);
  await page.getByText(/Relevance for/).first().waitFor();
  assert.equal(await page.locator('#notice').isVisible(), false, 'what is given up is no failure');
}, { setUp: ({ context }) => addToEngine(context, SLOW) }));

test('the same class asked for twice is no failure', onPage(async ({ page }) => {
  await page.locator('#tab-class').click();
  await page.locator('#answers li button').nth(1).dblclick();
  const label = await page.locator('#answers .label').nth(1).innerText();
  await page.getByText(`Relevance for ${label}`).first().waitFor();
  assert.equal(await page.locator('#notice').isVisible(), false);
}, { setUp: ({ context }) => addToEngine(context, SLOW) }));

// The camera

/** Keeps every track that the page is given, and lets a test hold the permission back until `grant()`, or refuse the picture. */
const watchCamera = (/** @type {Tab} */ { page }, { held = false, unplayable = false } = {}) => page.addInitScript(({ held, unplayable }) => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const tracks = /** @type {MediaStreamTrack[]} */ ([]);
  /** @type {(() => void)[]} */
  const waiting = [];
  Object.assign(globalThis, { cameras: () => ({ asked: tracks.length, live: tracks.filter(({ readyState }) => readyState === 'live').length }), grant: () => waiting.splice(0).forEach((go) => go()) });
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = await real(wish);
    tracks.push(...stream.getTracks());
    if (held) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
    return stream;
  };
  if (unplayable) HTMLMediaElement.prototype.play = () => Promise.reject(new DOMException('no picture', 'AbortError'));
}, { held, unplayable });

const cameras = (/** @type {Page} */ page) => page.evaluate(() => /** @type {any} */ (globalThis).cameras());
const grant = (/** @type {Page} */ page) => page.evaluate(() => /** @type {any} */ (globalThis).grant());
const asked = (/** @type {Page} */ page, count = 1) => page.waitForFunction((count) => /** @type {any} */ (globalThis).cameras().asked === count, count);
const allOff = (/** @type {Page} */ page) => page.waitForFunction(() => /** @type {any} */ (globalThis).cameras().live === 0);

test('a camera that starts says so, and can be cancelled; what is granted later is let go', onPage(async ({ page }) => {
  await button(page, 'Webcam').click();
  const starting = button(page, /Starting/);
  await starting.waitFor();
  assert.equal(await starting.getAttribute('aria-busy'), 'true');
  await asked(page);
  await starting.click();
  assert.equal(await button(page, 'Webcam').getAttribute('aria-busy'), 'false');
  await grant(page);
  await allOff(page);
  assert.equal(await page.locator('.live').isVisible(), false);
  assert.equal(await button(page, 'Webcam').count(), 1);
}, { setUp: (tab) => watchCamera(tab, { held: true }) }));

test('a photo opened, or a page left, while the camera asks: it stays off', onPage(async ({ page }) => {
  for (const [i, leave] of [() => choosePhoto(page, 'chelsea'), () => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')))].entries()) {
    await button(page, 'Webcam').click();
    await asked(page, i + 1);
    await leave();
    await button(page, 'Webcam').waitFor();
    await grant(page);
    await allOff(page);
    assert.equal(await page.locator('.live').isVisible(), false);
  }
}, { setUp: (tab) => watchCamera(tab, { held: true }) }));

test('a double click starts one camera, and stopping ends it', onPage(async ({ page }) => {
  await button(page, 'Webcam').dblclick();
  await button(page, 'Stop webcam').waitFor();
  assert.equal((await cameras(page)).live, 1);
  await button(page, 'Stop webcam').click();
  await allOff(page);
}, { setUp: (tab) => watchCamera(tab) }));

test('a camera whose picture can not be shown is let go, and said', onPage(async ({ page }) => {
  await button(page, 'Webcam').click();
  await said(page, /picture could not be shown/);
  assert.deepEqual(await cameras(page), { asked: 1, live: 0 });
  assert.equal(await button(page, 'Webcam').count(), 1);
  await answered(page, first);
}, { setUp: (tab) => watchCamera(tab, { unplayable: true }) }));

for (const how of ['hidden', 'left']) {
  test(`a page that is ${how} has no camera on, and shows the last picture when it is back`, onPage(async ({ page }) => {
    await button(page, 'Webcam').click();
    await button(page, 'Stop webcam').waitFor();
    const live = await page.evaluate((how) => {
      if (how === 'hidden') {
        for (const [name, value] of [['visibilityState', 'hidden'], ['hidden', true]]) Object.defineProperty(document, String(name), { value, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      } else {
        dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
      }
      return /** @type {any} */ (globalThis).cameras().live; // before anything else happens: a page that is left has no later
    }, how);
    assert.equal(live, 0);
    await said(page, /went off while the page was hidden/);
    await answered(page);
    assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'Webcam picture');
    assert.equal(await page.locator('.live').isVisible(), false);
    await page.evaluate(() => Object.defineProperty(document, 'visibilityState', { value: 'visible' }));
    await button(page, 'Start again').click();
    await button(page, 'Stop webcam').waitFor();
    assert.equal((await cameras(page)).live, 1);
  }, { setUp: (tab) => watchCamera(tab) }));
}

// Models that crash or fail

test('a model that crashes in a view of the page is closed, and can be loaded again', onPage(async ({ page }) => {
  await page.evaluate(() => Object.assign(globalThis, { trapping: true }));
  await page.locator('.tile').nth(3).click();
  await said(page, /stopped unexpectedly/);
  await workersEnd(page);
  assert.equal(await modelInUse(page), 'none');
  await page.evaluate(() => Object.assign(globalThis, { trapping: false }));
  await button(page, 'Load again').click();
  await page.waitForFunction((name) => explorer().querySelector('[data-status=model]')?.textContent === name, MODEL);
  await answered(page, first);
  assert.equal(await page.locator('#notice').isVisible(), false);
}, { uncaught: /unreachable|stopped unexpectedly/, setUp: ({ context }) => addToEngine(context, `Views.prototype.headMap = ((real) => function (...args) { if (globalThis.trapping) ${TRAP} return real.apply(this, args); })(Views.prototype.headMap);`) }));

for (const [what, code, sentence, remedy] of /** @type {const} */ ([
  ['crashes', `Walk.prototype.finish = (...args) => ${TRAP}`, new RegExp(`stopped unexpectedly[^]*${MODEL} stays in use`), 'Try again'],
  ['has no memory left', "Walk.prototype.finish = () => { throw new RangeError('Array buffer allocation failed'); }", new RegExp(`not enough memory[^]*${MODEL} stays in use, and takes memory too`), 'Unload it and try again'],
])) {
  test(`a second model that ${what} leaves the first in use, and none of its own workers`, onPage(async ({ page, context }) => {
    const workers = page.workers().length;
    const old = await page.locator('#answers ol').innerText();
    await addToEngine(context, `${code};`);
    await page.locator('[data-model=files-input]').setInputFiles(FIXTURE('hf_vit'));
    await said(page, sentence);
    assert.equal(await modelInUse(page), MODEL);
    await workersLeft(page, workers);
    // It still answers, about photos and about classes.
    await choosePhoto(page, 'chelsea');
    await page.waitForFunction((old) => /** @type {HTMLElement} */ (explorer().querySelector('#answers ol')).innerText !== old, old);
    await page.locator('#tab-class').click();
    await page.getByText(/Relevance for/).first().waitFor();
    // And what is offered is a way on.
    await page.locator('[data-model=files-input]').setInputFiles(FIXTURE('hf_vit'));
    await button(page, remedy).waitFor();
    await recover(page);
    await button(page, remedy).click();
    await page.waitForFunction(() => explorer().querySelector('[data-status=model]')?.textContent === 'model');
    await answered(page);
  }));
}

test('another arithmetic that fails is said in the dialog, and the present one stays', onPage(async ({ page, context }) => {
  await button(page, 'Model').click();
  await page.evaluate(async () => Promise.all((await caches.keys()).map((name) => caches.delete(name)))); // else it need not be fetched
  await disturb(context, '**/model.safetensors', (route) => route.fulfill({ status: 503, body: '' }));
  await page.locator('#model label:has([value=f32])').click();
  const problem = page.getByRole('dialog').getByRole('alert');
  await problem.getByText(new RegExp(`HTTP status 503[^]*${MODEL} stays in use`)).waitFor();
  assert.equal(await page.locator('#model [name=dtype]:checked').getAttribute('value'), '');
  assert.match(await page.locator('#status').innerText(), new RegExp(`${MODEL}[^]*${CONFIG.dtype}`));
  await recover(page);
  await problem.getByRole('button', { name: 'Try again' }).click();
  await page.waitForFunction(() => explorer().querySelector('[data-status=dtype]')?.textContent === 'f32');
  assert.equal(await problem.isVisible(), false);
}));

test('the address of a model goes through the redirect to the page', onPage(async ({ page }) => {
  await answered(page);
  assert.match(await modelInUse(page), /timm_vit/);
  assert.equal(new URL(page.url()).pathname, '/www/');
}, { address: '/?model=/tests/fixtures/timm_vit', wait: false }));

for (const [address, sentence] of /** @type {const} */ ([['%E0%A4%A', /has no valid address/], ['/models/%25E0%25A4%25A/', /has no valid address/], ['http://[', /has no valid address/]])) {
  test(`?model=${address} is a notice, and the page works`, onPage(async ({ page }) => {
    await said(page, sentence);
    assert.match(await modelInUse(page), /^vitscope-/, 'the default model');
  }, { address: `/www/?model=${address}` }));
}

// What can't be had, and what never comes

for (const script of ['www/main.js', 'www/explorer/views/rollout.js', 'pkg/dist/index.js']) {
  for (const [what, sentence, answer] of /** @type {[string, RegExp, ((route: import('playwright-core').Route) => unknown)?][]} */ ([
    ['missing', /script of this page could not be loaded/, missing],
    ['blocked', /script of this page could not be loaded/, (route) => route.abort()],
    ['broken', /could not start \(/, (route) => route.fulfill({ contentType: 'text/javascript', body: 'export const = {' })],
    ['stalled', /taking long to load/],
  ])) {
    if (script !== 'www/main.js' && what !== 'missing' && what !== 'stalled') continue;
    test(`${script} is ${what}: the page is there, says so, and can be loaded again`, onPage(async ({ page }) => {
      await said(page, sentence);
      assert.ok(await page.getByRole('heading', { name: 'vitscope' }).isVisible());
      await painted(page);
      await recover(page);
      await button(page, 'Reload page').click();
      await answered(page, first);
      assert.equal(await page.locator('.notice:not([hidden])').count(), 0);
    }, { wait: false, uncaught: /^$/ /* a module that can't be read has no stack */, setUp: async (tab) => {
      await hurry(tab);
      await disturb(tab.context, `**/${script}`, answer);
    } }));
  }
}

/** Waits until something of the page has been painted. @param {Page} page */
async function painted(page) {
  await page.waitForFunction(() => performance.getEntriesByName('first-paint').length > 0);
}

test('a style sheet that never comes keeps nothing from being seen, or from working', onPage(async ({ page }) => {
  await painted(page);
  await answered(page, first);
}, { wait: false, setUp: async (tab) => {
  await hurry(tab);
  await disturb(tab.context, '**/style.css');
} }));

test('a script that comes late takes the notice back', onPage(async ({ page }) => {
  await said(page, /taking long to load/);
  await page.evaluate(() => fetch('/www/go'));
  await answered(page, first);
  assert.equal(await page.locator('.notice:not([hidden])').count(), 0);
}, { wait: false, setUp: async (tab) => {
  await hurry(tab);
  /** @type {(value: unknown) => void} */
  let go = () => {};
  const gone = new Promise((resolve) => (go = resolve));
  await tab.context.route('**/www/go', (route) => {
    go(undefined);
    return route.fulfill({ body: '' });
  });
  await tab.context.route('**/www/main.js', async (route) => {
    await gone;
    await route.continue();
  });
} }));

for (const [what, path] of [['the weights', '**/model.safetensors'], ['the engine', '**/*.wasm'], ['the worker', '**/worker.js'], ['the names of the model', `**/${MODEL}/config.json`]]) {
  test(`a server that stalls at ${what} is said, and asked again`, onPage(async ({ page }) => {
    await page.waitForFunction(() => /Loading/.test(explorer().querySelector('[data-status=loading]')?.textContent ?? ''));
    await page.waitForTimeout(500);
    await said(page, new RegExp(`No progress in loading ${MODEL} for 20 seconds`));
    await recover(page);
    await button(page, 'Try again').click();
    await answered(page, first);
    assert.equal(await page.locator('#notice').isVisible(), false);
  }, { wait: false, setUp: async (tab) => {
    await hurry(tab);
    await disturb(tab.context, path);
  } }));
}

for (const [what, path] of [['the engine', '**/*.wasm'], ['the worker', '**/worker.js']]) {
  test(`${what} that can not be had is said, and asked again`, onPage(async ({ page }) => {
    await said(page, /could not be (loaded|started)|HTTP status 404/);
    await recover(page);
    await button(page, 'Try again').click();
    await answered(page, first);
    assert.equal(await page.locator('#notice').isVisible(), false);
  }, { wait: false, setUp: ({ context }) => disturb(context, path, missing) }));
}

test('a sample that stalls is said, and asked again', onPage(async ({ page }) => {
  await said(page, /coffee\.jpg has not come for 20 seconds/);
  await recover(page);
  await button(page, 'Try again').click();
  await answered(page, first);
  assert.equal(await page.locator('#notice').isVisible(), false);
}, { wait: false, setUp: async (tab) => {
  await hurry(tab);
  await disturb(tab.context, '**/coffee.jpg');
} }));

test('a second model that stalls can be cancelled', onPage(async ({ page, context }) => {
  await disturb(context, '**/model.safetensors');
  await button(page, 'Model').click();
  await page.locator('#model label:has([value=f32])').click();
  await page.getByRole('dialog').getByText(/No progress in loading/).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.locator('#status.busy').count(), 0);
  assert.equal(await page.locator('#model [name=dtype]:checked').getAttribute('value'), '');
  await button(page, 'Close').click();
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await anotherAnswer(page);
}, { setUp: hurry }));

const LOOKS = /** @type {[string, (page: Page) => Promise<unknown>][]} */ ([
  ['a photo', (page) => choosePhoto(page, 'chelsea')],
  ['a view', (page) => page.locator('#tab-class').click()],
  ['the patches left out', async (page) => {
    await page.locator('#tab-class').click();
    await pick(page, 'occlusion');
    await button(page, 'Leave out').click();
  }],
]);
for (const [how, fail, sentence] of /** @type {[string, () => void, RegExp][]} */ ([
  ['ended without a word', () => void setTimeout(() => self.close()), /its worker has ended/],
  ['never answers', () => void setTimeout(() => { for (;;); }), /has not answered for 20 seconds/],
])) {
  for (const [what, act] of LOOKS) {
    test(`a worker that ${how} is noticed by ${what}, and the model can be loaded again`, onPage(async ({ page }) => {
      const workers = page.workers().length;
      const worker = page.workers().find((worker) => worker.url().startsWith('blob:'));
      assert.ok(worker);
      await worker.evaluate(fail);
      await page.waitForTimeout(200);
      await act(page);
      await said(page, sentence);
      await button(page, 'Load again').click();
      await page.waitForFunction(() => !explorer().querySelector('#status')?.classList.contains('busy'));
      await answered(page);
      assert.equal(await page.locator('#notice').isVisible(), false);
      await workersLeft(page, workers);
    }, { setUp: hurry }));
  }
}

test('a photo that comes when there is no model says so', onPage(async ({ page }) => {
  await said(page, /404/);
  await button(page, 'Dismiss').click();
  await choosePhoto(page, 'chelsea');
  await said(page, /no model to look at this photo/);
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'chelsea.jpg');
  assert.equal(await page.locator('#answers ol').getAttribute('aria-busy'), 'false');
  await recover(page);
  await button(page, 'Load again').click();
  await answered(page);
}, { wait: false, setUp: ({ context }) => disturb(context, '**/model.safetensors', missing) }));
