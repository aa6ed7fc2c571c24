/** The page as people use it, in real Chromium: photos, heads, patches, webcam, other models, and what goes wrong. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CONFIG, GRID, MODEL, PAGE, ROOT, answered, clickPatch, disturb, drawn, firstAnswer, openTab, recover, startBrowser, startServer, trapInTrace } from './harness.mjs';

const SAMPLE = (/** @type {string} */ name) => join(ROOT, `www/samples/${name}.jpg`);
const FIXTURE = (/** @type {string} */ name) => ['config.json', 'model.safetensors', 'preprocessor_config.json'].map((file) => join(ROOT, `tests/fixtures/${name}/${file}`));

const { layers: LAYERS, heads: HEADS } = CONFIG;

/** @typedef {Awaited<ReturnType<typeof openTab>>} Tab */
/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
let first = '';
before(async () => {
  [browser, origin, first] = await Promise.all([startBrowser(), startServer(), firstAnswer()]);
});

/**
 * A test on the page. Whatever it does, no error stays uncaught and no request leaves the origin.
 * @param {(tab: Tab) => Promise<void>} body
 * @param {{options?: import('playwright-core').BrowserContextOptions, address?: string, wait?: boolean, setUp?: (tab: Tab) => Promise<unknown>, flags?: string[]}} [settings]
 */
const onPage = (body, { options, address = PAGE, wait = true, setUp, flags } = {}) => async () => {
  const tab = await openTab(flags ? await startBrowser(flags) : browser, { viewport: { width: 1280, height: 800 }, ...options });
  await setUp?.(tab);
  await tab.page.goto(origin + address);
  if (wait) await answered(tab.page, address === PAGE ? first : undefined);
  await body(tab);
  assert.deepEqual(tab.errors, []);
  assert.deepEqual(tab.requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)), []);
  await tab.close();
};

const answers = (/** @type {Page} */ page) => page.locator('#answers ol').evaluate((list) => list.textContent ?? '');
const tile = (/** @type {Page} */ page, /** @type {number} */ layer, /** @type {number | 'mean'} */ head) => page.locator(`.tile[data-layer="${layer}"][data-head="${head}"]`);
const notice = (/** @type {Page} */ page) => page.locator('#notice p');
const choose = (/** @type {Page} */ page, /** @type {string | string[] | {name: string, mimeType: string, buffer: Buffer}} */ file) => page.locator('[data-source=file]').setInputFiles(file);

/** Closes the notice, and leaves the head that may lie beneath it. @param {Page} page */
async function dismiss(page) {
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.mouse.move(5, 5);
}

test('the first sample is classified as soon as the model is there', onPage(async ({ page }) => {
  assert.equal(await page.locator('#answers .label').first().innerText(), 'espresso', 'the cup of coffee is what it is, whatever the model');
  assert.equal(await page.locator('#answers ol > li').count(), 5);
  assert.match(await page.locator('#status').innerText(), new RegExp(`${MODEL}[^]*${CONFIG.dtype} · relaxed SIMD · (1 thread|\\d threads)\\n[^]*\\d ms`));
  assert.equal(await page.locator('.samples button[aria-pressed=true]').count(), 1);
  assert.equal(await page.locator('.tile').count(), LAYERS * (HEADS + 1));
  assert.equal(await page.locator('.tile[aria-selected=true]').getAttribute('aria-label'), `Layer ${LAYERS - 1}, mean of heads`);
}));

