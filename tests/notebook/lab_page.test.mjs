/** The widget in JupyterLab: what outputs of a page share and free, what is sent how, and what stays when the kernel or the page goes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Hub, seeded } from '../node/hub.mjs';
import { openTab, standInForHub, startBrowser, startHub, workersEnd } from '../page/harness.mjs';
import { PYTHON, openNotebook, startJupyter } from './jupyter.mjs';
import { PREPARE, answered, drawn, lacking, redrawn, title } from './lab.mjs';

const OPTIONS = { skip: lacking, timeout: 300_000 };

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('./jupyter.mjs').Jupyter} */
let jupyter;
before(async () => {
  if (!lacking) [browser, jupyter] = await Promise.all([startBrowser(), startJupyter({ python: PYTHON })]);
});

/** A notebook whose first cell has run. */
async function prepared() {
  const notebook = await openNotebook(browser, jupyter, 'python');
  await notebook.print(PREPARE);
  return notebook;
}

/** `large`, a folder with a ViT of random weights: 12.8 MB. */
const LARGE = `
import tempfile
large, d, layers = Path(tempfile.mkdtemp()) / "large", 256, 4
large.mkdir()
config = json.loads((FIXTURES / "hf_vit/config.json").read_text()) | {"hidden_size": d, "intermediate_size": 4 * d, "num_hidden_layers": layers}
(large / "config.json").write_text(json.dumps(config))
(large / "preprocessor_config.json").write_text((FIXTURES / "hf_vit/preprocessor_config.json").read_text())
shapes = {}
for name, tensor in safetensors.load((FIXTURES / "hf_vit/model.safetensors").read_bytes()).items():
    shape = [{36: d, 51: 4 * d}.get(n, n) for n in tensor.shape]
    for layer in range(layers) if ".layer." in name else [0]:
        shapes[name.replace(".layer.0.", f".layer.{layer}.")] = shape
random, header, end = np.random.default_rng(0), {}, 0
for name, shape in shapes.items():
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * int(np.prod(shape))]}
text = json.dumps(header).encode()
numbers = (0.02 * random.standard_normal(end // 4)).astype("<f4").tobytes()
(large / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + numbers)
`;

test('a model is sent once a page, and closing its outputs ends its workers and frees it', OPTIONS, async () => {
  const notebook = await prepared();
  const { page } = notebook;
  const first = await notebook.run('one = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg"); one');
  await answered(first.at);
  const second = await notebook.run('two = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg", view="rollout"); display(two, one)');
  await answered(second.at.locator('.jp-OutputArea-child').nth(0));
  await answered(second.at.locator('.jp-OutputArea-child').nth(1));
  assert.ok(page.workers().length >= 3);
  assert.deepEqual(await notebook.value('[sent[name] for name in one._models[0]["weights"]]'), [136928]);
  assert.deepEqual(await notebook.value('[sent[name] - size for model in one._models for name, size in model["sizes"].items()]'), [0, 0, 0]);
  assert.equal(await notebook.value('one._views'), 2);

  // The widget of a view that has gone still answers by its other.
  await notebook.command('notebook:clear-cell-output', first.index);
  await notebook.becomes('one._views', 1);
  await notebook.print('question = one.trace()');
  await notebook.becomes('question.done and question.result["logits"].size', 11);
  await notebook.command('notebook:clear-cell-output', second.index);
  await notebook.becomes('one._views + two._views', 0);
  await workersEnd(page);
  const weights = await notebook.value('one._models[0]["weights"]');
  await page.waitForFunction((names) => !/** @type {any} */ (globalThis)[Symbol.for('vitscope')].names.some((/** @type {string} */ name) => names.includes(name)), weights);
  await notebook.close();
});

test('two models are seen side by side, with what is chosen in step', OPTIONS, async () => {
  const notebook = await prepared();
  const { at } = await notebook.run('both = vitscope.explore({"before": FIXTURES / "hf_vit", "after": FIXTURES / "hf_deit"}, PHOTOS / "coffee.jpg"); both');
  const sides = [at.locator('.models > div').nth(0), at.locator('.models > div').nth(1)];
  for (const side of sides) await answered(side);
  await notebook.print('both.layer, both.head = 1, 0');
  for (const side of sides) await title(side).getByText(/^Layer 1, head 0/).waitFor();
  await sides[1].locator('#tab-rollout').click();
  await notebook.becomes('both.view', 'rollout');
  await title(sides[0]).getByText(/^Rollout/).waitFor();
  assert.equal(await notebook.value('len({label for (label, _), *_ in both.top}) == 2 and [each.ndim for each in both.map]').then(String), '2,2');
  await notebook.print('logits = [await both.trace(model=i) for i in (0, 1)]');
  assert.deepEqual(await notebook.value('[each["logits"].size for each in logits]'), await notebook.value('[expected(name)["logits"].size for name in ("hf_vit", "hf_deit")]'));
  await notebook.close();
});

