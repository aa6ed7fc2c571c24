/** The widget in JupyterLab, by the newest ipykernel and by the one that hears no message while a cell runs. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startBrowser } from '../page/harness.mjs';
import { KERNEL6, PYTHON, has, openNotebook, startJupyter } from './jupyter.mjs';
import { PREPARE, answered, clickPatch, drawn, lacking, redrawn, title } from './lab.mjs';

const LIMIT = { timeout: 300_000 };
const without6 = lacking || ((await has(KERNEL6, 'ipykernel', 'anywidget', 'numpy')) ? false : 'VITSCOPE_KERNEL6 names no Python with ipykernel 6, anywidget and numpy');

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('./jupyter.mjs').Jupyter} */
let jupyter;
before(async () => {
  if (!lacking) [browser, jupyter] = await Promise.all([startBrowser(), startJupyter({ kernel7: PYTHON, kernel6: KERNEL6 || PYTHON })]);
});

/** A notebook whose first cell has run. @param {string} kernel */
async function prepared(kernel) {
  const notebook = await openNotebook(browser, jupyter, kernel);
  await notebook.print(PREPARE);
  return notebook;
}

/** What a question comes to: by `await`, or in the next cell once it is there. @param {import('./lab.mjs').Notebook} notebook @param {string} question @param {boolean} awaits */
async function ask(notebook, question, awaits) {
  if (awaits) return notebook.print(`answer = await ${question}`);
  await notebook.print(`handle = ${question}`);
  await notebook.becomes('handle.done', true);
  return notebook.print('answer = handle.result');
}

for (const [kernel, awaits] of /** @type {[string, boolean][]} */ ([['kernel7', true], ['kernel6', false]])) {
  const skip = awaits ? lacking : without6;

  test(`${kernel}: answers to pixel values are the library's`, { skip, ...LIMIT }, async () => {
    const notebook = await prepared(kernel);
    assert.equal(await notebook.value('int(sys.modules["ipykernel"].__version__.split(".")[0]) >= 7'), awaits);
    for (const name of ['hf_vit', 'timm_vit', 'hf_dinov2_reg']) {
      const { at } = await notebook.run(`right = expected("${name}"); widget = vitscope.explore(FIXTURES / "${name}", right["pixel_values"]); widget`);
      await answered(at);
      await ask(notebook, 'widget.trace(attentions=True)', awaits);
      for (const part of ['logits', 'attentions']) {
        const apart = await notebook.value(`apart(answer["${part}"], right["${part}"])`);
        assert.ok(apart < 1e-4, `${name} ${part}: ${apart}`);
      }
      const target = await notebook.value(`int(right["logits"].argmax())`);
      assert.equal(await notebook.value('widget._shown[0]["top"][0][0]'), target);
    }
    await notebook.close();
  });

  test(`${kernel}: what Python sets is shown, and what is clicked Python has`, { skip, ...LIMIT }, async () => {
    const notebook = await prepared(kernel);
    const { at } = await notebook.run('right = expected("hf_vit", "explain"); widget = vitscope.explore(FIXTURES / "hf_vit", expected("hf_vit")["pixel_values"], layer=2); widget');
    await answered(at);
    await title(at).getByText(/^Layer 2, mean of heads/).waitFor();
    const first = await drawn(at);
    await notebook.print('widget.layer, widget.head = 0, 3');
    await title(at).getByText(/^Layer 0, head 3/).waitFor();
    const second = await redrawn(at, first);
    await notebook.print('widget.layer, widget.head = 2, None');
    await title(at).getByText(/^Layer 2, mean of heads/).waitFor();
    assert.equal(await redrawn(at, second), first);

    // The values are those that are shown.
    await notebook.becomes('apart(widget.map, right["head layer=2 head=mean query=cls"]) < 1e-4', true);
    assert.ok(await notebook.value('abs(dict(widget.top)[widget.top[0][0]] - float(np.exp(expected("hf_vit")["logits"]).max() / np.exp(expected("hf_vit")["logits"]).sum())) < 1e-4'));

    await at.locator('#tab-rollout').click();
    await notebook.becomes('widget.view', 'rollout');
    await clickPatch(at, 1, 2, 4);
    await notebook.becomes('widget.query', [1, 2]);
    await at.locator('#tab-class').click();
    const { target } = await notebook.value('{"target": widget._shown[0]["top"][1][0]}');
    await at.locator('#answers li button').nth(1).click();
    await notebook.becomes('[widget.view, widget.target]', ['class', target]);
    await notebook.print('widget.view, widget.query, widget.target = "class", None, 9');
    await notebook.becomes('apart(widget.map, right["chefer target=9 query=cls"]) < 1e-4', true);

    // Once shown() has come they are those of what was set: in the same cell, or in the next once it is done.
    const set = 'widget.view, widget.layer, widget.head = "heads", 1, 2';
    const text = 'widget._shown[0]["map"]["text"]';
    if (!awaits) {
      await notebook.print(`${set}; handle = widget.shown()`);
      await notebook.becomes('handle.done', true);
    }
    assert.match(await notebook.print(awaits ? `${set}\nawait widget.shown()\nprint(${text})` : `print(${text})`), /^Layer 1, head 2/);
    await notebook.close();
  });

  test(`${kernel}: ${awaits ? 'a question is awaited' : 'of a question that is awaited a sentence says what does'}`, { skip, ...LIMIT }, async () => {
    const notebook = await prepared(kernel);
    const shown = await notebook.run('widget = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg"); widget');
    await answered(shown.at);
    const { text, outputs } = await notebook.run('relevance = await widget.attribute("chefer", target=9)\nprint(relevance.map.shape, relevance.target)');
    if (awaits) assert.match(text, /^\(4, 4\) Target\(index=9, /);
    else assert.match(text, /hears no messages while a cell runs .* read \.result of widget\.attribute\('chefer'\) in the next cell\.$/);
    assert.equal(outputs.some(({ output_type: type }) => type === 'error'), !awaits);
    await ask(notebook, 'widget.attribute(target=9)', false);
    await ask(notebook, 'widget.curves(answer, steps=4)', awaits);
    assert.deepEqual(await notebook.value('[answer.deletion.probabilities.shape[0], 0 < answer.insertion.area < 1]'), [5, true]);
    // One cell that displays and asks: it is answered once the widget is open.
    await notebook.print('later = vitscope.explore(FIXTURES / "timm_vit", PHOTOS / "coffee.jpg"); display(later); question = later.trace()');
    await notebook.becomes('question.done and list(question.result["logits"].shape)', [7]);
    assert.match((await notebook.run('vitscope.explore(FIXTURES / "timm_vit", PHOTOS / "coffee.jpg").trace().result')).text, /VitscopeError: .*next cell/);
    await notebook.close();
  });
}

test('kernel7: what is chosen while a cell awaits is heard, and so is all that comes after', { skip: lacking, ...LIMIT }, async () => {
  const notebook = await prepared('kernel7');
  const { at } = await notebook.run('widget = vitscope.explore(FIXTURES / "hf_vit", PHOTOS / "coffee.jpg"); widget');
  await answered(at);
  // (ipykernel 7.4 does not say that it has done with an update that it heard so, and front ends send no other before.)
  const heard = 'import asyncio\nwidget.view = "class"\nwhile "Relevance" not in (widget._shown[0]["map"] or {}).get("text", ""):\n    await asyncio.sleep(0.05)';
  await notebook.print(heard);
  for (const view of ['rollout', 'heads', 'rollout']) {
    await at.locator(`#tab-${view}`).click();
    await notebook.becomes('widget.view', view);
  }
  await notebook.close();
});