test('an uploaded photo gets its top 5, and the overlay follows every choice', onPage(async ({ page }) => {
  const old = await answers(page);
  await choose(page, SAMPLE('chelsea'));
  await answered(page, undefined, old);
  const scores = (await page.locator('#answers .score').allInnerTexts()).map(parseFloat);
  assert.equal(scores.length, 5);
  assert.ok(scores.every((score, i) => score > 0 && (i === 0 || score <= scores[i - 1])), scores.join());
  assert.equal(await page.locator('.samples button[aria-pressed=true]').count(), 0);

  const seen = new Set([await drawn(page)]);
  const changes = async (/** @type {string} */ what) => {
    const now = await drawn(page);
    assert.ok(!seen.has(now), `the overlay stayed the same after a change of ${what}`);
    seen.add(now);
  };
  await tile(page, LAYERS - 1, 2).click();
  await changes('head');
  await tile(page, 1, 2).click();
  await changes('layer');
  assert.match(await page.locator('figcaption').innerText(), /Layer 1, head 2[^]*class token looks/);
  const tiles = await drawn(page, '.tile canvas');
  await clickPatch(page, 2, 5);
  await changes('patch');
  assert.notEqual(await drawn(page, '.tile canvas'), tiles, 'all heads show the patch now');
  await page.mouse.move(5, 5);
  assert.match(await page.locator('figcaption').innerText(), /patch \(2, 5\) looks/);
  await page.locator('[name=opacity]').fill('35');
  await changes('opacity');
  for (const name of ['magma', 'turbo', 'grey']) {
    await page.locator(`.segments label:has([value=${name}])`).click();
    await changes(`colours to ${name}`);
  }
  await page.locator('[name=smooth]').uncheck();
  await changes('smoothing');

  await page.locator('.segments label:has([value=viridis])').click();
  await page.getByRole('button', { name: 'Back to class token' }).click();
  assert.equal(await drawn(page, '.tile canvas'), tiles, 'the way back leads where one came from');
  assert.equal(await page.locator('#stage .query').isVisible(), false);
}));

test('a head under the mouse is shown while it is there', onPage(async ({ page }) => {
  const chosen = await drawn(page);
  await tile(page, 0, 0).hover();
  assert.notEqual(await drawn(page), chosen);
  await page.mouse.move(5, 5);
  assert.equal(await drawn(page), chosen);
}));

test('the keyboard reaches heads and patches', onPage(async ({ page }) => {
  await page.locator('.tile[aria-selected=true]').focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowUp');
  assert.equal(await page.evaluate(() => explorer().activeElement?.getAttribute('aria-label')), `Layer ${LAYERS - 2}, head ${HEADS - 1}`);
  assert.equal(await page.locator('.tile[aria-selected=true]').count(), 1);
  await page.keyboard.press('Control+Home');
  assert.match(await page.locator('figcaption').innerText(), /Layer 0, head 0/);
  assert.equal(await page.locator('.tile[tabindex="0"]').count(), 1, 'one tab stop');

  await page.locator('#stage').focus();
  const whole = await drawn(page);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowUp');
  assert.ok((await page.locator('figcaption').innerText()).includes(`patch (${GRID / 2 - 1}, ${GRID / 2}) looks`));
  assert.notEqual(await drawn(page), whole);
  await page.keyboard.press('Escape');
  assert.equal(await drawn(page), whole);
}));

test('a photo can be pasted and dropped', onPage(async ({ page }) => {
  for (const kind of /** @type {const} */ (['paste', 'drop'])) {
    const old = await answers(page);
    const name = kind === 'paste' ? 'chelsea' : 'rocket';
    await page.evaluate(async ({ kind, name }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([await (await fetch(`/www/samples/${name}.jpg`)).blob()], `${name}.jpg`, { type: 'image/jpeg' }));
      if (kind === 'drop') document.body.dispatchEvent(new DragEvent('dragenter', { dataTransfer: transfer, bubbles: true }));
      if (kind === 'drop' && explorer().querySelector('#drop')?.hasAttribute('hidden')) throw new Error('nothing invites to drop');
      const event = kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true }) : new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }, { kind, name });
    await answered(page, undefined, old);
    assert.equal(await page.locator('#stage').getAttribute('aria-label'), `${name}.jpg`);
  }
  assert.equal(await page.locator('#drop').isVisible(), false);
  await page.evaluate(() => document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: new DataTransfer(), bubbles: true })));
  assert.match(await notice(page).innerText(), /clipboard holds no picture/);
}));