test('of several images one is shown, by the reader or by Python', OPTIONS, async () => {
  const notebook = await prepared();
  const { at } = await notebook.run('strip = vitscope.explore(FIXTURES / "hf_vit", [PHOTOS / f"{name}.jpg" for name in ("coffee", "chelsea", "rocket")]); strip');
  await answered(at);
  await at.getByText('1 / 3').waitFor();
  const first = await drawn(at);
  await at.getByRole('button', { name: 'Next image' }).click();
  await notebook.becomes('strip.index', 1);
  await redrawn(at, first);
  await notebook.print('strip.index = 2');
  await at.getByText('3 / 3').waitFor();
  await at.locator('nav b').getByText('rocket.jpg').waitFor();
  await notebook.print('strip.index = 0');
  while ((await drawn(at)) !== first) await notebook.page.waitForTimeout(50);
  await notebook.close();
});

/**
 * Has `widget` write the single file, which opens from the disk, asks nobody, and shows what is shown here.
 * @param {import('./lab.mjs').Notebook} notebook
 * @param {import('./lab.mjs').Locator} at
 * @param {string} file
 */
async function exported(notebook, at, file) {
  assert.equal(await notebook.print(`print(await widget.to_html("${file}"))`), file);
  const tab = await openTab(browser);
  const body = tab.page.locator('body');
  await tab.page.goto(pathToFileURL(join(jupyter.root, file)).href);
  await answered(body);
  assert.equal(await body.locator('#answers .label').first().innerText(), await at.locator('#answers .label').first().innerText());
  assert.equal(await title(body).innerText(), await title(at).innerText());
  assert.deepEqual([tab.errors, tab.requests.filter((url) => !/^(file|blob|data):/.test(url))], [[], []]);
  await tab.close();
}

test('an exported file opens from the disk with the same answer, and a snapshot stays in the notebook', OPTIONS, async () => {
  const notebook = await prepared();
  const { at } = await notebook.run('widget = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg", view="class", target="stingray"); widget');
  await answered(at);
  await exported(notebook, at, 'heads.html');

  const { index } = await notebook.run('picture = widget.snapshot()');
  await notebook.becomes('picture.done', true);
  await notebook.below(index).locator('img').waitFor();
  const { cells } = await notebook.saved();
  const png = Buffer.from(cells[index].outputs[0].data['image/png'].replace(/\s/g, ''), 'base64');
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.length, await notebook.value('len(picture.result)'));
  await notebook.close();
});

test('a model of the Hub is fetched by the page, and its exported file has it', OPTIONS, async () => {
  const hub = new Hub({ 'seeded/vit': { files: seeded('hf_vit') } });
  await startHub(hub);
  const notebook = await prepared();
  await standInForHub(notebook.page.context(), hub);
  const { at } = await notebook.run('right = expected("hf_vit"); widget = vitscope.explore("seeded/vit", right["pixel_values"]); widget');
  await answered(at);
  assert.equal(await notebook.print('print(apart((await widget.trace())["logits"], right["logits"].ravel()) < 1e-4)'), 'True');
  assert.ok(hub.log.some(({ path }) => path.endsWith('/model.safetensors')));
  // (The kernel's own requests, which no browser can answer in the Hub's place.)
  await notebook.print(`from vitscope import web
web.fetch = lambda url, get=web.fetch: get(url.replace("https://huggingface.co/", ${JSON.stringify(hub.url)}))`);
  await exported(notebook, at, 'hub.html');
  await notebook.close();
});

