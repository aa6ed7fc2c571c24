/** The explorer as part of somebody's page: what it tells of what it shows, pictures that are not what the model sees, light and dark, and keys that a page has uses for. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { answered, openTab, shortName, startBrowser, startServer } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {(page: import('playwright-core').Page) => Promise<void>} body @param {import('playwright-core').BrowserContextOptions} [options] */
const embedded = (body, options) => async () => {
  const tab = await openTab(browser, { viewport: { width: 900, height: 1000 }, ...options });
  await tab.page.goto(`${origin}/tests/page/embedded.html`);
  await answered(tab.page, 'espresso');
  await tab.page.waitForFunction(() => kept.shown.at(-1)?.map);
  await body(tab.page);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

test('it tells what is on the photo and what the model took it for', embedded(async (page) => {
  const last = () => page.evaluate(() => {
    const { top, map, text } = kept.shown.at(-1);
    return { top, text, map: map && { rows: map.rows, cols: map.cols, sum: map.data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b) } };
  });
  const first = await last();
  assert.equal(first.top.length, 5);
  assert.match(first.top[0].label, /^espresso/);
  assert.deepEqual([first.map?.rows, first.map?.cols], [16, 16]);
  assert.match(first.text, /^Layer 5, mean of heads/);

  await page.evaluate(() => kept.mounted.choose({ view: 'heads', layer: 1, head: 2, patch: 20 }));
  const second = await last();
  assert.match(second.text, /^Layer 1, head 2/);
  // The same of the model that is loaded, asked about the picture that it was.
  const sum = await page.evaluate(async () => {
    const trace = await kept.mounted.vit.trace(kept.mounted.image);
    return trace.headMap({ layer: 1, head: 2, query: [1, 4] }).data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b);
  });
  assert.ok(Math.abs(sum - second.map.sum) < 1e-6, `${sum} ${second.map.sum}`);

  await page.evaluate(() => kept.mounted.choose({ stop: 'photo' }));
  assert.equal((await last()).map, undefined, 'there is none on the photo');
  assert.match((await last()).top[0].label, /^espresso/);
}));

test('a snapshot is a picture of the open view, with words and a scale', embedded(async (page) => {
  const pictures = await page.evaluate(async () => {
    const read = async () => {
      const blob = await kept.mounted.snapshot();
      const { width, height } = await createImageBitmap(blob);
      return { type: blob.type, width, height, bytes: String(new Uint8Array(await blob.arrayBuffer())) };
    };
    const pictures = [await read()];
    for (const wish of [{ view: 'class' }, { stop: 'photo' }]) {
      await kept.mounted.choose(wish);
      pictures.push(await read());
    }
    return pictures;
  });
  assert.deepEqual(pictures.map(({ type }) => type), Array(3).fill('image/png'));
  assert.equal(new Set(pictures.map(({ bytes }) => bytes)).size, 3);
  const [head, , photo] = pictures;
  assert.ok(head.width > 480 && head.height > 400, `${head.width} × ${head.height}`);
  assert.deepEqual([photo.width, photo.height], await page.evaluate(async () => {
    const { width, height } = await createImageBitmap(await (await fetch('/www/samples/coffee.jpg')).blob());
    return [width, height];
  }));
}));

test('of a pair one is shown and the other asked about, by every question', embedded(async (page) => {
  const bytes = () => page.evaluate(async () => (await kept.mounted.photo()).size);
  const [size, expected] = await page.evaluate(async () => {
    const [shown, seen] = await Promise.all(['coffee', 'chelsea'].map(async (name) => (await fetch(`/www/samples/${name}.jpg`)).blob()));
    await kept.mounted.show({ shown, seen, title: 'A cup that is a cat' });
    return [shown.size, (await kept.mounted.vit.classify(seen)).top[0].label];
  });
  await answered(page, shortName(expected));
  assert.equal(expected, await page.evaluate(() => kept.shown.at(-1).top[0].label));
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'A cup that is a cat');
  assert.equal(await bytes(), size, 'what is carried on is what is shown');
  const same = await page.evaluate(async () => {
    const { vit, image, choose } = kept.mounted;
    await choose({ view: 'class' });
    const expected = (await vit.attribute(image, { method: 'chefer' })).data;
    const { map } = kept.shown.at(-1);
    return expected.every((/** @type {number} */ value, /** @type {number} */ i) => Math.abs(value - map.data[i]) < 1e-6);
  });
  assert.equal(same, true);
}));

test('a model comes in the arithmetic that it is given with, until another is chosen', embedded(async (page) => {
  const status = (/** @type {string} */ dtype) => page.waitForFunction((dtype) => explorer().querySelector('[data-status=dtype]')?.textContent === dtype, dtype);
  await status('int8');
  await page.evaluate(() => kept.mounted.load({ name: 'tiny', source: '/models/vitscope-tiny/', dtype: 'f32' }));
  await status('f32');
  assert.equal(await page.locator('[name=dtype]:checked').getAttribute('value'), 'f32');
  await page.locator('#model-open').click();
  await page.locator('#model label:has([name=dtype][value=""])').click();
  await status('int8');
}));

test('its theme is the system\'s until it is told', embedded(async (page) => {
  const paper = () => page.locator('#explorer').evaluate((root) => {
    const { backgroundColor, colorScheme } = getComputedStyle(root);
    return `${colorScheme} ${backgroundColor}`;
  });
  const [light, dark] = ['light rgb(251, 251, 250)', 'dark rgb(19, 21, 23)'];
  assert.equal(await paper(), dark, 'as an option');
  assert.equal(await page.evaluate(() => kept.mounted.theme), 'dark');
  const set = (/** @type {string | undefined} */ theme) => page.evaluate((theme) => void (kept.mounted.theme = theme), theme);
  await set('light');
  assert.equal(await paper(), light);
  for (const [system, expected] of /** @type {const} */ ([['dark', dark], ['light', light]])) {
    await page.emulateMedia({ colorScheme: system });
    await set(undefined);
    assert.equal(await paper(), expected, `as the system: ${system}`);
    await set('light');
    assert.equal(await paper(), light, `light, where the system is ${system}`);
    await set('dark');
    assert.equal(await paper(), dark, `dark, where the system is ${system}`);
  }
}, { colorScheme: 'light' }));

test('its keys are its own on a page that takes keys, and shortcuts are the page\'s', embedded(async (page) => {
  const patch = () => page.evaluate(() => kept.mounted.state.patch);
  await page.locator('#stage').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await patch(), 8 * 16 + 8);
  await page.keyboard.press('ArrowUp');
  assert.equal(await patch(), 7 * 16 + 8);
  await page.keyboard.press('Escape');
  assert.equal(await patch(), null);
  await page.locator('#tab-heads').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => kept.mounted.state.view), 'rollout');
  await page.locator('#overlay [name=opacity]').focus();
  await page.keyboard.press('Home');
  assert.equal(await page.evaluate(() => kept.mounted.state.look.opacity), 0, 'what the browser does with a key it does');
  assert.deepEqual(await page.evaluate(() => kept.keys), []);
  await page.keyboard.press('Control+k');
  assert.deepEqual(await page.evaluate(() => kept.keys.filter((/** @type {string} */ key) => key !== 'Control')), ['k']);
}));

for (const width of [640, 760, 900]) {
  test(`in a column of ${width} px, in every view: nothing sticks out`, embedded(async (page) => {
    await page.setViewportSize({ width, height: 900 });
    for (const tab of await page.locator('[role=tab]').all()) {
      await tab.click();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), String(await tab.getAttribute('id')));
    }
  }));
}