test('a file that is no picture leaves the present one usable', onPage(async ({ page }) => {
  const old = { answers: await answers(page), overlay: await drawn(page) };
  for (const [name, buffer] of /** @type {const} */ ([['broken.jpg', readFileSync(SAMPLE('coffee')).subarray(0, 300)], ['notes.txt', Buffer.from('notes')], ['empty.png', Buffer.alloc(0)]])) {
    await choose(page, { name, mimeType: 'image/jpeg', buffer });
    await page.getByText(`${name} could not be decoded`).waitFor();
    assert.deepEqual({ answers: await answers(page), overlay: await drawn(page) }, old);
    await dismiss(page);
    assert.equal(await page.locator('#notice').isVisible(), false);
  }
  await tile(page, 2, 1).click();
  assert.notEqual(await drawn(page), old.overlay);
  await choose(page, SAMPLE('chelsea'));
  await answered(page, undefined, old.answers);
}));

test('the overlay lies on what the model saw, and what it did not see is shaded', onPage(async ({ page }) => {
  /** Where what is seen differs from the photo beneath. */
  const differs = () => page.evaluate(() => {
    const [base, overlay] = ['.base', '.overlay'].map((name) => /** @type {HTMLCanvasElement} */ (explorer().querySelector(`#stage canvas${name}`)));
    const line = (/** @type {HTMLCanvasElement} */ canvas) => canvas.getContext('2d')?.getImageData(0, canvas.height / 2, canvas.width, 1).data ?? [];
    const [under, over] = [line(base), line(overlay)];
    const at = (/** @type {number} */ x) => [0, 1, 2].some((c) => Math.abs(under[4 * Math.round(x * base.width) + c] - over[4 * Math.round(x * base.width) + c]) > 2);
    return [0.02, 0.14, 0.2, 0.5, 0.8, 0.86, 0.98].map(at);
  });
  await page.locator('[name=opacity]').fill('0');
  // The sample is 3 : 2 and so is the overlay; the model sees the middle square, from 1/6 to 5/6.
  assert.deepEqual(await differs(), Array(7).fill(false), 'a spotlight of no strength leaves the photo as it is');
  await page.locator('.segments label:has([value=viridis])').click();
  assert.deepEqual(await differs(), [true, true, false, false, false, true, true]);
  await page.locator('[name=opacity]').fill('100');
  assert.ok((await differs()).slice(2, 5).some(Boolean), 'and the map within');
}));

test('the webcam is classified live, and stopping keeps the last picture', onPage(async ({ page }) => {
  await page.getByRole('button', { name: 'Webcam' }).click();
  await page.waitForFunction(() => explorer().querySelector('.live:not([hidden])') && explorer().querySelector('#stage[aria-label="Webcam picture"] .frame:not([hidden])'));
  const pictures = new Set();
  for (let tries = 0; pictures.size < 3 && tries < 200; tries++) {
    pictures.add(await drawn(page));
    await page.waitForTimeout(25);
  }
  assert.ok(pictures.size >= 3, 'the overlay moves with the picture');
  const chosen = await tile(page, 0, 1).click().then(() => page.locator('figcaption').innerText());
  assert.match(chosen, /Layer 0, head 1/);
  await page.getByRole('button', { name: 'Stop webcam' }).click();
  await page.waitForFunction(() => explorer().querySelector('.live[hidden]') && explorer().querySelector('#answers ol')?.getAttribute('aria-busy') === 'false');
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'Webcam picture');
  const still = await drawn(page);
  await page.waitForTimeout(300);
  assert.equal(await drawn(page), still);
  // And back to photos.
  await page.getByRole('button', { name: 'Webcam' }).click();
  await page.locator('.live').waitFor();
  assert.equal(await page.locator('.samples').isVisible(), false, 'its controls are where the samples are');
  await choose(page, SAMPLE('coffee'));
  await answered(page, first);
  assert.equal(await page.locator('.live').isVisible(), false);
}, { flags: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] }));