test('12 MB go as fast as they come through what Jupyter lets pass', OPTIONS, async () => {
  const notebook = await prepared();
  await notebook.print(LARGE);
  const { at, index } = await notebook.run('widget = vitscope.explore(large, PHOTOS / "coffee.jpg"); widget');
  await answered(at);
  assert.deepEqual((await notebook.outputs(index)).map(({ output_type: type }) => type), ['execute_result'], 'Jupyter says nothing of a rate');
  assert.ok(!/rate exceeded/i.test(jupyter.log()), jupyter.log());
  assert.equal(await notebook.value('sent[widget._models[0]["weights"][0]] - (large / "model.safetensors").stat().st_size'), 0);
  await notebook.close();
});

test('a kernel that is restarted: who has all goes on, who waits is told', OPTIONS, async () => {
  const notebook = await prepared();
  await notebook.print(LARGE);
  const open = await notebook.run('vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg")');
  await answered(open.at);
  await notebook.print('vitscope.rate = 1e6'); // so that it is seen to come
  const waiting = await notebook.run('vitscope.explore(large, PHOTOS / "coffee.jpg")');
  await waiting.at.getByText(/^[1-9]\d?\.\d of 1\d\.\d MB/).waitFor();
  assert.match((await waiting.at.getByRole('progressbar').first().getAttribute('aria-valuenow')) ?? '', /^[1-9]\d?$/);
  const restarted = notebook.command('kernelmenu:restart');
  await notebook.page.locator('.jp-Dialog').locator('.jp-mod-accept').click();
  await restarted;
  await waiting.at.getByText('The kernel was restarted, or its connection is lost. Run the cell again.').waitFor();
  await open.at.locator('#tab-rollout').click();
  await title(open.at).getByText(/^Rollout/).waitFor();
  // And run again it works.
  await notebook.print(PREPARE);
  const { at } = await notebook.runCell(open.index);
  await answered(at);
  await notebook.close();
});

test('a page that is loaded anew has its widgets again', OPTIONS, async () => {
  const notebook = await prepared();
  const { at } = await notebook.run('widget = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg"); widget');
  await answered(at);
  await notebook.saved();
  await notebook.reload();
  await answered(at);
  await notebook.print('question = widget.trace()');
  await notebook.becomes('question.done and question.result["logits"].size', 11);
  await notebook.close();
});

test('what is no model is refused in one sentence, in the cell or in its output', OPTIONS, async () => {
  const notebook = await prepared();
  const { text, outputs } = await notebook.run('vitscope.explore(ROOT / "none", PHOTOS / "coffee.jpg")');
  assert.equal(outputs.length, 1);
  assert.match(text, /^\w+Error: .*none.*\.$/);
  await notebook.print(`bad = Path(jupyter_bad := ${JSON.stringify(jupyter.root)}) / "resnet"; bad.mkdir()
(bad / "config.json").write_text(json.dumps({"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}))
(bad / "model.safetensors").write_bytes((FIXTURES / "hf_vit/model.safetensors").read_bytes());`);
  const shown = await notebook.run('vitscope.explore(bad, PHOTOS / "coffee.jpg")');
  await shown.at.getByText(/resnet/i).filter({ hasText: /\.$/ }).first().waitFor();
  await notebook.close();
});

test('in a dark JupyterLab the widget is dark, and follows it', OPTIONS, async () => {
  const notebook = await prepared();
  const { at } = await notebook.run('vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg")');
  await answered(at);
  const paper = () => at.locator('#stage').evaluate((element) => {
    let box = /** @type {Element | null} */ (element);
    while (box && /^(rgba\(0, 0, 0, 0\)|transparent)$/.test(getComputedStyle(box).backgroundColor)) box = box.parentElement ?? /** @type {ShadowRoot} */ (box.getRootNode()).host;
    return Number(/\d+/.exec(box ? getComputedStyle(box).backgroundColor : '')?.[0]);
  });
  assert.ok((await paper()) > 200);
  await notebook.command('apputils:change-theme', undefined, { theme: 'JupyterLab Dark' });
  await notebook.page.waitForFunction(() => document.body.dataset.jpThemeLight === 'false');
  while ((await paper()) >= 80) await notebook.page.waitForTimeout(50);
  await notebook.command('apputils:change-theme', undefined, { theme: 'JupyterLab Light' });
  await notebook.close();
});

test('what the notebook keeps of a widget is little', OPTIONS, async () => {
  const notebook = await prepared();
  const { index } = await notebook.run('vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg")');
  await answered(notebook.below(index));
  await notebook.saved();
  assert.ok(readFileSync(notebook.path).length < 60_000);
  await notebook.close();
});
