/** How soon the project's own page answers. */

/** A page that has no answer after this long has none. */
const VISIT_MS = 120_000;

/**
 * First visits, each in a browser context of its own, thus with empty caches: the page loads its default model and looks at a sample.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {string} model
 * @param {number} rounds
 * @returns {Promise<{first: number, own: number}[]>} milliseconds to the first answer, by whichever model, and to that model's
 */
export async function pageVisits(browser, url, model, rounds) {
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(watchAnswers, model);
    await page.goto(url);
    await page.waitForSelector('html[data-own]', { state: 'attached', timeout: VISIT_MS });
    const { first, own } = await page.evaluate(() => ({ ...document.documentElement.dataset }));
    await context.close();
    times.push({ first: Number(first), own: Number(own) });
  }
  return times;
}

/**
 * In the page: notes when it first shows an answer, and when it shows one by the model of that name.
 * @param {string} name
 */
function watchAnswers(name) {
  // (An observer of the document sees no shadow root, nor one that is yet to come.)
  const timer = setInterval(() => {
    const page = document.querySelector('#explorer')?.shadowRoot;
    if (!page?.querySelector('#answers li button:enabled')) return;
    const { dataset } = document.documentElement;
    const now = String(performance.now());
    dataset.first ??= now;
    if (page.querySelector('[data-status=model]')?.textContent !== name || page.querySelector('#answers [aria-busy=true]')) return;
    dataset.own = now;
    clearInterval(timer);
  }, 5);
}