for (const [what, flags, sentence] of /** @type {const} */ ([
  ['denied', ['--use-fake-device-for-media-stream', '--deny-permission-prompts'], /may not be used\. Allow it/],
  ['absent', ['--use-fake-device-for-media-stream=device-count=0', '--use-fake-ui-for-media-stream'], /There is no camera here/],
])) {
  test(`a camera that is ${what} is one sentence, and the photo stays`, onPage(async ({ page }) => {
    const old = await drawn(page);
    await page.getByRole('button', { name: 'Webcam' }).click();
    await notice(page).waitFor();
    assert.match(await notice(page).innerText(), sentence);
    assert.equal(await page.getByRole('button', { name: 'Webcam' }).innerText(), 'Webcam');
    assert.equal(await drawn(page), old);
  }, { flags: [...flags] }));
}

test('another model from files, another arithmetic, and back', onPage(async ({ page }) => {
  const status = page.locator('#status');
  await page.getByRole('button', { name: 'Model', exact: true }).click();
  const facts = [CONFIG.parameters.toLocaleString('en'), CONFIG.imageSize.toReversed().join(' × '), `${LAYERS} layers, ${HEADS} heads`, 'relaxed SIMD, \\d thread'];
  assert.match(await page.locator('#model .facts').innerText(), new RegExp(facts.join('[^]*')));
  await page.locator('#model label:has([value=f32])').click();
  await page.waitForFunction(() => explorer().querySelector('[data-status=dtype]')?.textContent === 'f32');
  await page.getByRole('button', { name: 'Close' }).click();

  await page.locator('[data-model=files-input]').setInputFiles(FIXTURE('hf_vit'));
  await page.waitForFunction(() => explorer().querySelectorAll('.tile').length === 3 * 5);
  await answered(page);
  assert.match(await status.innerText(), /f32/);
  assert.match(await page.locator('figcaption').innerText(), /Layer 2, mean/);
  const overlay = await drawn(page);

  // Models that are not right leave this one in place.
  const config = { name: 'config.json', mimeType: 'application/json', buffer: readFileSync(FIXTURE('hf_vit')[0]) };
  const weights = { name: 'model.safetensors', mimeType: '', buffer: readFileSync(FIXTURE('timm_vit')[1]) };
  for (const [files, sentence] of /** @type {const} */ ([
    [[config], /without its model\.safetensors/],
    [[config, weights], /model\.safetensors|tensor/],
    [[{ ...config, buffer: Buffer.from('{}') }, weights], /config\.json|architecture/],
    [[config, { ...weights, buffer: weights.buffer.subarray(0, 900) }], /model\.safetensors/],
    [[config, { ...weights, buffer: readFileSync(FIXTURE('hf_vit')[1]) }, { name: 'processor_config.json', mimeType: '', buffer: Buffer.from('{') }], /processor_config\.json.*JSON/],
  ])) {
    await page.locator('[data-model=files-input]').setInputFiles([...files]);
    await page.waitForFunction((source) => new RegExp(source).test(explorer().querySelector('#notice p')?.textContent ?? ''), sentence.source);
    assert.match(await notice(page).innerText(), /^[^\n]{15,400}$/);
    assert.equal(await drawn(page), overlay);
    await dismiss(page);
  }
  await tile(page, 0, 0).click();
  assert.notEqual(await drawn(page), overlay);

  await page.getByRole('button', { name: 'Model', exact: true }).click();
  await page.getByRole('group', { name: 'Models of this page' }).getByRole('button', { name: MODEL }).click();
  await answered(page, first);
  assert.match(await status.innerText(), new RegExp(`${MODEL}[^]*${CONFIG.dtype}`));
}));

test('the address can name another model on this server', onPage(async ({ page }) => {
  await answered(page);
  assert.match(await page.locator('#status').innerText(), /timm_vit/);
  assert.equal(await page.locator('.tile').count(), 2 * 3);
}, { address: '/www/?model=/tests/fixtures/timm_vit', wait: false }));

test('but not one on another', onPage(async ({ page }) => {
  await notice(page).getByText('https://example.com/model/ is not on this server').waitFor();
}, { address: '/www/?model=https://example.com/model/' }));

test('a model that is not there can be asked for again', onPage(async ({ page }) => {
  await page.getByText('model.safetensors answered with HTTP status 404').waitFor();
  assert.equal(await page.locator('#stage.filled').count(), 1, 'the photo is there all the same');
  assert.match(await page.locator('[data-status=model]').innerText(), /none/);
  await recover(page);
  await page.getByRole('button', { name: 'Try again' }).click();
  await answered(page, first);
  assert.equal(await page.locator('#notice').isVisible(), false);
}, { wait: false, setUp: ({ context }) => disturb(context, '**/model.safetensors', (route) => route.fulfill({ status: 404, body: '' })) }));

test('progress is shown while the model loads', onPage(async ({ page }) => {
  await page.waitForFunction((name) => explorer().querySelector('[data-status=loading]')?.textContent?.includes(`Loading ${name}`), MODEL);
  assert.equal(await page.getByRole('progressbar', { name: 'Loading the model' }).count(), 1);
  await answered(page, first);
  assert.equal(await page.getByRole('progressbar').count(), 0);
}, { wait: false, setUp: ({ context }) => context.route('**/model.safetensors', async (route) => {
  await new Promise((resolve) => setTimeout(resolve, 700));
  await route.continue();
}) }));

test('an engine that stops can be loaded again', onPage(async ({ page }) => {
  await page.getByText('Load the model again').waitFor();
  await recover(page);
  await page.getByRole('button', { name: 'Load again' }).click();
  await answered(page, first);
}, { wait: false, setUp: ({ context }) => trapInTrace(context) }));

for (const width of [375, 390]) {
  test(`a phone of ${width} px: nothing sticks out, and a tap chooses a patch`, onPage(async ({ page }) => {
    const sizes = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: window.innerWidth }));
    assert.equal(sizes.content, sizes.window);
    const old = await drawn(page);
    await page.locator('#stage').tap({ position: { x: width / 2, y: 120 } });
    assert.match(await page.locator('figcaption').innerText(), /patch \(\d+, \d+\) looks/);
    assert.notEqual(await drawn(page), old);
    await tile(page, 3, 0).tap();
    assert.match(await page.locator('figcaption').innerText(), /Layer 3, head 0/);
    assert.ok(((await page.locator('#stage').boundingBox())?.y ?? -1) >= 0, 'the photo is in sight beside the heads');
    await page.getByRole('button', { name: 'Model', exact: true }).tap();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
  }, { options: { viewport: { width, height: 812 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 } }));
}

for (const [name, viewport] of Object.entries({ laptop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
  test(`nothing moves while the page comes to life and a photo is opened (${name})`, onPage(async ({ page }) => {
    const old = await answers(page);
    await choose(page, SAMPLE('chelsea'));
    await answered(page, undefined, old);
    await clickPatch(page, 4, 4);
    await page.waitForTimeout(200);
    const shifts = await page.evaluate(() => kept.map((/** @type {any} */ entry) => ({ value: entry.value, of: entry.sources.map((/** @type {any} */ source) => source.node?.outerHTML?.slice(0, 80)) })));
    const total = shifts.reduce((/** @type {number} */ sum, /** @type {any} */ { value }) => sum + value, 0);
    assert.ok(total < 0.01, JSON.stringify(shifts));
  }, { options: { viewport }, setUp: async ({ page }) => page.addInitScript(() => {
    globalThis.kept = [];
    new PerformanceObserver((list) => kept.push(...list.getEntries())).observe({ type: 'layout-shift', buffered: true });
  }) }));
}

test('whatever can be focused has a name', onPage(async ({ page, context }) => {
  const session = await context.newCDPSession(page);
  for (const dialog of [false, true]) {
    if (dialog) await page.getByRole('button', { name: 'Model', exact: true }).click();
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const focusable = nodes.filter((node) => !node.ignored && node.properties?.some(({ name, value }) => name === 'focusable' && value.value) && node.role?.value !== 'RootWebArea');
    assert.ok(focusable.length > (dialog ? 5 : 15), `${focusable.length} nodes`);
    assert.deepEqual(focusable.filter((node) => !node.name?.value).map((node) => node.role?.value), []);
  }
}));
